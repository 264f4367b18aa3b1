//! `GET /infra/connections/{connection}/regions`: where networks and clusters can be.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanViewConnections;
use mainsheet_cloud::account::CloudRegion;
use mainsheet_core::ConnectionId;
use mainsheet_core::connection::CloudProvider;
use mainsheet_core::region::Region;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cloud::{Cloud, in_time, refused};

/// The regions of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RegionList {
    items: Vec<RegionView>,
}

/// A region.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Region)]
pub(crate) struct RegionView {
    provider: CloudProvider,
    #[schema(examples("us-east-1"))]
    region_code: Region,
    #[schema(examples("US East (N. Virginia)"))]
    region_name: String,
    /// The part of the world.
    group: String,
}

impl From<CloudRegion> for RegionView {
    fn from(region: CloudRegion) -> Self {
        Self { provider: CloudProvider::Aws, region_code: region.code, region_name: region.name, group: region.group }
    }
}

/// List the regions of a connection
///
/// Those that its account has enabled. The connection has to be active.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/regions", operation_id = "listRegions", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    responses((status = 200, description = "The regions.", body = RegionList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewConnections")))
)]
pub(crate) async fn regions(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanViewConnections>,
    Path(connection): Path<ConnectionId>,
) -> Result<Json<RegionList>> {
    let connection = app.store.connection(caller.tenant(), &connection).await?.value;
    let look = async { cloud.enter(&caller, &connection, None).await?.regions().await.map_err(refused) };
    let regions = in_time(look).await?;
    Ok(Json(RegionList { items: regions.into_iter().map(Into::into).collect() }))
}
