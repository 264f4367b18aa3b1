//! `DELETE /operations/{operationId}`: ask an operation to stop.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Member, Path, Result};
use mainsheet_core::OperationId;
use mainsheet_store::operations::progress;
use mainsheet_store::retry_races;

use super::{relations, visible};
use crate::provisioned::Accepted;
use crate::view::operation::OperationView;

/// Cancel an operation
///
/// For those who may manage the thing that it is about. It stops at the next point at which that is safe: `cancelled` is its end
/// then, and its thing is `failed`, or as before an update. One that ends before that is not cancelled. Asking again changes
/// nothing.
#[utoipa::path(
    delete, path = "/operations/{operationId}", operation_id = "cancelOperation", tag = "operations",
    params(("operationId" = OperationId, Path, description = "The operation.")),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Member(caller): Member,
    Path(id): Path<OperationId>,
) -> Result<Accepted> {
    let view = retry_races(|| async {
        let row = visible(&app, &caller, &id).await.map_err(|problem| problem.0)?;
        let (_, manage) = relations(row.value.resource.kind());
        caller.require(manage)?;
        let change = app.store.change(caller.audit("operation.cancel", &id));
        let mut operation = row.value.clone();
        operation.request_cancellation(change.now())?;
        if operation != row.value {
            change.request_cancellation(&row, &operation).commit().await?;
        }
        Ok(OperationView::with(caller.tenant(), &operation, progress(&row)))
    });
    Ok((StatusCode::ACCEPTED, Json(view.await?)))
}
