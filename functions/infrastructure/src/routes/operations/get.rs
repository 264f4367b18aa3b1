//! `GET /operations/{operationId}`: how far an operation is.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, Path, Result};
use mainsheet_core::OperationId;

use super::visible;
use crate::view::operation::OperationView;

/// Show an operation
///
/// For those who may view the thing that it is about. Ask again while it is `pending` or `running`.
#[utoipa::path(
    get, path = "/operations/{operationId}", operation_id = "getOperation", tag = "operations",
    params(("operationId" = OperationId, Path, description = "The operation.")),
    responses((status = 200, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Member(caller): Member,
    Path(operation): Path<OperationId>,
) -> Result<Json<OperationView>> {
    let row = visible(&app, &caller, &operation).await?;
    Ok(Json(OperationView::of(caller.tenant(), &row)))
}
