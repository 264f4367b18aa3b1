//! `DELETE /infra/clusters/{cluster}`: erase the record of a cluster that is not there.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::ClusterId;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;

use crate::provisioned::delete_record;

/// Delete a cluster's record
///
/// Of a cluster that is `pending` or `destroyed`. Parts of any other one may be in the account: destroy it first.
#[utoipa::path(
    delete, path = "/infra/clusters/{cluster}", operation_id = "deleteProvisionedClusterRecord", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(cluster): Path<ClusterId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    delete_record::<ProvisionedCluster>(&app, &caller, &cluster, &if_match, "cluster.delete").await
}
