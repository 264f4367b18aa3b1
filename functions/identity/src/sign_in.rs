//! What every way of signing in ends with: a login and its tokens, or the step that is missing.

use std::time::Duration;

use mainsheet_auth::keys::SigningKey;
use mainsheet_auth::refresh::RefreshToken;
use mainsheet_auth::token::AccessToken;
use mainsheet_core::{LoginId, Result, Timestamp, UserId};
use mainsheet_store::users::{Access, Login};
use serde::Serialize;
use utoipa::ToSchema;

/// How long a login lasts after its last use.
pub(crate) const LOGIN_VALID: Duration = Duration::from_secs(30 * 24 * 3600);

/// Tokens, or the step that is missing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginResult {
    /// For `Authorization: Bearer`; good for 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<TokenType>,
    /// When the access token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// Exchanges for new tokens, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// What has to be done first; given instead of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<NextStep>,
}

/// How an access token is presented.
#[derive(Serialize, ToSchema)]
pub(crate) enum TokenType {
    /// As `Authorization: Bearer` (RFC 6750).
    Bearer,
}

/// What has to be done before there are tokens.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NextStep {
    /// Confirm the address with the mailed token.
    VerifyEmail,
}

impl LoginResult {
    /// No tokens before the address is confirmed.
    pub(crate) fn verify_email() -> Self {
        Self {
            access_token: None,
            token_type: None,
            expires_at: None,
            refresh_token: None,
            next_step: Some(NextStep::VerifyEmail),
        }
    }

    /// The tokens of a login.
    pub(crate) fn tokens(key: &SigningKey, refresh: &RefreshToken, access: &Access, now: Timestamp) -> Result<Self> {
        let token = AccessToken {
            user_id: refresh.user_id.clone(),
            login_id: refresh.login_id.clone(),
            organization_hint: access.only_organization().cloned(),
        };
        let (access_token, expires_at) = token.sign(key, now)?;
        Ok(Self {
            access_token: Some(access_token),
            token_type: Some(TokenType::Bearer),
            expires_at: Some(expires_at),
            refresh_token: Some(refresh.reveal()),
            next_step: None,
        })
    }
}

/// A new login and its first refresh token.
pub(crate) fn new_login(user: &UserId, device_id: Option<String>, now: Timestamp) -> Result<(Login, RefreshToken)> {
    let refresh = RefreshToken::first(user.clone(), LoginId::generate(now))?;
    let login = Login {
        id: refresh.login_id.clone(),
        user_id: user.clone(),
        created_at: now,
        last_used_at: now,
        expires_at: now + LOGIN_VALID,
        device_id,
        refresh_family_sha256: refresh.family_sha256(),
        refresh_current_sha256: refresh.own_sha256(),
    };
    Ok((login, refresh))
}
