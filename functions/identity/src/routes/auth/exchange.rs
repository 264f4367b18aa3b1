//! `POST /auth/token/exchange`: tokens for a one-time code, from single sign-on or an accepted invitation.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result};
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_core::Error;
use mainsheet_store::audit::{Actor, Audit, Scope};
use mainsheet_store::users::Login;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::sign_in::{LoginResult, new_login};

/// A one-time code.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OneTimeCodeExchange {
    /// The code, good for 60 seconds and for once.
    #[garde(skip)]
    #[schema(value_type = String)]
    code: SecretString,
}

/// Exchange a one-time code for tokens
#[utoipa::path(
    post, path = "/auth/token/exchange", operation_id = "exchangeOneTimeCode", tag = "authentication",
    request_body = OneTimeCodeExchange,
    responses((status = 200, description = "Tokens, or the step that is missing.", body = LoginResult))
)]
pub(crate) async fn exchange(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    DpopKey(dpop_jkt): DpopKey,
    Body(body): Body<OneTimeCodeExchange>,
) -> Result<Json<LoginResult>> {
    let store = &state.app.store;
    let useless = || Error::unauthenticated("no such one-time code, or one that has expired or was traded");
    let row = store.exchange_code(&OneTimeToken::presented(body.code).sha256()).await?.ok_or_else(useless)?;
    let user = &row.value.user_id;
    let access = store.access(user).await?.ok_or_else(useless)?.value;
    let organizations = store.organizations_of(&access).await?;
    let is_strict = organizations.iter().any(|row| row.value.settings.auth.require_email_verification);
    if access.email_verified_at.is_none() && is_strict {
        return Ok(Json(LoginResult::verify_email()));
    }
    let now = state.app.now();
    let (login, refresh) = new_login(user, None, dpop_jkt, now)?;
    let login = Login { single_sign_on: row.value.single_sign_on.clone(), ..login };
    let audit = Audit {
        scope: Scope::User(user.clone()),
        actor: Actor::User { user_id: user.clone() },
        origin,
        action: "login.create",
        target: login.id.to_string(),
    };
    match store.change(audit).noted_in(&access).trade_exchange_code(&row).create_login(&login).commit().await {
        // It was traded at the same moment, and the other trade won.
        Err(Error::Conflict { .. }) => return Err(useless().into()),
        traded => traded?,
    }
    Ok(Json(LoginResult::tokens(&state.access_key, &refresh, (&login, &access), now)?))
}
