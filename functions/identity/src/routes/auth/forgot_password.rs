//! `POST /auth/password/forgot`: a link that sets a new password, by mail.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result};
use mainsheet_core::Error;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mailbox::Mailbox;

/// An address.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PasswordResetRequest {
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254)]
    email: String,
}

/// Mail a link that sets a new password
///
/// Answers the same, after the same time, whether the address has an account or not. The link is good for 30 minutes and for
/// once. Each mail makes the next one wait longer, as failed sign-ins do.
#[utoipa::path(
    post, path = "/auth/password/forgot", operation_id = "requestPasswordReset", tag = "authentication",
    request_body = PasswordResetRequest,
    responses((status = 202, description = "If the address has an account, a mail is on its way."))
)]
pub(crate) async fn forgot_password(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<PasswordResetRequest>,
) -> Result<StatusCode> {
    let mailbox = Mailbox::look_up(&app, &body.email).await?;
    if let Some(retry_after) = mailbox.wait(app.now()) {
        return Err(Error::TooManyRequests { retry_after }.into());
    }
    match mailbox.owner(&app).await? {
        Some(owner) => mailbox.send_reset(&app, &owner, body.email, origin).await?,
        None => mailbox.count(&app).await?,
    }
    Ok(StatusCode::ACCEPTED)
}
