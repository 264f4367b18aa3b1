//! `POST /auth/login/code`: a code to sign in with, by mail.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result};
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, UserId};
use mainsheet_store::audit::{Actor, Audit, Scope};
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::sign_in::{Beside, LoginCode};
use mainsheet_store::throttle::ThrottleKey;
use serde::Deserialize;
use utoipa::ToSchema;

/// An address.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LoginCodeRequest {
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254)]
    email: String,
}

/// Mail a code to sign in with
///
/// Answers the same, after the same time, whether the address has an account or not. A code has six digits, is good for 10
/// minutes and 5 tries, and takes the place of the one before. Each mail makes the next one wait longer, as failed sign-ins do.
#[utoipa::path(
    post, path = "/auth/login/code", operation_id = "requestLoginCode", tag = "authentication",
    request_body = LoginCodeRequest,
    responses((status = 202, description = "If the address has an account, a code is on its way."))
)]
pub(crate) async fn request_login_code(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<LoginCodeRequest>,
) -> Result<StatusCode> {
    let email = NormalizedEmail::of(&body.email);
    let key = ThrottleKey::Mail(email.clone());
    let found = app.store.look_up_sign_in(&email, std::slice::from_ref(&key)).await?;
    let throttle = found.throttles.first().and_then(Option::as_ref);
    if let Some(retry_after) = throttle.and_then(|throttle| throttle.value.wait(app.now())) {
        return Err(Error::TooManyRequests { retry_after }.into());
    }
    let user_id = found.user_id.unwrap_or_else(|| UserId::generate(app.now()));
    let door = app.store.at_the_door(&user_id, Beside { login_code: Some(&email), ..Beside::default() }).await?;
    let earlier = door.login_code.as_ref();
    let kept = match door.person {
        None => app.store.keep_nobodys_login_code(&email, earlier, throttle).await,
        Some(person) => {
            let audit = Audit {
                scope: Scope::User(user_id.clone()),
                actor: Actor::Platform,
                origin,
                action: "login_code.send",
                target: user_id.to_string(),
            };
            let change = app.store.change(audit);
            let code = LoginCode::new(change.now());
            // To the address as its owner wrote it, where it is the primary one.
            let written = Some(person.user.value.email).filter(|own| NormalizedEmail::of(own) == email);
            let mail = Mail::LoginCode { login_code_id: code.id.clone(), email: written.unwrap_or(body.email) };
            let change = change.put_login_code(&email, earlier, &code).count_failure(&key, throttle);
            change.emit(Event::MailRequested { mail }).commit().await
        }
    };
    match kept {
        // Somebody else asked at the same moment: their mail is on its way.
        Ok(()) | Err(Error::Conflict { .. }) => Ok(StatusCode::ACCEPTED),
        Err(error) => Err(error.into()),
    }
}
