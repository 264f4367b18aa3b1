//! `POST /auth/password/reset`: a new password by a mailed link.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{Body, RequestOrigin, Result};
use mainsheet_auth::mail_link::PasswordReset;
use mainsheet_auth::password;
use mainsheet_core::Error;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::sign_in::{AtTheDoor, Beside};
use mainsheet_store::throttle::ThrottleKey;
use mainsheet_store::users::Credentials;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::password_rule::is_long_enough;
use crate::sign_in::{Demands, audit};

/// The token of a mailed link, and a new password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PasswordResetComplete {
    /// What follows `token=` in the link.
    #[garde(length(bytes, min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    token: String,
    /// 12 to 128 characters; no other rules, but not one that is known from leaks.
    #[garde(custom(is_long_enough))]
    #[schema(value_type = String, format = "password", min_length = 12, max_length = 128)]
    new_password: SecretString,
}

/// Set a new password
///
/// Ends every login of the person. A second factor stays, unless the link confirms the primary address, which nobody had confirmed
/// before: then it goes, and all other addresses with it, because others may have put them into the account.
#[utoipa::path(
    post, path = "/auth/password/reset", operation_id = "completePasswordReset", tag = "authentication",
    request_body = PasswordResetComplete,
    responses((status = 204, description = "The password is set."))
)]
pub(crate) async fn reset_password(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<PasswordResetComplete>,
) -> Result<StatusCode> {
    let store = &state.app.store;
    let token = match PasswordReset::check(&state.mail_links, &body.token, state.app.now()).await {
        Err(Error::Unauthenticated { .. }) => return Err(useless().into()),
        token => token?,
    };
    let person = store.at_the_door(&token.user_id, Beside::default()).await?.person.ok_or_else(useless)?;
    let email = NormalizedEmail::of(&token.email);
    if person.credentials.value.seal() != token.seal || !is_address_of(&state, &person, &email).await? {
        return Err(useless().into());
    }
    if Demands::of(&state, &person.access.value, None).await?.unleaked_password() {
        state.app.refuse_breached("newPassword", &body.new_password).await?;
    }
    let credentials = Credentials { password_hash: Some(password::hash(body.new_password).await?) };
    let account = store.unproven(&person, &email).await?;
    let change = store.change(audit(&person, &origin, "user.reset_password", token.user_id.as_str()));
    let mail = Mail::PasswordChanged { email: person.user.value.email.clone(), at: change.now(), origin };
    let change = change
        .noted_in(&person.access.value)
        .forgive(&[ThrottleKey::Account(email)])
        .emit(Event::MailRequested { mail });
    let now = change.now();
    let change = match account {
        Some(account) => change.prove_primary_email(&account, &account.proven_at(now), &credentials),
        None => change
            .change_credentials(&person.credentials, &credentials)
            .replace_access(&person.access, &person.access.value.clone().without_logins()),
    };
    match change.commit().await {
        // The link was used at the same moment, and the other use won.
        Err(Error::Conflict { .. }) => Err(useless().into()),
        changed => Ok(changed.map(|()| StatusCode::NO_CONTENT)?),
    }
}

/// The link went to the primary address, or to another one that is known to be theirs still.
async fn is_address_of(
    state: &IdentityState,
    person: &AtTheDoor,
    email: &NormalizedEmail,
) -> mainsheet_core::Result<bool> {
    let user = &person.user.value;
    if user.has_primary_email(email) {
        return Ok(true);
    }
    let row = state.app.store.user_email(&user.id, email).await?;
    Ok(row.is_some_and(|row| row.value.verified_at.is_some()))
}

fn useless() -> Error {
    Error::malformed("invalid_token", "The token is not one of ours, was used, or has expired. Ask for a new mail.")
}
