//! `POST /infra/connections/{connection}/networks/{network}/preflight`: whether the account would let a network be built.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Action, App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageNetworks;
use mainsheet_core::network::Network;
use mainsheet_core::{ConnectionId, NetworkId};

use super::NetworkPath;
use crate::cloud::Cloud;
use crate::preflight::{self, Preflight, Wanted};

/// Look whether a network could be built
///
/// Asks the account, and makes nothing. The connection has to be active.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/networks/{network}/preflight", operation_id = "preflightNetwork", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("network" = NetworkId, Path, description = "The network.")),
    responses((status = 200, description = "What was found.", body = Preflight)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageNetworks")))
)]
pub(crate) async fn preflight(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanManageNetworks>,
    Path(path): Path<NetworkPath>,
    Action(idempotent): Action,
) -> Result<Json<Preflight>> {
    let tenant = caller.tenant();
    let (row, connection) =
        app.store.provisioned_with_connection::<Network>(tenant, &path.connection, &path.network).await?;
    let wanted = Wanted::Network(row.value.config.cidr);
    let found = preflight::look(&cloud, &caller, &connection.value, &row.value.region, &wanted).await?;
    // Sent again, it looks again: what it remembers is that the key belongs to this request.
    if idempotent.earlier::<NetworkId>()?.is_none() {
        app.store
            .change(caller.audit("network.preflight", &path.network))
            .note_connection_use(tenant, &path.connection)
            .idempotent(idempotent.request(), path.network.as_str())
            .commit()
            .await?;
    }
    Ok(Json(found))
}
