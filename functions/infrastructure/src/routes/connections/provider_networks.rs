//! `GET /infra/connections/{connection}/provider-networks`: the networks that are in an account, whoever made them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewConnections;
use mainsheet_cloud::account::ProviderNetwork;
use mainsheet_core::ConnectionId;
use mainsheet_core::connection::CloudProvider;
use mainsheet_core::region::Region;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cloud::{Cloud, in_time, refused};

/// Where to look.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RegionQuery {
    /// The connection's region unless given.
    #[garde(skip)]
    #[param(value_type = Option<String>)]
    region: Option<Region>,
}

/// The networks of an account in a region.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderNetworkList {
    items: Vec<ProviderNetworkView>,
}

/// A network that is in an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderNetwork)]
pub(crate) struct ProviderNetworkView {
    provider: CloudProvider,
    #[schema(examples("vpc-0123456789abcdef0"))]
    vpc_id: String,
    #[schema(examples("10.0.0.0/16"))]
    cidr: String,
    /// Its tag `Name`.
    name: String,
    /// In how many zones it has subnets.
    az_count: u32,
    #[schema(examples("available"))]
    state: String,
    tags: BTreeMap<String, String>,
}

impl From<ProviderNetwork> for ProviderNetworkView {
    fn from(network: ProviderNetwork) -> Self {
        Self {
            provider: CloudProvider::Aws,
            vpc_id: network.id,
            cidr: network.cidr,
            name: network.name,
            az_count: network.zones,
            state: network.state,
            tags: network.tags,
        }
    }
}

/// List the networks of an account
///
/// Those of one region. The connection has to be active.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/provider-networks", operation_id = "listProviderNetworks", tag = "networks",
    params(("connection" = ConnectionId, Path, description = "The connection."), RegionQuery),
    responses((status = 200, description = "The networks.", body = ProviderNetworkList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewConnections")))
)]
pub(crate) async fn provider_networks(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanViewConnections>,
    Path(connection): Path<ConnectionId>,
    Query(query): Query<RegionQuery>,
) -> Result<Json<ProviderNetworkList>> {
    let connection = app.store.connection(caller.tenant(), &connection).await?.value;
    let look = async {
        let account = cloud.enter(&caller, &connection, query.region.as_ref()).await?;
        account.provider_networks().await.map_err(refused)
    };
    let networks = in_time(look).await?;
    Ok(Json(ProviderNetworkList { items: networks.into_iter().map(Into::into).collect() }))
}
