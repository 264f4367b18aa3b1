//! `DELETE /infra/connections/{connection}`: disconnect a cloud account in which nothing lives.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_core::ConnectionId;
use mainsheet_core::provisioning::operation_in_progress;
use mainsheet_store::connections::require_uninhabited;

/// Disconnect a cloud account
///
/// Its networks, clusters and catalogs have to be destroyed before. The stack with the role stays in the account: delete it there.
#[utoipa::path(
    delete, path = "/infra/connections/{connection}", operation_id = "deleteConnection", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageConnections>,
    Path(id): Path<ConnectionId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let row = app.store.connection(caller.tenant(), &id).await?;
    if_match.check(row.version)?;
    if let Some(live) = &row.value.live_operation {
        return Err(operation_in_progress(live).into());
    }
    require_uninhabited(&row)?;
    app.store.change(caller.audit("connection.delete", &id)).delete_connection(&row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
