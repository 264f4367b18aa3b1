//! `/auth/*` and `/me`: signing up, signing in, and who one is.

mod mailbox;
mod oidc;
mod oidc_registration;
mod routes;
mod sign_in;
mod single_sign_on;

use std::sync::Arc;

use axum::extract::FromRef;
use mainsheet_api::App;
use mainsheet_auth::keys::{KeyRing, SigningKey};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::{auth, idps, keys, me, sso};
pub use single_sign_on::SingleSignOn;

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct IdentityState {
    app: App,
    access_key: Arc<SigningKey>,
    mail_links: KeyRing,
    sso: Arc<SingleSignOn>,
}

impl IdentityState {
    /// `access_key` signs access tokens; `mail_links` checks the tokens of links in mails; `sso` is what single sign-on stands on.
    #[must_use]
    pub fn new(app: App, access_key: Arc<SigningKey>, mail_links: KeyRing, sso: SingleSignOn) -> Self {
        Self { app, access_key, mail_links, sso: Arc::new(sso) }
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
        .routes(routes!(auth::exchange::exchange))
        .routes(routes!(auth::logout::logout))
        .routes(routes!(auth::permissions::permissions))
        .routes(routes!(sso::authorize::authorize))
        .routes(routes!(sso::callback::callback))
        .routes(routes!(sso::backchannel_logout::backchannel_logout))
        .routes(routes!(keys::keys))
        .routes(routes!(idps::types::types))
        .routes(routes!(idps::list::list, idps::create::create))
        .routes(routes!(idps::auto_setup::auto_setup))
        .routes(routes!(idps::get::get, idps::update::update, idps::delete::delete))
        .routes(routes!(idps::rotate_secret::rotate_secret))
        .routes(routes!(idps::test::test))
        .routes(routes!(me::get::get))
        .routes(routes!(me::organizations::organizations))
        .routes(routes!(me::permissions::permissions))
        .routes(routes!(me::teams::teams))
        .with_state(state)
}
