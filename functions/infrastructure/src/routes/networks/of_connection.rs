//! `GET /infra/connections/{connection}/networks`: the networks of one connection.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewNetworks;
use mainsheet_core::ConnectionId;

use super::list::NetworkPage;
use crate::provisioned::{ConnectionPath, page_in};

/// List the networks of a connection
///
/// By name.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/networks", operation_id = "listConnectionNetworks", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), MarkerQuery),
    responses((status = 200, description = "Some of the networks.", body = NetworkPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewNetworks")))
)]
pub(crate) async fn of_connection(
    State(app): State<App>,
    caller: Permitted<CanViewNetworks>,
    Path(path): Path<ConnectionPath>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<NetworkPage>> {
    let page = page_in(&app, &caller, &path.connection, &query).await?;
    Ok(Json(NetworkPage::of(&app, &caller, page).await?))
}
