//! `POST /auth/token/refresh`: new tokens for a refresh token, which is good for once.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result};
use mainsheet_auth::refresh::{Presented, RefreshToken};
use mainsheet_core::Error;
use mainsheet_store::Row;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::users::Login;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::sign_in::LoginResult;

/// A refresh token.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TokenRefresh {
    /// The one that came with the last tokens.
    #[garde(skip)]
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Refresh tokens
///
/// Using a refresh token a second time ends the login: one of the two who have it has stolen it.
#[utoipa::path(
    post, path = "/auth/token/refresh", operation_id = "refreshToken", tag = "authentication",
    request_body = TokenRefresh,
    responses((status = 200, description = "New tokens.", body = LoginResult))
)]
pub(crate) async fn refresh(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    DpopKey(dpop_jkt): DpopKey,
    Body(body): Body<TokenRefresh>,
) -> Result<Json<LoginResult>> {
    let token = RefreshToken::parse(body.refresh_token.expose_secret())?;
    let now = state.app.now();
    let found = state.app.store.identify(&token.user_id, &token.login_id, None, None).await?;
    let row = found.login.zip(found.access).filter(|(login, access)| access.value.keeps_alive(&login.value, now));
    let (row, access) = row.ok_or_else(|| Error::unauthenticated("the login has ended"))?;
    match token.presented_to(&row.value) {
        Presented::Foreign => return Err(Error::unauthenticated("not a token of this login").into()),
        Presented::Old => return end_stolen(&state, &token, origin).await,
        Presented::Current => {}
    }
    let bound_to = row.value.dpop_jkt.as_ref();
    if bound_to.is_some_and(|bound_to| dpop_jkt.as_ref() != Some(bound_to)) {
        return Err(Error::not_proven("the refresh token is bound to another key").into());
    }
    let next = token.next()?;
    let login = Login { dpop_jkt, ..row.value.clone() };
    match rotate(&state, &row, (&next, &login), origin.clone()).await {
        // The same token was used at the same moment, and the other use won.
        Err(Error::Conflict { .. }) => end_stolen(&state, &token, origin).await,
        rotated => rotated
            .and_then(|()| LoginResult::tokens(&state.access_key, &next, (&login, &access.value), now))
            .map(Json)
            .map_err(Into::into),
    }
}

async fn rotate(
    state: &IdentityState,
    row: &Row<Login>,
    (next, login): (&RefreshToken, &Login),
    origin: Origin,
) -> mainsheet_core::Result<()> {
    let change = state.app.store.change(audit("login.refresh", next, origin));
    let now = change.now();
    let login = Login {
        last_used_at: now,
        expires_at: row.value.end_if_used(now),
        refresh_current_sha256: next.own_sha256(),
        ..login.clone()
    };
    change.replace_login(row, &login).commit().await
}

async fn end_stolen(state: &IdentityState, token: &RefreshToken, origin: Origin) -> Result<Json<LoginResult>> {
    let change = state.app.store.change(audit("login.end_stolen", token, origin));
    change.end_login(&token.user_id, &token.login_id).commit().await?;
    Err(Error::unauthenticated("the refresh token was used before: the login was ended").into())
}

fn audit(action: &'static str, token: &RefreshToken, origin: Origin) -> Audit {
    Audit {
        scope: Scope::User(token.user_id.clone()),
        actor: Actor::User { user_id: token.user_id.clone() },
        origin,
        action,
        target: token.login_id.to_string(),
    }
}
