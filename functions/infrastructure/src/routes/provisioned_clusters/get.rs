//! `GET /infra/clusters/{cluster}`: one provisioned cluster with its connection and its latest operation.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::ClusterId;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_store::Row;
use mainsheet_store::provisioned::Pointers;
use serde::Serialize;
use utoipa::ToSchema;

use super::list::{ProvisionedClusterIncluded, item};
use crate::view::ConnectionScopedItem;
use crate::view::provisioned_cluster::ProvisionedClusterView;

/// One cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProvisionedClusterDetail {
    item: ConnectionScopedItem,
    included: ProvisionedClusterIncluded,
}

impl ProvisionedClusterDetail {
    /// A cluster with what it points at: one round trip more.
    pub(crate) async fn of(app: &App, caller: &Caller, row: &Row<ProvisionedCluster>) -> Result<Tagged<Self>> {
        let pointed = app.store.pointed(caller.tenant(), &Pointers::of_latest(&row.value)).await?;
        let clusters = vec![ProvisionedClusterView::from(&row.value)];
        let included = ProvisionedClusterIncluded::of(caller, clusters, &pointed);
        Ok(Tagged { body: Self { item: item(&row.value), included }, version: row.version })
    }
}

/// Show a provisioned cluster
#[utoipa::path(
    get, path = "/infra/clusters/{cluster}", operation_id = "getProvisionedCluster", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "The cluster.", body = ProvisionedClusterDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Path(cluster): Path<ClusterId>,
) -> Result<Tagged<ProvisionedClusterDetail>> {
    let row = app.store.provisioned(caller.tenant(), &cluster).await?;
    ProvisionedClusterDetail::of(&app, &caller, &row).await
}
