//! `POST /me/mfa/totp`: begin to set up an authenticator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{Idempotent, Result};
use mainsheet_auth::totp::Authenticator;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::enrolling::Enrolling;
use crate::{IdentityState, authenticator};

/// Nothing: who asks says it all.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// What an authenticator is set up with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotpEnrolment {
    /// The secret in base32, to be typed in.
    secret: String,
    /// The same as an address (`otpauth://totp/...`), to be shown as a QR code.
    otpauth_url: String,
}

impl TotpEnrolment {
    fn of(authenticator: &Authenticator) -> mainsheet_core::Result<Self> {
        Ok(Self {
            secret: authenticator.secret().expose_secret().to_owned(),
            otpauth_url: authenticator.url()?.expose_secret().to_owned(),
        })
    }
}

/// Begin to set up an authenticator
///
/// It counts once a code confirms it, within an hour; until then the same secret is answered again. Asks for a password or second
/// factor given within the last 10 minutes. Somebody whose sign-in waits for `setup_mfa` bears the challenge token here.
#[utoipa::path(
    post, path = "/me/mfa/totp", operation_id = "startTotpEnrolment", tag = "mfa",
    responses((status = 201, description = "What the authenticator is set up with.", body = TotpEnrolment)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn start_totp(
    State(state): State<IdentityState>,
    enrolling: Enrolling<Nothing>,
) -> Result<(StatusCode, Json<TotpEnrolment>)> {
    let Nothing {} = enrolling.body;
    let now = state.app.now();
    let user = &enrolling.person.user.value;
    let row = enrolling.person.second_factor.as_ref();
    let factor = row.map(|row| row.value.clone()).unwrap_or_default();
    let (authenticator, sealed) = match factor.enrolling(now) {
        Some(enrolment) => (authenticator::open(&state, user, &enrolment.secret)?, enrolment.secret.clone()),
        None => {
            let authenticator = Authenticator::generate(&user.email)?;
            let sealed = authenticator::seal(&state, &user.id, &authenticator)?;
            (authenticator, sealed)
        }
    };
    let answer = TotpEnrolment::of(&authenticator)?;
    if !enrolling.is_repeated()? {
        let change = state.app.store.change(enrolling.audit("mfa.start_totp"));
        let change = change.put_second_factor(&user.id, row, &factor.with_enrolment(sealed, now));
        let request = enrolling.idempotent.as_ref().and_then(Idempotent::request);
        change.idempotent(request, user.id.as_str()).commit().await?;
    }
    Ok((StatusCode::CREATED, Json(answer)))
}
