//! `/workloads/*`: saved queries, catalogs, jobs and their runs; `/me/*`: those that the caller reaches.

mod access;
mod catalog_view;
mod routes;
mod sharing;
mod versions;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use mainsheet_api::{App, Document, Routes, routes};
use mainsheet_auth::sealed::Sealer;

use routes::{
    catalog_teams, catalogs, clusters, job_drafts, job_runs, job_teams, job_versions, jobs, my, queries, query_teams,
    teams,
};

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

/// Answers this function's routes.
pub fn router(state: WorkloadsState) -> Router {
    routes(Router::new()).with_state(state)
}

/// What the OpenAPI document says of them.
#[must_use]
pub fn document() -> Document {
    routes(Document::default())
}

fn routes<R: Routes<WorkloadsState>>(routes: R) -> R {
    routes
        .routes(routes!(catalogs::list::list, catalogs::create::create))
        .routes(routes!(catalogs::get::get, catalogs::update::update, catalogs::delete::delete))
        .routes(routes!(catalogs::queries::queries))
        .routes(routes!(catalogs::mine::mine))
        .routes(routes!(catalogs::of_team::of_team))
        .routes(routes!(catalog_teams::list::list, catalog_teams::add::add))
        .routes(routes!(catalog_teams::remove::remove))
        .routes(routes!(queries::list::list, queries::create::create))
        .routes(routes!(queries::get::get, queries::update::update, queries::delete::delete))
        .routes(routes!(query_teams::list::list, query_teams::add::add))
        .routes(routes!(query_teams::remove::remove))
        .routes(routes!(my::jobs::list))
        .routes(routes!(my::job_runs::list))
        .routes(routes!(my::queries::list))
        .routes(routes!(teams::jobs::list))
        .routes(routes!(teams::queries::list))
        .routes(routes!(clusters::jobs::list))
        .routes(routes!(jobs::list::list, jobs::create::create))
        .routes(routes!(jobs::get::get, jobs::update::update, jobs::delete::delete))
        .routes(routes!(jobs::export::export))
        .routes(routes!(jobs::schedule::schedule))
        .routes(routes!(jobs::apply::apply))
        .routes(routes!(jobs::ticks::list))
        .routes(routes!(
            job_drafts::get::get,
            job_drafts::create::create,
            job_drafts::update::update,
            job_drafts::discard::discard
        ))
        .routes(routes!(job_drafts::publish::publish))
        .routes(routes!(job_versions::list::list, job_versions::create::create))
        .routes(routes!(job_versions::get::get))
        .routes(routes!(job_versions::activate::activate))
        .routes(routes!(job_teams::list::list, job_teams::add::add))
        .routes(routes!(job_teams::remove::remove))
        .routes(routes!(job_runs::list::list, job_runs::create::create))
        .routes(routes!(job_runs::get::get, job_runs::delete::delete))
        .routes(routes!(job_runs::retry::retry))
        .routes(routes!(job_runs::cancel::cancel))
        .routes(routes!(job_runs::release::release))
        .routes(routes!(job_runs::blockers::blockers))
        .routes(routes!(job_runs::logs::logs))
        .routes(routes!(job_runs::results::results))
}
