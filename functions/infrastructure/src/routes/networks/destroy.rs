//! `DELETE /infra/connections/{connection}/networks/{network}`: tear a network down.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageNetworks;
use mainsheet_core::network::Network;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::{ConnectionId, NetworkId};

use super::NetworkPath;
use crate::provisioned::{Accepted, Start};
use crate::view::operation::OperationView;

/// Destroy a network
///
/// Its clusters and catalogs have to be destroyed before. Its record stays.
#[utoipa::path(
    delete, path = "/infra/connections/{connection}/networks/{network}", operation_id = "destroyNetwork", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("network" = NetworkId, Path, description = "The network.")),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageNetworks")))
)]
pub(crate) async fn destroy(
    State(app): State<App>,
    caller: Permitted<CanManageNetworks>,
    Path(path): Path<NetworkPath>,
) -> Result<Accepted> {
    let start = Start::<Network> {
        connection: &path.connection,
        id: &path.network,
        kind: OperationKind::NetworkDestroy,
        idempotent: None,
    };
    start.answer(&app, &caller, |_| Ok(())).await
}
