//! `PATCH /infra/connections/{connection}/networks/{network}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::needs::CanManageNetworks;
use mainsheet_core::network::{Network, NetworkConfig};
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::{ConnectionId, Error, NetworkId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::NetworkPath;
use crate::view::network::NetworkView;

/// What to change of a network. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NetworkUpdate {
    /// For people.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Its addresses can be changed while it is `pending`.
    #[garde(dive)]
    config: Option<NetworkConfig>,
}

/// Change a network
#[utoipa::path(
    patch, path = "/infra/connections/{connection}/networks/{network}", operation_id = "updateNetwork", tag = "networks",
    params(
        ("connection" = ConnectionId, Path, description = "The connection."),
        ("network" = NetworkId, Path, description = "The network."),
        ("If-Match" = Option<String>, Header, description = "The version to change."),
    ),
    request_body = NetworkUpdate,
    responses((status = 200, description = "The changed network.", body = NetworkView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageNetworks")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Permitted<CanManageNetworks>,
    Path(path): Path<NetworkPath>,
    if_match: IfMatch,
    Body(body): Body<NetworkUpdate>,
) -> Result<Tagged<NetworkView>> {
    let row = app.store.provisioned_in::<Network>(caller.tenant(), &path.connection, &path.network).await?;
    if_match.check(row.version)?;
    let change = app.store.change(caller.audit("network.update", &path.network));
    let mut network = row.value.clone();
    if let Some(config) = body.config.filter(|config| *config != network.config) {
        if network.provisioning.status != ProvisioningStatus::Pending {
            let message = "The addresses of a network that was provisioned cannot be changed. Make another network.";
            return Err(Error::conflict("not_pending", message).into());
        }
        network.config = config;
    }
    network.name = body.name.unwrap_or(network.name);
    network.provisioning.updated_at = change.now();
    network.provisioning.updated_by = caller.member_id().clone();
    change.replace_provisioned(&row, &network).commit().await?;
    Ok(Tagged { body: NetworkView::from(&network), version: row.version + 1 })
}
