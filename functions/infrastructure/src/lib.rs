//! Clusters: registering them, sharing them with teams, seeing the ones within reach.

mod routes;
mod view;

use axum::extract::FromRef;
use mainsheet_api::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{cluster_teams, clusters, my_clusters};

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct InfrastructureState {
    /// What every handler can reach.
    pub app: App,
    /// Who serves the region `local`.
    pub local_region: LocalRegion,
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

/// The routes of this function.
pub fn router(state: InfrastructureState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(clusters::create::create))
        .routes(routes!(clusters::retire::retire))
        .routes(routes!(cluster_teams::list::list, cluster_teams::add::add))
        .routes(routes!(cluster_teams::remove::remove))
        .routes(routes!(my_clusters::list::list))
        .routes(routes!(my_clusters::get::get))
        .with_state(state)
}
