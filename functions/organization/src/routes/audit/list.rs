//! `GET /org/audit-log`: who did what to which thing, newest first.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, MarkerPage, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewAuditLog;
use mainsheet_core::{Error, Timestamp};
use mainsheet_store::Row;
use mainsheet_store::audit::{AuditFilter, AuditRecord};
use mainsheet_store::audit_chain::block_of;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which records are wanted; all that are given have to hold.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// By whom: the id of a member, user, service account or agent.
    #[garde(inner(length(chars, min = 1, max = 20)))]
    #[param(min_length = 1, max_length = 20)]
    actor: Option<String>,
    /// What was done, as `<resource>.<verb>`.
    #[garde(inner(length(chars, min = 1, max = 64)))]
    #[param(min_length = 1, max_length = 64, example = "policy.set")]
    action: Option<String>,
    /// To which thing.
    #[garde(inner(length(chars, min = 1, max = 255)))]
    #[param(min_length = 1, max_length = 255)]
    target: Option<String>,
    /// From this moment on.
    #[garde(skip)]
    from: Option<Timestamp>,
    /// Before this moment.
    #[garde(skip)]
    to: Option<Timestamp>,
}

/// A record and the block that seals it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditLogItem {
    #[serde(flatten)]
    record: AuditRecord,
    /// The number of the block that seals it; absent within the first minutes. It is no part of what the block's hash is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<u64>,
}

impl From<Row<AuditRecord>> for AuditLogItem {
    fn from(row: Row<AuditRecord>) -> Self {
        Self { block: block_of(&row), record: row.value }
    }
}

/// List the audit log
///
/// Newest first. A page looks at 1,000 records and 12 months at most: with filters it can be short or empty and still have a
/// `marker`, which goes on from there.
#[utoipa::path(
    get, path = "/org/audit-log", operation_id = "listAuditLog", tag = "audit-log",
    params(MarkerQuery, Filters),
    responses((status = 200, description = "Some of the records.", body = MarkerPage<AuditLogItem>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewAuditLog")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewAuditLog>,
    Query(query): Query<MarkerQuery>,
    Query(filters): Query<Filters>,
) -> Result<Json<MarkerPage<AuditLogItem>>> {
    let Filters { actor, action, target, from, to } = filters;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Error::invalid("to", "must be later than `from`").into());
    }
    let organization = caller.organization(&app.store).await?.value;
    let filter = AuditFilter { actor, action, target, from, to };
    let page = app.store.audit_log(caller.tenant(), &organization, &filter, &query.request()).await?;
    Ok(Json(page.map(AuditLogItem::from).into()))
}
