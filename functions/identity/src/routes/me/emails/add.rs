//! `POST /me/emails`: one more address.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{Account, App, Command, Result};
use mainsheet_core::Error;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_store::PageRequest;
use mainsheet_store::emails::{MAX_EMAILS, UserEmail as Record};
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::throttle::ThrottleKey;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::UserEmail;

/// An address.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserEmailCreate {
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254, examples("alice@example.com"))]
    email: String,
}

/// Add an address
///
/// A link that confirms it is mailed there; asked for again, it is mailed again. Whether the address has another account is
/// told to nobody but who uses the link. Asks for a password or second factor given within the last 10 minutes.
#[utoipa::path(
    post, path = "/me/emails", operation_id = "addMyEmail", tag = "users",
    request_body = UserEmailCreate,
    responses((status = 201, description = "The address, to be confirmed.", body = UserEmail)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn add(
    State(app): State<App>,
    Account(person): Account,
    command: Command<UserEmailCreate>,
) -> Result<(StatusCode, Json<UserEmail>)> {
    let user_id = person.user_id();
    let email = NormalizedEmail::of(&command.body.email);
    if command.idempotent.earlier::<String>()?.is_some() {
        let row = app.store.user_email(user_id, &email).await?.ok_or(Error::NotFound)?;
        return Ok((StatusCode::CREATED, Json(row.value.into())));
    }
    person.login.require_recent_proof(app.now())?;
    let all = PageRequest { limit: MAX_EMAILS, ..PageRequest::default() };
    let own = app.store.user_emails(user_id, &all).await?.rows;
    let known = own.iter().find(|row| NormalizedEmail::of(&row.value.email) == email);
    if known.is_some_and(|row| row.value.verified_at.is_some()) {
        return Err(Error::conflict("email_added", "This address is yours already.").into());
    }
    if known.is_none() && own.len() >= MAX_EMAILS as usize {
        return Err(Error::conflict("too_many_emails", "You have 20 addresses already.").into());
    }
    let key = ThrottleKey::Mail(email.clone());
    let throttles = app.store.throttles(std::slice::from_ref(&key)).await?;
    let throttle = throttles.first().and_then(Option::as_ref);
    if let Some(retry_after) = throttle.and_then(|throttle| throttle.value.wait(app.now())) {
        return Err(Error::TooManyRequests { retry_after }.into());
    }
    let change = app.store.change(person.audit("user.add_email", user_id));
    let now = change.now();
    let added = Record {
        user_id: user_id.clone(),
        email: command.body.email,
        verified_at: None,
        created_at: now,
        updated_at: now,
    };
    let mail = Mail::VerifyEmail { user_id: user_id.clone(), email: added.email.clone(), sign_up_id: None };
    let change = change
        .count_failure(&key, throttle)
        .emit(Event::MailRequested { mail })
        .idempotent(command.idempotent.request(), email.as_str());
    let (change, shown) = match known {
        Some(row) => (change, row.value.clone()),
        None => (change.add_email(&person.access, &added), added),
    };
    change.commit().await?;
    Ok((StatusCode::CREATED, Json(shown.into())))
}
