//! Cloud accounts and what is built in them; clusters: registering them, sharing them with teams, seeing the ones within reach.

mod cloud;
mod plan;
mod preflight;
mod provisioned;
mod routes;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use mainsheet_api::{App, Document, Routes, routes};
use mainsheet_auth::sealed::Sealer;

pub use cloud::{Cloud, LOOK};
use routes::{
    cluster_teams, clusters, connections, my_clusters, networks, operations, provisioned_catalogs, provisioned_clusters,
};

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct InfrastructureState {
    /// What every handler can reach.
    pub app: App,
    /// Who serves the region `local`.
    pub local_region: LocalRegion,
    /// The way into customers' accounts.
    pub cloud: Cloud,
}

/// Who serves clusters of the region `local`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalRegion {
    /// The platform's built-in agent, from the start: the embedded platform. It is the region of clusters that name none.
    BuiltInAgent,
    /// Nobody: there is no such region.
    Absent,
}

impl FromRef<InfrastructureState> for App {
    fn from_ref(state: &InfrastructureState) -> Self {
        state.app.clone()
    }
}

impl FromRef<InfrastructureState> for LocalRegion {
    fn from_ref(state: &InfrastructureState) -> Self {
        state.local_region
    }
}

impl FromRef<InfrastructureState> for Arc<Sealer> {
    fn from_ref(state: &InfrastructureState) -> Self {
        Self::clone(&state.cloud.sealer)
    }
}

impl FromRef<InfrastructureState> for Cloud {
    fn from_ref(state: &InfrastructureState) -> Self {
        state.cloud.clone()
    }
}

/// Answers this function's routes.
pub fn router(state: InfrastructureState) -> Router {
    routes(Router::new()).with_state(state)
}

/// What the OpenAPI document says of them.
#[must_use]
pub fn document() -> Document {
    routes(Document::default())
}

fn routes<R: Routes<InfrastructureState>>(routes: R) -> R {
    let routes = cluster_routes(routes);
    let routes = connection_routes(routes);
    let routes = network_routes(routes);
    let routes = provisioned_cluster_routes(routes);
    let routes = provisioned_catalog_routes(routes);
    routes.routes(routes!(operations::get::get, operations::cancel::cancel))
}

fn cluster_routes<R: Routes<InfrastructureState>>(routes: R) -> R {
    routes
        .routes(routes!(clusters::create::create))
        .routes(routes!(clusters::retire::retire))
        .routes(routes!(cluster_teams::list::list, cluster_teams::add::add))
        .routes(routes!(cluster_teams::remove::remove))
        .routes(routes!(my_clusters::list::list))
        .routes(routes!(my_clusters::get::get))
}

fn connection_routes<R: Routes<InfrastructureState>>(routes: R) -> R {
    routes
        .routes(routes!(connections::list::list, connections::create::create))
        .routes(routes!(connections::get::get, connections::update::update, connections::delete::delete))
        .routes(routes!(connections::sync_template::sync_template))
        .routes(routes!(connections::template::template))
        .routes(routes!(connections::download::download))
        .routes(routes!(connections::verify::verify))
        .routes(routes!(connections::regions::regions))
        .routes(routes!(connections::instance_types::instance_types))
        .routes(routes!(connections::provider_networks::provider_networks))
        .routes(routes!(connections::orphans::orphans))
}

fn network_routes<R: Routes<InfrastructureState>>(routes: R) -> R {
    routes
        .routes(routes!(networks::list::list))
        .routes(routes!(networks::delete::delete))
        .routes(routes!(networks::of_connection::of_connection, networks::create::create))
        .routes(routes!(networks::get::get, networks::update::update, networks::destroy::destroy))
        .routes(routes!(networks::plan::plan))
        .routes(routes!(networks::preflight::preflight))
        .routes(routes!(networks::provision::provision))
}

fn provisioned_cluster_routes<R: Routes<InfrastructureState>>(routes: R) -> R {
    routes
        .routes(routes!(provisioned_clusters::list::list))
        .routes(routes!(provisioned_clusters::get::get, provisioned_clusters::delete::delete))
        .routes(routes!(provisioned_clusters::of_connection::of_connection, provisioned_clusters::create::create))
        .routes(routes!(
            provisioned_clusters::get_in_connection::get_in_connection,
            provisioned_clusters::update::update,
            provisioned_clusters::destroy::destroy
        ))
        .routes(routes!(provisioned_clusters::health::health))
        .routes(routes!(provisioned_clusters::kubeconfig::kubeconfig))
        .routes(routes!(provisioned_clusters::metrics::metrics))
        .routes(routes!(provisioned_clusters::plan::plan))
        .routes(routes!(provisioned_clusters::preflight::preflight))
        .routes(routes!(provisioned_clusters::provision::provision))
}

fn provisioned_catalog_routes<R: Routes<InfrastructureState>>(routes: R) -> R {
    routes
        .routes(routes!(provisioned_catalogs::list::list))
        .routes(routes!(provisioned_catalogs::delete::delete))
        .routes(routes!(provisioned_catalogs::of_connection::of_connection, provisioned_catalogs::create::create))
        .routes(routes!(
            provisioned_catalogs::get::get,
            provisioned_catalogs::update::update,
            provisioned_catalogs::destroy::destroy
        ))
        .routes(routes!(provisioned_catalogs::plan::plan))
        .routes(routes!(provisioned_catalogs::preflight::preflight))
        .routes(routes!(provisioned_catalogs::provision::provision))
}
