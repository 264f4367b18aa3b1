//! `/org/*`: the organization and its teams.

mod routes;

use mainsheet_api::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{organization, teams};

/// The routes of this function.
pub fn router(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(organization::get::get, organization::update::update))
        .routes(routes!(teams::list::list, teams::create::create))
        .routes(routes!(teams::get::get))
        .with_state(app)
}
