//! `/agent/*`: the protocol of cluster agents (`mainsheet_core::agent_protocol`).

mod held;
mod routes;
mod source;

use axum::Extension;
use mainsheet_api::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{events, heartbeat, lease, logs, register, results};

/// What happens to a request for work when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It is held open for as long as it asks, for one process that serves all.
    Held,
    /// It is answered at once, for functions: their time is paid for while they wait.
    Polled,
}

/// The routes of this function, where waiting costs nothing.
pub fn router(app: App) -> OpenApiRouter {
    router_with(app, Waiting::Held)
}

/// The routes of this function.
pub fn router_with(app: App, waiting: Waiting) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(lease::lease))
        .routes(routes!(events::events))
        .routes(routes!(logs::logs))
        .routes(routes!(results::results))
        .layer(Extension(waiting))
        .with_state(app)
}
