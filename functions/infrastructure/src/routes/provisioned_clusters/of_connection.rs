//! `GET /infra/connections/{connection}/clusters`: the provisioned clusters of one connection.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::ConnectionId;

use super::list::ProvisionedClusterPage;
use crate::provisioned::{ConnectionPath, page_in};

/// List the clusters of a connection
///
/// By name.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/clusters", operation_id = "listConnectionClusters", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), MarkerQuery),
    responses((status = 200, description = "Some of the clusters.", body = ProvisionedClusterPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn of_connection(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Path(path): Path<ConnectionPath>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<ProvisionedClusterPage>> {
    let page = page_in(&app, &caller, &path.connection, &query).await?;
    Ok(Json(ProvisionedClusterPage::of(&app, &caller, page).await?))
}
