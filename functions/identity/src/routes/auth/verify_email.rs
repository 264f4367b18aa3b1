//! `POST /auth/email/verify`: the address is the person's own.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{Body, RequestOrigin, Result};
use mainsheet_auth::mail_link::EmailVerification;
use mainsheet_core::Error;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::retry_races;
use mainsheet_store::sign_in::Beside;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;

/// The token of a mailed link.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EmailVerify {
    /// What follows `token=` in the link.
    #[garde(length(bytes, min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    token: String,
}

/// Confirm an address
///
/// Doing so twice does no harm. With the primary one, what others may have put into the account before goes: its logins, the second
/// factor, all other addresses, and every password but that of the sign-up which the link was mailed for. The primary address hears
/// of each other one that signs in from then on.
#[utoipa::path(
    post, path = "/auth/email/verify", operation_id = "verifyEmail", tag = "authentication",
    request_body = EmailVerify,
    responses((status = 204, description = "The address is confirmed."))
)]
pub(crate) async fn verify_email(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<EmailVerify>,
) -> Result<StatusCode> {
    let now = state.app.now();
    let verification = match EmailVerification::check(&state.mail_links, &body.token, now).await {
        Err(Error::Unauthenticated { .. }) => return Err(useless().into()),
        verification => verification?,
    };
    retry_races(|| confirm(&state, &verification, &origin)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn confirm(state: &IdentityState, token: &EmailVerification, origin: &Origin) -> mainsheet_core::Result<()> {
    let store = &state.app.store;
    let person = store.at_the_door(&token.user_id, Beside::default()).await?.person.ok_or_else(useless)?;
    let email = NormalizedEmail::of(&token.email);
    if !person.user.value.has_primary_email(&email) {
        return confirm_another(state, &person.user.value, token, origin).await;
    }
    let Some(account) = store.unproven(&person, &email).await? else { return Ok(()) };
    let waiting = match &token.sign_up_id {
        None => None,
        Some(id) => Some(store.waiting_sign_up(&token.user_id, id).await?.ok_or_else(useless)?),
    };
    let change = store.change(audit(token, origin)).noted_in(&person.access.value);
    let access = account.proven_at(change.now());
    let change = match &waiting {
        None => change.prove_primary_email(&account, &access, &account.chosen_credentials()),
        Some(waiting) => change.prove_primary_email(&account, &access, &waiting.value.credentials).use_sign_up(waiting),
    };
    change.commit().await
}

/// An address that was added to the primary one.
async fn confirm_another(
    state: &IdentityState,
    user: &User,
    token: &EmailVerification,
    origin: &Origin,
) -> mainsheet_core::Result<()> {
    let store = &state.app.store;
    let row = store.user_email(&user.id, &NormalizedEmail::of(&token.email)).await?.ok_or_else(useless)?;
    if row.value.verified_at.is_some() {
        return Ok(());
    }
    let change = store.change(audit(token, origin));
    let (email, added, at) = (user.email.clone(), row.value.email.clone(), change.now());
    let mail = Mail::AddressAdded { email, added, at, origin: origin.clone() };
    change.confirm_email(&row).emit(Event::MailRequested { mail }).commit().await
}

fn audit(token: &EmailVerification, origin: &Origin) -> Audit {
    Audit {
        scope: Scope::User(token.user_id.clone()),
        actor: Actor::User { user_id: token.user_id.clone() },
        origin: origin.clone(),
        action: "user.verify_email",
        target: token.user_id.to_string(),
    }
}

fn useless() -> Error {
    Error::malformed("invalid_token", "The token is not one of ours, or has expired. Ask for a new mail.")
}
