//! `POST /me/mfa/recovery-codes`: new recovery codes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{Account, Action, App, Result};
use mainsheet_core::{Error, UserId};
use mainsheet_store::second_factors::SecondFactor;

use super::view::RecoveryCodes;

/// Replace my recovery codes
///
/// The old ones are void at once. Asks for a password or second factor given within the last 10 minutes.
#[utoipa::path(
    post, path = "/me/mfa/recovery-codes", operation_id = "regenerateRecoveryCodes", tag = "mfa",
    responses((status = 201, description = "Recovery codes, shown once.", body = RecoveryCodes)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn recovery_codes(
    State(app): State<App>,
    Account(person): Account,
    Action(idempotent): Action,
) -> Result<(StatusCode, Json<RecoveryCodes>)> {
    if idempotent.earlier::<UserId>()?.is_some() {
        return Ok((StatusCode::CREATED, Json(RecoveryCodes::shown())));
    }
    person.login.require_recent_proof(app.now())?;
    let user_id = person.user_id();
    let row = app.store.second_factor(user_id).await?.filter(|row| row.value.totp.is_some());
    let not_set_up =
        || Error::conflict("mfa_not_set_up", "There is no second factor yet. Set up an authenticator first.");
    let row = row.ok_or_else(not_set_up)?;
    let (shown, recovery_codes) = RecoveryCodes::generate()?;
    let factor = SecondFactor { recovery_codes, ..row.value.clone() };
    let change = app.store.change(person.audit("mfa.regenerate_recovery_codes", user_id));
    change
        .noted_in(&person.access.value)
        .put_second_factor(user_id, Some(&row), &factor)
        .idempotent(idempotent.request(), user_id.as_str())
        .commit()
        .await?;
    Ok((StatusCode::CREATED, Json(shown)))
}
