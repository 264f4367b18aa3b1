//! `GET /me/mfa`: whether the caller has a second factor.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Account, App, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// A second factor, as far as it is set up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MfaStatus {
    /// Whether an authenticator is asked for at sign-in.
    totp_enabled: bool,
    /// How many recovery codes are left.
    recovery_codes_remaining: usize,
}

/// Show my second factor
#[utoipa::path(
    get, path = "/me/mfa", operation_id = "getMyMfa", tag = "mfa",
    responses((status = 200, description = "What is set up.", body = MfaStatus)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn get(State(app): State<App>, Account(person): Account) -> Result<Json<MfaStatus>> {
    let factor = app.store.second_factor(person.user_id()).await?.map(|row| row.value).unwrap_or_default();
    Ok(Json(MfaStatus { totp_enabled: factor.totp.is_some(), recovery_codes_remaining: factor.recovery_codes.len() }))
}
