//! `POST /auth/email/resend`: the mail that confirms an address, once more.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result};
use mainsheet_core::Error;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_store::throttle::ThrottleKey;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::routes::auth::sign_up::remind;

/// An address that is to be confirmed.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EmailVerifyResend {
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254)]
    email: String,
}

/// Mail the confirmation again
///
/// Answers the same whether the address has an account or not.
#[utoipa::path(
    post, path = "/auth/email/resend", operation_id = "resendEmailVerification", tag = "authentication",
    request_body = EmailVerifyResend,
    responses((status = 202, description = "If the address waits to be confirmed, a mail is on its way."))
)]
pub(crate) async fn resend_verification(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<EmailVerifyResend>,
) -> Result<StatusCode> {
    // Each mail counts like a failed sign-in, so that nobody's mailbox can be flooded.
    let key = ThrottleKey::Mail(NormalizedEmail::of(&body.email));
    let found = app.store.look_up_sign_in(&NormalizedEmail::of(&body.email), std::slice::from_ref(&key)).await?;
    let earlier = found.throttles.first().and_then(Option::as_ref);
    let wait: Option<Duration> = earlier.and_then(|throttle| throttle.value.wait(app.now()));
    if let Some(retry_after) = wait {
        return Err(Error::TooManyRequests { retry_after }.into());
    }
    app.store.count_failures([(&key, earlier)]).await?;
    if let Some(user) = found.user_id {
        let access = app.store.access(&user).await?;
        if access.is_some_and(|access| access.value.email_verified_at.is_none()) {
            remind(&app, user, body.email, origin).await?;
        }
    }
    Ok(StatusCode::ACCEPTED)
}
