//! `GET /infra/connections/{connection}/networks/{network}/plan`: what provisioning a network makes, and what that costs.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanViewNetworks;
use mainsheet_core::network::Network;
use mainsheet_core::{ConnectionId, NetworkId};

use super::NetworkPath;
use crate::plan::{self, Plan};

/// Show a network's plan
///
/// Of a `pending` network. Nothing is asked of the account: `preflight` does that.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/networks/{network}/plan", operation_id = "planNetwork", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("network" = NetworkId, Path, description = "The network.")),
    responses((status = 200, description = "The plan.", body = Plan)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewNetworks")))
)]
pub(crate) async fn plan(
    State(app): State<App>,
    caller: Permitted<CanViewNetworks>,
    Path(path): Path<NetworkPath>,
) -> Result<Json<Plan>> {
    let row = app.store.provisioned_in::<Network>(caller.tenant(), &path.connection, &path.network).await?;
    plan::require_pending(&row.value)?;
    Ok(Json(plan::of_network(&row.value)))
}
