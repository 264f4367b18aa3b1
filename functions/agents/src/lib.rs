//! `/agent/*`: the protocol of cluster agents (`mainsheet_core::agent_protocol`).

mod held;
mod routes;
mod source;

use mainsheet_api::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{events, heartbeat, lease, logs, register, results};

/// The routes of this function.
pub fn router(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(lease::lease))
        .routes(routes!(events::events))
        .routes(routes!(logs::logs))
        .routes(routes!(results::results))
        .with_state(app)
}
