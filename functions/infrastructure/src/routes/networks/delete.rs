//! `DELETE /infra/networks/{network}`: erase the record of a network that is not there.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageNetworks;
use mainsheet_core::NetworkId;
use mainsheet_core::network::Network;

use crate::provisioned::delete_record;

/// Delete a network's record
///
/// Of a network that is `pending` or `destroyed`. Parts of any other one may be in the account: destroy it first.
#[utoipa::path(
    delete, path = "/infra/networks/{network}", operation_id = "deleteNetworkRecord", tag = "networks",
    params(("network" = NetworkId, Path, description = "The network."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageNetworks")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageNetworks>,
    Path(network): Path<NetworkId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    delete_record::<Network>(&app, &caller, &network, &if_match, "network.delete").await
}
