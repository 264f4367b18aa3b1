//! `GET /org/audit-log/blocks`: the chain that fixes what the audit log says.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerPage, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewAuditLog;
use mainsheet_store::audit_chain::AuditBlock;

/// List the audit log's blocks
///
/// From the first one on. `infra/docs/audit.md` describes them.
#[utoipa::path(
    get, path = "/org/audit-log/blocks", operation_id = "listAuditBlocks", tag = "audit-log",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the blocks.", body = MarkerPage<AuditBlock>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewAuditLog")))
)]
pub(crate) async fn blocks(
    State(app): State<App>,
    caller: Permitted<CanViewAuditLog>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MarkerPage<AuditBlock>>> {
    Ok(Json(app.store.audit_blocks(caller.tenant(), &query.request()).await?.into()))
}
