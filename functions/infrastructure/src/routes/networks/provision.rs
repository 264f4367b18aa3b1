//! `POST /infra/connections/{connection}/networks/{network}/provision`: build a network.

use axum::extract::State;
use mainsheet_api::{App, Command, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageNetworks;
use mainsheet_core::network::Network;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::{ConnectionId, NetworkId};

use super::NetworkPath;
use crate::plan::{self, ProvisionRequest};
use crate::provisioned::{Accepted, Start};
use crate::view::operation::OperationView;

/// Provision a network
///
/// Answers at once; `GET /operations/{operationId}` tells how far it is. With `planHash` it is refused when the plan has changed.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/networks/{network}/provision", operation_id = "provisionNetwork", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("network" = NetworkId, Path, description = "The network.")),
    request_body(content = ProvisionRequest, description = "May be absent."),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageNetworks")))
)]
pub(crate) async fn provision(
    State(app): State<App>,
    caller: Permitted<CanManageNetworks>,
    Path(path): Path<NetworkPath>,
    Command { body, idempotent }: Command<ProvisionRequest>,
) -> Result<Accepted> {
    let start = Start::<Network> {
        connection: &path.connection,
        id: &path.network,
        kind: OperationKind::NetworkProvision,
        idempotent: Some(&idempotent),
    };
    start.answer(&app, &caller, |network| body.require_current(&plan::of_network(network))).await
}
