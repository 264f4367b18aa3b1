//! `GET /infra/connections/{connection}/networks/{network}`: one network with its clusters and its latest operation.

use axum::extract::State;
use futures::future::try_join;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanViewNetworks;
use mainsheet_core::network::Network;
use mainsheet_core::{ConnectionId, NetworkId};
use mainsheet_store::provisioned::Pointers;
use serde::Serialize;
use utoipa::ToSchema;

use super::NetworkPath;
use super::list::NetworkIncluded;
use crate::view::ConnectionScopedItem;
use crate::view::network::NetworkView;

/// One network.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NetworkDetail {
    item: ConnectionScopedItem,
    included: NetworkIncluded,
}

/// Show a network
#[utoipa::path(
    get, path = "/infra/connections/{connection}/networks/{network}", operation_id = "getNetwork", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("network" = NetworkId, Path, description = "The network.")),
    responses((status = 200, description = "The network.", body = NetworkDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewNetworks")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanViewNetworks>,
    Path(path): Path<NetworkPath>,
) -> Result<Tagged<NetworkDetail>> {
    let tenant = caller.tenant();
    let row = app.store.provisioned_in::<Network>(tenant, &path.connection, &path.network).await?;
    let pointers = Pointers::of_latest(&row.value);
    let (mut pointed, clusters) =
        try_join(app.store.pointed(tenant, &pointers), app.store.clusters_in_network(tenant, &row.value)).await?;
    pointed.clusters = clusters;
    let item = ConnectionScopedItem { id: path.network.to_string(), connection_id: path.connection };
    let included = NetworkIncluded::of(&caller, vec![NetworkView::from(&row.value)], &pointed);
    Ok(Tagged { body: NetworkDetail { item, included }, version: row.version })
}
