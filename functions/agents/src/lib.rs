//! `/agent/*`: the protocol of cluster agents (`mainsheet_core::agent_protocol`).

mod catalogs;
mod held;
mod routes;
mod source;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use mainsheet_api::{App, Document, Routes, routes};
use mainsheet_auth::sealed::Sealer;

use routes::{events, heartbeat, lease, logs, register, results};

/// What happens to a request for work when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It is held open for as long as it asks, for one process that serves all.
    Held,
    /// It is answered at once, for functions: their time is paid for while they wait.
    Polled,
}

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct AgentsState {
    /// What every handler can reach.
    pub app: App,
    /// Opens what catalogs are opened with.
    pub sealer: Arc<Sealer>,
    /// What happens to a request for work when there is none.
    pub waiting: Waiting,
}

impl FromRef<AgentsState> for App {
    fn from_ref(state: &AgentsState) -> Self {
        state.app.clone()
    }
}

/// Answers this function's routes.
pub fn router(state: AgentsState) -> Router {
    routes(Router::new()).with_state(state)
}

/// What the OpenAPI document says of them.
#[must_use]
pub fn document() -> Document {
    routes(Document::default())
}

fn routes<R: Routes<AgentsState>>(routes: R) -> R {
    routes
        .routes(routes!(register::register))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(lease::lease))
        .routes(routes!(events::events))
        .routes(routes!(logs::logs))
        .routes(routes!(results::results))
}
