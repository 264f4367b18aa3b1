//! `GET /infra/networks`: all networks of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanViewNetworks;
use mainsheet_core::network::Network;
use mainsheet_store::provisioned::{Pointed, Pointers};
use mainsheet_store::{Page, Row};
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::connection::ConnectionView;
use crate::view::network::NetworkView;
use crate::view::operation::OperationView;
use crate::view::provisioned_cluster::ProvisionedClusterView;

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NetworkIncluded {
    networks: Vec<NetworkView>,
    connections: Vec<ConnectionView>,
    /// Left empty in lists.
    clusters: Vec<ProvisionedClusterView>,
    /// Of one network the latest, in lists those that are under way.
    operations: Vec<OperationView>,
}

/// Some of the networks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NetworkPage {
    items: Vec<NetworkView>,
    included: NetworkIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl NetworkPage {
    /// A page with what its networks point at: one round trip more.
    pub(crate) async fn of(app: &App, caller: &Caller, page: Page<Row<Network>>) -> Result<Self> {
        let pointed = app.store.pointed(caller.tenant(), &Pointers::of_live(&page.rows)).await?;
        let items: Vec<NetworkView> = page.rows.iter().map(|row| NetworkView::from(&row.value)).collect();
        let included = NetworkIncluded::of(caller, items.clone(), &pointed);
        Ok(Self { items, included, marker: page.marker })
    }
}

impl NetworkIncluded {
    pub(crate) fn of(caller: &Caller, networks: Vec<NetworkView>, pointed: &Pointed) -> Self {
        Self {
            networks,
            connections: pointed.connections.iter().map(ConnectionView::from).collect(),
            clusters: pointed.clusters.iter().map(|row| ProvisionedClusterView::from(&row.value)).collect(),
            operations: pointed.operations.iter().map(|row| OperationView::of(caller.tenant(), row)).collect(),
        }
    }
}

/// List networks
///
/// Over all connections, oldest first.
#[utoipa::path(
    get, path = "/infra/networks", operation_id = "listNetworks", tag = "networks",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the networks.", body = NetworkPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewNetworks")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewNetworks>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<NetworkPage>> {
    let page = app.store.provisioned_page(caller.tenant(), None, &query.request()).await?;
    Ok(Json(NetworkPage::of(&app, &caller, page).await?))
}
