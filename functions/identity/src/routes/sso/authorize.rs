//! `GET /auth/sso/{idp}/authorize`: on to the identity provider.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use garde::Validate;
use mainsheet_api::{Path, Query, Result};
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_core::{Error, IdentityProviderId};
use mainsheet_store::identity_providers::{SSO_ATTEMPT_VALID, SsoAttempt, sha256};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::oidc::{Provider, Trouble, in_time};
use crate::{IdentityState, SingleSignOn};

/// How a browser wants to sign in.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct SsoStart {
    /// Where to go in the end, with `code` in the query: an address that the installation lists. Its own page unless given.
    #[garde(inner(length(bytes, max = 1023)))]
    #[param(max_length = 1023)]
    redirect_uri: Option<String>,
}

/// Sign in through an identity provider
///
/// For browsers: on to the provider, with `state`, a nonce and PKCE. The provider sends them back within ten minutes.
#[utoipa::path(
    get, path = "/auth/sso/{idp}/authorize", operation_id = "startSsoLogin", tag = "authentication",
    params(("idp" = IdentityProviderId, Path, description = "The provider."), SsoStart),
    responses((status = 302, description = "On to the provider.", headers(("Location" = String, description = "The provider's page."))))
)]
pub(crate) async fn authorize(
    State(state): State<IdentityState>,
    Path(provider): Path<IdentityProviderId>,
    Query(start): Query<SsoStart>,
) -> Result<(StatusCode, HeaderMap)> {
    let (store, sso) = (&state.app.store, &state.sso);
    let redirect_uri = sso.destination(start.redirect_uri)?;
    let home = store.identity_provider_at_home(&provider).await?;
    let (settings, organization) = (home.provider.value, home.organization.value);
    let registered = sso.registered(&settings, &organization)?;
    let found = in_time(Provider::discover(&sso.http, &settings.oidc.issuer)).await.map_err(Error::from)?;
    let departure = found.depart(&registered).map_err(Error::from)?;
    sso.http.check(departure.url.as_str()).map_err(|failure| Error::from(Trouble::new(failure)))?;
    let browser = OneTimeToken::generate()?;
    let verifier = SecretString::from(departure.verifier.secret().clone());
    let attempt = SsoAttempt {
        state_sha256: sha256(departure.state.secret()),
        identity_provider_id: provider,
        browser_sha256: browser.sha256(),
        nonce_sha256: sha256(departure.nonce.secret()),
        pkce_verifier: sso.sealer.seal(&SingleSignOn::verifier_context(&organization.id), &verifier)?,
        redirect_uri,
        expires_at: state.app.now() + SSO_ATTEMPT_VALID,
    };
    store.begin_sso(&attempt).await?;
    let cookie = cookie(sso, sso.cookie_name(&attempt.state_sha256), browser.reveal());
    Ok(redirect(departure.url.as_str(), &cookie)?)
}

/// The browser's cookie: it comes back with the provider's redirect, and no script can read it.
fn cookie(sso: &SingleSignOn, name: String, value: &str) -> Cookie<'static> {
    let lasts = Duration::try_from(SSO_ATTEMPT_VALID).unwrap_or(Duration::ZERO);
    Cookie::build((name, value.to_owned()))
        .path("/")
        .http_only(true)
        .secure(sso.is_secure())
        .same_site(SameSite::Lax)
        .max_age(lasts)
        .build()
}

/// On to another page, which nobody is to keep.
pub(super) fn redirect(location: &str, cookie: &Cookie<'_>) -> mainsheet_core::Result<(StatusCode, HeaderMap)> {
    let value = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(Error::internal)?;
        value.set_sensitive(true);
        Ok::<_, Error>(value)
    };
    let headers = [
        (LOCATION, value(location)?),
        (SET_COOKIE, value(&cookie.to_string())?),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::FOUND, HeaderMap::from_iter(headers)))
}
