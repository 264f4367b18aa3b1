//! `POST /infra/connections/{connection}/sync-template`: bring the deployed stack to the newest template.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{Action, App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_core::operation::{Operation, OperationKind, ResourceRef};
use mainsheet_core::{ConnectionId, OperationId};
use mainsheet_store::retry_races;

use crate::provisioned::{Accepted, accepted};
use crate::view::operation::OperationView;

/// Sync a connection's template
///
/// Of an active connection whose stack is known.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/sync-template", operation_id = "syncConnectionTemplate", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn sync_template(
    State(app): State<App>,
    caller: Permitted<CanManageConnections>,
    Path(id): Path<ConnectionId>,
    Action(idempotent): Action,
) -> Result<Accepted> {
    let tenant = caller.tenant();
    if let Some(earlier) = idempotent.earlier::<OperationId>()? {
        let row = app.store.operation(tenant, &earlier).await?;
        return Ok((StatusCode::ACCEPTED, Json(OperationView::of(tenant, &row))));
    }
    let operation = retry_races(|| async {
        let row = app.store.connection(tenant, &id).await?;
        let kind = OperationKind::ConnectionSyncTemplate;
        let change = app.store.change(caller.audit(kind.as_str(), &id));
        let resource = ResourceRef::Connection(id.clone());
        let operation = Operation::new(kind, resource, &id, caller.member_id(), change.now());
        let mut after = row.value.clone();
        after.begin(&operation.id, caller.member_id(), change.now())?;
        change
            .start_connection_operation(tenant, &row, &after, &operation)
            .idempotent(idempotent.request(), operation.id.as_str())
            .commit()
            .await?;
        Ok(operation)
    });
    Ok(accepted(&caller, &operation.await?))
}
