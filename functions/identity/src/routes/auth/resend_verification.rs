//! `POST /auth/email/resend`: the mail that confirms an address, once more.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result};
use mainsheet_core::Error;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mailbox::Mailbox;

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
/// Answers the same, after the same time, whether the address has an account or not. Each mail makes the next one wait longer,
/// as failed sign-ins do.
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
    let mailbox = Mailbox::look_up(&app, &body.email).await?;
    if let Some(retry_after) = mailbox.wait(app.now()) {
        return Err(Error::TooManyRequests { retry_after }.into());
    }
    match mailbox.owner(&app).await? {
        Some(owner) if !owner.is_verified() => mailbox.remind(&app, &owner, origin).await?,
        _ => mailbox.count(&app).await?,
    }
    Ok(StatusCode::ACCEPTED)
}
