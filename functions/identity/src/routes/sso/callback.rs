//! `GET /auth/sso/{idp}/callback`: back from the identity provider.

use axum::extract::State;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, StatusCode};
use cookie::Cookie;
use garde::Validate;
use mainsheet_api::{Path, Query, RequestOrigin, Result};
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_core::{Error, IdentityProviderId};
use mainsheet_store::Row;
use mainsheet_store::audit::Origin;
use mainsheet_store::identity_providers::{SsoAttempt, SsoSession, sha256};
use mainsheet_store::retry_races;
use serde::Deserialize;
use utoipa::IntoParams;

use super::authorize::redirect;
use super::person::SigningIn;
use crate::oidc::{Arrival, Provider, Trouble, in_time};
use crate::single_sign_on::{sid_sha256, subject_sha256};
use crate::{IdentityState, SingleSignOn};

/// What the provider answers.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SsoAnswer {
    /// What the browser was sent to the provider with.
    #[garde(inner(length(bytes, max = 255)))]
    #[param(max_length = 255)]
    state: Option<String>,
    /// Stands for the person, for the provider's token endpoint.
    #[garde(inner(length(bytes, max = 4096)))]
    #[param(max_length = 4096)]
    code: Option<String>,
    /// Who answers (RFC 9207).
    #[garde(inner(length(bytes, max = 1023)))]
    #[param(max_length = 1023)]
    iss: Option<String>,
    /// Why there is no code.
    #[garde(inner(length(bytes, max = 255)))]
    #[param(max_length = 255)]
    error: Option<String>,
}

/// Come back from an identity provider
///
/// For browsers. Who signs in for the first time becomes a member of the provider's organization. A one-time code, which
/// `POST /auth/token/exchange` takes within a minute, goes on to the page that was asked for.
#[utoipa::path(
    get, path = "/auth/sso/{idp}/callback", operation_id = "finishSsoLogin", tag = "authentication",
    params(("idp" = IdentityProviderId, Path, description = "The provider."), SsoAnswer),
    responses((status = 302, description = "On to the page, with the code.", headers(("Location" = String, description = "The page."))))
)]
pub(crate) async fn callback(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    Path(provider): Path<IdentityProviderId>,
    Query(answer): Query<SsoAnswer>,
    headers: HeaderMap,
) -> Result<(StatusCode, HeaderMap)> {
    let attempt = begun_here(&state, &provider, &answer, &headers).await?;
    let (destination, state_sha256) = (attempt.value.redirect_uri.clone(), attempt.value.state_sha256.clone());
    let code = finish(&state, &attempt.value, answer, &origin).await?;
    let mut spent = Cookie::build((state.sso.cookie_name(&state_sha256), "")).path("/").http_only(true).build();
    spent.set_secure(state.sso.is_secure());
    spent.make_removal();
    Ok(redirect(&SingleSignOn::with_code(&destination, code.reveal())?, &spent)?)
}

/// The attempt that comes back: this browser began it, at this provider, and it comes back for the first time.
async fn begun_here(
    state: &IdentityState,
    provider: &IdentityProviderId,
    answer: &SsoAnswer,
    headers: &HeaderMap,
) -> Result<Row<SsoAttempt>> {
    let state_sha256 = sha256(answer.state.as_deref().unwrap_or_default());
    let row = state.app.store.sso_attempt(&state_sha256).await?.ok_or_else(not_begun)?;
    let name = state.sso.cookie_name(&state_sha256);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(Cookie::split_parse);
    let browsers = cookies.flatten().filter(|cookie| cookie.name() == name);
    let is_browser = browsers.map(|cookie| sha256(cookie.value())).any(|hash| hash == row.value.browser_sha256);
    if row.value.identity_provider_id != *provider || !is_browser {
        return Err(not_begun().into());
    }
    match state.app.store.end_sso(&row).await {
        Err(Error::Conflict { .. }) => Err(not_begun().into()),
        ended => Ok(ended.map(|()| row)?),
    }
}

fn not_begun() -> Error {
    Error::malformed(
        "invalid_state",
        "This sign-in was not begun in this browser, took too long, or was finished before. Sign in again.",
    )
}

/// From the provider's answer to the code.
async fn finish(
    state: &IdentityState,
    attempt: &SsoAttempt,
    answer: SsoAnswer,
    origin: &Origin,
) -> Result<OneTimeToken> {
    let (store, sso) = (&state.app.store, &state.sso);
    let provider = &attempt.identity_provider_id;
    let home = store.identity_provider_at_home(provider).await?;
    let (tenant, settings, organization) = (home.tenant, home.provider.value, home.organization.value);
    if let Some(error) = answer.error {
        return Err(refused(&error).into());
    }
    let code = answer.code.ok_or_else(|| refused("no code"))?;
    let registered = sso.registered(&settings, &organization)?;
    let verifier = sso.sealer.open(&SingleSignOn::verifier_context(&organization.id), &attempt.pkce_verifier)?;
    let arrival = Arrival { code, verifier, nonce_sha256: attempt.nonce_sha256.clone() };
    let person = in_time(async {
        let found = Provider::discover(&sso.http, &settings.oidc.issuer).await?;
        let named = answer.iss.as_deref();
        // RFC 9207, section 2.4: who answers has to be who was asked, where it says so or said that it would.
        let is_issuer = named.map_or(!found.names_issuer(), |named| named == found.metadata.issuer().as_str());
        if !is_issuer {
            return Err(Trouble::new("its answer does not come from the issuer that was asked"));
        }
        found.arrive(&registered, arrival, state.app.now()).await
    });
    let person = person.await.map_err(Error::from)?;
    let issuer = &settings.oidc.issuer;
    let session = SsoSession {
        organization_id: organization.id.clone(),
        identity_provider_id: provider.clone(),
        subject_sha256: subject_sha256(issuer, &person.subject),
        sid_sha256: person.sid.as_deref().map(|sid| sid_sha256(issuer, sid)),
    };
    let signing_in = SigningIn { state, tenant, organization, set_by: settings.set_by, session, person, origin };
    Ok(retry_races(|| signing_in.issue_code()).await?)
}

/// The provider did not let the person in.
fn refused(error: &str) -> Error {
    // It comes from the address bar: only what the standards' codes are made of is shown.
    let known: String =
        error.chars().filter(|letter| letter.is_ascii_alphanumeric() || "_ ".contains(*letter)).take(60).collect();
    Error::malformed(
        "sign_in_refused",
        format!("The identity provider did not sign you in ({known}). Try again, or ask your administrator."),
    )
}
