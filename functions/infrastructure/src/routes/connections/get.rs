//! `GET /infra/connections/{connection}`: one cloud account.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanViewConnections;
use mainsheet_core::ConnectionId;

use crate::view::connection::ConnectionView;

/// Show a connection
#[utoipa::path(
    get, path = "/infra/connections/{connection}", operation_id = "getConnection", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    responses((status = 200, description = "The connection.", body = ConnectionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewConnections")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanViewConnections>,
    Path(connection): Path<ConnectionId>,
) -> Result<Tagged<ConnectionView>> {
    let row = app.store.connection(caller.tenant(), &connection).await?;
    Ok(Tagged { body: ConnectionView::from(&row), version: row.version })
}
