//! `/workloads/*`: saved queries, catalogs, jobs and their runs.

mod access;
mod catalog_view;
mod routes;
mod view;

use std::sync::Arc;

use axum::extract::FromRef;
use mainsheet_api::App;
use mainsheet_auth::sealed::Sealer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{catalog_teams, catalogs, job_runs, jobs, queries};

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct WorkloadsState {
    /// What every handler can reach.
    pub app: App,
    /// Seals what catalogs are opened with.
    pub sealer: Arc<Sealer>,
}

impl FromRef<WorkloadsState> for App {
    fn from_ref(state: &WorkloadsState) -> Self {
        state.app.clone()
    }
}

impl FromRef<WorkloadsState> for Arc<Sealer> {
    fn from_ref(state: &WorkloadsState) -> Self {
        Self::clone(&state.sealer)
    }
}

/// The routes of this function.
pub fn router(state: WorkloadsState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(catalogs::list::list, catalogs::create::create))
        .routes(routes!(catalogs::get::get, catalogs::update::update, catalogs::delete::delete))
        .routes(routes!(catalogs::queries::queries))
        .routes(routes!(catalogs::mine::mine))
        .routes(routes!(catalogs::of_team::of_team))
        .routes(routes!(catalog_teams::list::list, catalog_teams::add::add))
        .routes(routes!(catalog_teams::remove::remove))
        .routes(routes!(queries::list::list, queries::create::create))
        .routes(routes!(queries::get::get, queries::update::update, queries::delete::delete))
        .routes(routes!(jobs::list::list, jobs::create::create))
        .routes(routes!(jobs::get::get, jobs::delete::delete))
        .routes(routes!(job_runs::list::list, job_runs::create::create))
        .routes(routes!(job_runs::get::get))
        .routes(routes!(job_runs::cancel::cancel))
        .routes(routes!(job_runs::release::release))
        .routes(routes!(job_runs::logs::logs))
        .routes(routes!(job_runs::results::results))
        .with_state(state)
}
