//! `/auth/*` and `/me`: signing up, signing in, and who one is.

mod authenticator;
mod mailbox;
mod oidc;
mod oidc_registration;
mod password_rule;
mod routes;
mod sign_in;
mod single_sign_on;
mod trusted;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use mainsheet_api::{App, Document, Routes, routes};
use mainsheet_auth::keys::{KeyRing, SigningKey};
use mainsheet_auth::login_code::LoginCodeKey;
use mainsheet_auth::sealed::Sealer;

use routes::{auth, idps, keys, me, sso};
pub use single_sign_on::SingleSignOn;

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct IdentityState {
    app: App,
    access_key: Arc<SigningKey>,
    mail_links: KeyRing,
    login_codes: Arc<LoginCodeKey>,
    sealer: Arc<Sealer>,
    sso: Arc<SingleSignOn>,
}

impl IdentityState {
    /// `access_key` signs access tokens; `mail_links` checks the tokens of links in mails, `login_codes` the codes; `sso` is what single
    /// sign-on stands on, and its sealer keeps the secrets of authenticators, too.
    #[must_use]
    pub fn new(
        app: App,
        access_key: Arc<SigningKey>,
        mail_links: KeyRing,
        login_codes: Arc<LoginCodeKey>,
        sso: SingleSignOn,
    ) -> Self {
        Self { app, access_key, mail_links, login_codes, sealer: Arc::clone(&sso.sealer), sso: Arc::new(sso) }
    }
}

impl FromRef<IdentityState> for App {
    fn from_ref(state: &IdentityState) -> Self {
        state.app.clone()
    }
}

/// Answers this function's routes.
pub fn router(state: IdentityState) -> Router {
    routes(Router::new()).with_state(state)
}

/// What the OpenAPI document says of them.
#[must_use]
pub fn document() -> Document {
    routes(Document::default())
}

fn routes<R: Routes<IdentityState>>(routes: R) -> R {
    routes
        .routes(routes!(auth::sign_up::sign_up))
        .routes(routes!(auth::verify_email::verify_email))
        .routes(routes!(auth::resend_verification::resend_verification))
        .routes(routes!(auth::login::login))
        .routes(routes!(auth::login_code::request_login_code))
        .routes(routes!(auth::login_with_code::login_with_code))
        .routes(routes!(auth::verify_mfa::verify_mfa))
        .routes(routes!(auth::forgot_password::forgot_password))
        .routes(routes!(auth::reset_password::reset_password))
        .routes(routes!(auth::refresh::refresh))
        .routes(routes!(auth::exchange::exchange))
        .routes(routes!(auth::logout::logout))
        .routes(routes!(auth::permissions::permissions))
        .routes(routes!(me::get::get, me::update::update))
        .routes(routes!(me::emails::list::list, me::emails::add::add))
        .routes(routes!(me::logins::list::list))
        .routes(routes!(me::logins::revoke::revoke))
        .routes(routes!(me::trusted_devices::list::list))
        .routes(routes!(me::trusted_devices::revoke::revoke))
        .routes(routes!(me::mfa::get::get, me::mfa::reset::reset))
        .routes(routes!(me::mfa::start_totp::start_totp))
        .routes(routes!(me::mfa::confirm_totp::confirm_totp))
        .routes(routes!(me::mfa::recovery_codes::recovery_codes))
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
        .routes(routes!(me::organizations::organizations))
        .routes(routes!(me::permissions::permissions))
        .routes(routes!(me::teams::teams))
}
