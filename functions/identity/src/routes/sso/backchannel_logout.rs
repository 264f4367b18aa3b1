//! `POST /auth/sso/{idp}/backchannel-logout`: the provider tells of a logout (OpenID Connect Back-Channel Logout 1.0).

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mainsheet_api::{Path, RequestOrigin, Result};
use mainsheet_core::{Error, IdentityProviderId, UserId};
use mainsheet_store::Tenant;
use mainsheet_store::audit::{Actor, Audit, Scope};
use mainsheet_store::identity_providers::SsoSession;
use mainsheet_store::users::Login;
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::oidc::{LogoutClaims, Provider, in_time};
use crate::single_sign_on::{sid_sha256, subject_sha256};

/// The longest form, in bytes.
const LIMIT: usize = 64 * 1024;
/// The most logins that end at once: all of them in one transaction.
const MAX_ENDED: usize = 90;

/// How a provider sends it.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a provider sends.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BackchannelLogout {
    /// A JWT that says whose session ended.
    #[schema(max_length = 16384)]
    #[allow(dead_code, reason = "read by name out of the form")]
    logout_token: String,
}

/// Tell of a logout
///
/// For identity providers. The logins that came from the session, or from all sessions of the person, end at once.
#[utoipa::path(
    post, path = "/auth/sso/{idp}/backchannel-logout", operation_id = "backchannelLogout", tag = "authentication",
    params(("idp" = IdentityProviderId, Path, description = "The provider.")),
    request_body(content = BackchannelLogout, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The logins have ended."))
)]
pub(crate) async fn backchannel_logout(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    Path(provider): Path<IdentityProviderId>,
    request: Request,
) -> Result<Response> {
    let store = &state.app.store;
    let token = logout_token(request).await?;
    let home = store.identity_provider_at_home(&provider).await?;
    let (tenant, row) = (home.tenant, home.provider.value);
    let checked = in_time(async {
        let found = Provider::discover(&state.sso.http, &row.oidc.issuer).await?;
        found.check_logout(&row.oidc.client_id, &token, state.app.now())
    });
    let claims = checked.await.map_err(|trouble| refused(trouble.to_string()))?;
    let ended = Ended::of(&tenant, &provider, &row.oidc.issuer, &claims);
    let logins = match ended.user(&state).await? {
        Some(user) => store.logins(&user).await?.into_iter().map(|row| row.value).collect(),
        None => Vec::new(),
    };
    let audit = Audit {
        scope: Scope::Tenant(tenant.clone()),
        actor: Actor::Platform,
        origin,
        action: "sso.backchannel_logout",
        target: provider.to_string(),
    };
    let change = store.change(audit).use_logout_token(&tenant, &provider, &claims.jti);
    let logins = logins.iter().filter(|login| ended.concerns(login)).take(MAX_ENDED);
    logins.fold(change, |change, login: &Login| change.end_login(&login.user_id, &login.id)).commit().await?;
    Ok((StatusCode::OK, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response())
}

/// The token of the form.
async fn logout_token(request: Request) -> Result<String> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.to_ascii_lowercase().starts_with(FORM) {
        return Err(Error::UnsupportedMediaType { takes: FORM }.into());
    }
    let bytes = to_bytes(request.into_body(), LIMIT).await.map_err(|_| Error::TooLarge { limit: LIMIT })?;
    let token = form_urlencoded::parse(&bytes).find(|(name, _)| name == "logout_token");
    token.map(|(_, token)| token.into_owned()).ok_or_else(|| refused("there is no `logout_token`".to_owned()).into())
}

fn refused(why: String) -> Error {
    Error::malformed("invalid_logout_token", why)
}

/// What ended at the provider.
struct Ended<'a> {
    tenant: &'a Tenant,
    provider: &'a IdentityProviderId,
    subject_sha256: Option<String>,
    sid_sha256: Option<String>,
}

impl<'a> Ended<'a> {
    fn of(tenant: &'a Tenant, provider: &'a IdentityProviderId, issuer: &str, claims: &LogoutClaims) -> Self {
        Self {
            tenant,
            provider,
            subject_sha256: claims.sub.as_deref().map(|subject| subject_sha256(issuer, subject)),
            sid_sha256: claims.sid.as_deref().map(|sid| sid_sha256(issuer, sid)),
        }
    }

    /// Whose it was.
    async fn user(&self, state: &IdentityState) -> Result<Option<UserId>> {
        let store = &state.app.store;
        Ok(match (&self.subject_sha256, &self.sid_sha256) {
            (Some(subject), _) => store.user_of_subject(self.tenant, self.provider, subject).await?,
            (None, Some(sid)) => store.user_of_sid(self.tenant, self.provider, sid).await?,
            (None, None) => None,
        })
    }

    /// Whether a login came from it: from this session where one is named, else from any of the person.
    fn concerns(&self, login: &Login) -> bool {
        let same = |named: &Option<String>, of_login: Option<&String>| named.is_none() || named.as_ref() == of_login;
        let is_it = |session: &SsoSession| {
            session.identity_provider_id == *self.provider
                && same(&self.subject_sha256, Some(&session.subject_sha256))
                && same(&self.sid_sha256, session.sid_sha256.as_ref())
        };
        login.single_sign_on.as_ref().is_some_and(is_it)
    }
}
