//! `GET /org/audit-log/checkpoint`: the end of the chain, signed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, State};
use mainsheet_api::{App, Permitted, Result};
use mainsheet_auth::audit_checkpoint::AuditCheckpoint;
use mainsheet_auth::keys::SigningKey;
use mainsheet_auth::needs::CanViewAuditLog;
use serde::Serialize;
use utoipa::ToSchema;

/// What the route needs besides the application: the key that signs checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointState {
    pub(crate) app: App,
    pub(crate) key: Arc<SigningKey>,
}

impl FromRef<CheckpointState> for App {
    fn from_ref(state: &CheckpointState) -> Self {
        state.app.clone()
    }
}

/// The end of an audit log's chain.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckpointView {
    /// Blocks so far.
    blocks: u64,
    /// Records in all of them.
    records: u64,
    /// The last block's SHA-256, in hex; 64 zeros when there is none.
    sha256: String,
    /// The same as a JWS (RFC 7515) by a key that the JWKS lists, for who keeps it elsewhere.
    checkpoint: String,
}

/// Show the audit log's checkpoint
///
/// Whoever keeps it can show later whether anything before it was changed: `cargo xtask verify-audit`.
#[utoipa::path(
    get, path = "/org/audit-log/checkpoint", operation_id = "getAuditCheckpoint", tag = "audit-log",
    responses((status = 200, description = "The end of the chain.", body = CheckpointView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewAuditLog")))
)]
pub(crate) async fn checkpoint(
    State(state): State<CheckpointState>,
    caller: Permitted<CanViewAuditLog>,
) -> Result<Json<CheckpointView>> {
    let store = &state.app.store;
    let head = store.audit_head(caller.tenant()).await?;
    let organization = caller.tenant().organization_id().clone();
    let checkpoint = AuditCheckpoint::new(organization, head.clone(), store.now()).sign(&state.key)?;
    Ok(Json(CheckpointView { blocks: head.blocks, records: head.records, sha256: head.sha256, checkpoint }))
}
