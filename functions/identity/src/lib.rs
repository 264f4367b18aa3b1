//! `/auth/*` and `/me`: signing up, signing in, and who one is.

mod mailbox;
mod routes;
mod sign_in;

use std::sync::Arc;

use axum::extract::FromRef;
use mainsheet_api::App;
use mainsheet_auth::keys::{KeyRing, SigningKey};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{auth, me};

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct IdentityState {
    app: App,
    access_key: Arc<SigningKey>,
    mail_links: KeyRing,
}

impl IdentityState {
    /// `access_key` signs access tokens; `mail_links` checks the tokens of links in mails.
    #[must_use]
    pub fn new(app: App, access_key: Arc<SigningKey>, mail_links: KeyRing) -> Self {
        Self { app, access_key, mail_links }
    }
}

impl FromRef<IdentityState> for App {
    fn from_ref(state: &IdentityState) -> Self {
        state.app.clone()
    }
}

/// The routes of this function.
pub fn router(state: IdentityState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(auth::sign_up::sign_up))
        .routes(routes!(auth::verify_email::verify_email))
        .routes(routes!(auth::resend_verification::resend_verification))
        .routes(routes!(auth::login::login))
        .routes(routes!(auth::refresh::refresh))
        .routes(routes!(auth::logout::logout))
        .routes(routes!(auth::permissions::permissions))
        .routes(routes!(me::get::get))
        .routes(routes!(me::organizations::organizations))
        .routes(routes!(me::permissions::permissions))
        .with_state(state)
}
