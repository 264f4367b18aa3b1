//! `POST /me/mfa/totp/verify`: the authenticator shows the right codes, and counts from now on.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Idempotent, Result};
use mainsheet_core::Error;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::second_factors::{SecondFactor, Totp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::enrolling::Enrolling;
use super::view::RecoveryCodes;
use crate::{IdentityState, authenticator};

/// A code of the authenticator that is set up.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TotpConfirm {
    /// Six digits.
    #[garde(skip)]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    code: SecretString,
}

/// Confirm an authenticator
///
/// It takes the place of one that counted before, and new recovery codes that of the old ones. The code counts as used: the next
/// sign-in takes another one. The person is told by mail. Asks for a password or second factor given within the last 10 minutes.
/// Somebody whose sign-in waits for `setup_mfa` bears the challenge token here, and finishes with it and the second factor then.
#[utoipa::path(
    post, path = "/me/mfa/totp/verify", operation_id = "confirmTotpEnrolment", tag = "mfa",
    request_body = TotpConfirm,
    responses((status = 200, description = "Recovery codes, shown once.", body = RecoveryCodes)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn confirm_totp(
    State(state): State<IdentityState>,
    enrolling: Enrolling<TotpConfirm>,
) -> Result<Json<RecoveryCodes>> {
    if enrolling.is_repeated()? {
        return Ok(Json(RecoveryCodes::shown()));
    }
    let now = state.app.now();
    let no_enrolment =
        || Error::conflict("no_totp_enrolment", "No authenticator waits to be confirmed. Begin with one first.");
    let row = enrolling.person.second_factor.as_ref().ok_or_else(no_enrolment)?;
    let secret = row.value.enrolling(now).ok_or_else(no_enrolment)?.secret.clone();
    let authenticator = authenticator::open(&state, &enrolling.person.user.value, &secret)?;
    let step = authenticator.step_of(enrolling.body.code.expose_secret(), now);
    let last_step = step.ok_or_else(|| Error::invalid("code", "is not what the authenticator shows now"))?;
    let (shown, recovery_codes) = RecoveryCodes::generate()?;
    let totp = Totp { secret, last_step, confirmed_at: now };
    let factor = SecondFactor { totp: Some(totp), enrolment: None, recovery_codes };
    let email = enrolling.person.user.value.email.clone();
    let mail = Mail::MfaSetUp { email, at: now, origin: enrolling.origin().clone() };
    let change = state.app.store.change(enrolling.audit("mfa.confirm_totp"));
    let request = enrolling.idempotent.as_ref().and_then(Idempotent::request);
    change
        .noted_in(&enrolling.person.access.value)
        .put_second_factor(enrolling.user_id(), Some(row), &factor)
        .emit(Event::MailRequested { mail })
        .idempotent(request, enrolling.user_id().as_str())
        .commit()
        .await?;
    Ok(Json(shown))
}
