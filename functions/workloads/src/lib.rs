//! `/workloads/*`: saved queries, jobs and their runs.

mod access;
mod routes;
mod view;

use mainsheet_api::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{job_runs, jobs, queries};

/// The routes of this function.
pub fn router(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
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
        .with_state(app)
}
