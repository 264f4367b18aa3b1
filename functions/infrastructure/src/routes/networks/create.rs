//! `POST /infra/connections/{connection}/networks`: describe a network.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageNetworks;
use mainsheet_core::network::{Network, NetworkConfig};
use mainsheet_core::provisioning::Provisioning;
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, NetworkId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::provisioned::{ConnectionPath, require_same};
use crate::view::network::NetworkView;

/// A new network.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NetworkCreate {
    /// The path's, where it is given.
    #[garde(skip)]
    connection_id: Option<ConnectionId>,
    /// For people; several networks may have the same.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("prod-network"))]
    name: String,
    /// Where it is to be.
    #[garde(skip)]
    region: Region,
    /// What it is to be made of.
    #[garde(dive)]
    config: NetworkConfig,
}

/// Create a network
///
/// The connection has to be active. Nothing is built before the network is provisioned.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/networks", operation_id = "createNetwork", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    request_body = NetworkCreate,
    responses((status = 201, description = "The new network, `pending`.", body = NetworkView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageNetworks")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageNetworks>,
    Path(path): Path<ConnectionPath>,
    Command { body, idempotent }: Command<NetworkCreate>,
) -> Result<(StatusCode, Tagged<NetworkView>)> {
    if let Some(earlier) = idempotent.earlier::<NetworkId>()? {
        let row = app.store.provisioned_in::<Network>(caller.tenant(), &path.connection, &earlier).await?;
        return Ok(created(NetworkView::from(&row.value), row.version));
    }
    require_same(&path.connection, body.connection_id.as_ref())?;
    app.store.connection(caller.tenant(), &path.connection).await?.value.require_active()?;
    let change = app.store.change(caller.audit("network.create", &body.name));
    let now = change.now();
    let network = Network {
        id: NetworkId::generate(now),
        connection_id: path.connection,
        name: body.name,
        region: body.region,
        config: body.config,
        provider_network_id: None,
        provisioning: Provisioning::pending(caller.member_id(), now),
    };
    change
        .create_provisioned(caller.tenant(), &network)
        .idempotent(idempotent.request(), network.id.as_str())
        .commit()
        .await?;
    Ok(created(NetworkView::from(&network), 1))
}
