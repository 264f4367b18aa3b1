//! `GET /infra/connections/{connection}/clusters/{cluster}`: one provisioned cluster of a connection.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::{ClusterId, ConnectionId};

use super::ClusterPath;
use super::get::ProvisionedClusterDetail;

/// Show a cluster of a connection
#[utoipa::path(
    get, path = "/infra/connections/{connection}/clusters/{cluster}", operation_id = "getConnectionCluster", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "The cluster.", body = ProvisionedClusterDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn get_in_connection(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Path(path): Path<ClusterPath>,
) -> Result<Tagged<ProvisionedClusterDetail>> {
    let row = app.store.provisioned_in(caller.tenant(), &path.connection, &path.cluster).await?;
    ProvisionedClusterDetail::of(&app, &caller, &row).await
}
