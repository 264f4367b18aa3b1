//! `GET /infra/clusters`: all provisioned clusters of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_store::provisioned::{Pointed, Pointers};
use mainsheet_store::{Page, Row};
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::ConnectionScopedItem;
use crate::view::connection::ConnectionView;
use crate::view::operation::OperationView;
use crate::view::provisioned_cluster::ProvisionedClusterView;

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProvisionedClusterIncluded {
    clusters: Vec<ProvisionedClusterView>,
    connections: Vec<ConnectionView>,
    /// Of one cluster the latest, in lists those that are under way.
    operations: Vec<OperationView>,
}

/// Some of the clusters.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProvisionedClusterPage {
    items: Vec<ConnectionScopedItem>,
    included: ProvisionedClusterIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl ProvisionedClusterPage {
    /// A page with what its clusters point at: one round trip more.
    pub(crate) async fn of(app: &App, caller: &Caller, page: Page<Row<ProvisionedCluster>>) -> Result<Self> {
        let pointed = app.store.pointed(caller.tenant(), &Pointers::of_live(&page.rows)).await?;
        let items = page.rows.iter().map(|row| item(&row.value)).collect();
        let clusters = page.rows.iter().map(|row| ProvisionedClusterView::from(&row.value)).collect();
        let included = ProvisionedClusterIncluded::of(caller, clusters, &pointed);
        Ok(Self { items, included, marker: page.marker })
    }
}

impl ProvisionedClusterIncluded {
    pub(crate) fn of(caller: &Caller, clusters: Vec<ProvisionedClusterView>, pointed: &Pointed) -> Self {
        Self {
            clusters,
            connections: pointed.connections.iter().map(ConnectionView::from).collect(),
            operations: pointed.operations.iter().map(|row| OperationView::of(caller.tenant(), row)).collect(),
        }
    }
}

/// A cluster's place in an answer.
pub(crate) fn item(cluster: &ProvisionedCluster) -> ConnectionScopedItem {
    ConnectionScopedItem { id: cluster.id.to_string(), connection_id: cluster.connection_id.clone() }
}

/// List provisioned clusters
///
/// Over all connections, oldest first.
#[utoipa::path(
    get, path = "/infra/clusters", operation_id = "listProvisionedClusters", tag = "clusters",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the clusters.", body = ProvisionedClusterPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<ProvisionedClusterPage>> {
    let page = app.store.provisioned_page(caller.tenant(), None, &query.request()).await?;
    Ok(Json(ProvisionedClusterPage::of(&app, &caller, page).await?))
}
