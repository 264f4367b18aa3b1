//! `POST /auth/login/code/verify`: sign in with a mailed code.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result};
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, UserId};
use mainsheet_store::Row;
use mainsheet_store::sign_in::{Beside, LoginCode};
use mainsheet_store::users::Credentials;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::sign_in::{LoginResult, SignIn, Way, finish, note_failure, throttle_keys};
use crate::trusted::Shown;

/// An address and the code that was mailed to it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LoginCodeVerify {
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254)]
    email: String,
    /// Six digits.
    #[garde(skip)]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    code: SecretString,
}

/// Sign in with a mailed code
///
/// A code is good for once, for 10 minutes and 5 tries; wrong ones count as failed sign-ins. It shows that the address is the
/// person's own: a primary one that nobody had confirmed is confirmed by it, and what others may have put into the account before
/// goes: its logins, the password, the second factor, and all other addresses.
#[utoipa::path(
    post, path = "/auth/login/code/verify", operation_id = "loginWithCode", tag = "authentication",
    request_body = LoginCodeVerify,
    responses((status = 200, description = "Tokens, or the step that is missing.", body = LoginResult))
)]
pub(crate) async fn login_with_code(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    DpopKey(dpop_jkt): DpopKey,
    Shown(trusted_device): Shown,
    Body(body): Body<LoginCodeVerify>,
) -> Result<Json<LoginResult>> {
    let store = &state.app.store;
    let email = NormalizedEmail::of(&body.email);
    let tries = throttle_keys(&email, &origin);
    let found = store.look_up_sign_in(&email, &tries).await?;
    store.count_try(&tries, found.throttles).await?;
    let user_id = found.user_id.unwrap_or_else(|| UserId::generate(state.app.now()));
    let beside = Beside {
        trusted_device: trusted_device.as_ref().map(|token| &token.device_id),
        login_code: Some(&email),
        ..Beside::default()
    };
    let door = store.at_the_door(&user_id, beside).await?;
    let row = tried(&state, door.login_code).await?;
    let (code, now) = (body.code.expose_secret(), state.app.now());
    let is_right = |row: &Row<LoginCode>| state.login_codes.is_code(code, &row.value.id, email.as_str(), now);
    let (mut person, row) = match (door.person, row.filter(is_right)) {
        (Some(person), Some(row)) => (person, row),
        (person, _) => {
            note_failure(&state, person.as_ref(), &origin, &tries).await?;
            return Err(wrong().into());
        }
    };
    let (account, now) = (store.unproven(&person, &email).await?, state.app.now());
    if let Some(account) = &account {
        // Whoever set a password or a second factor did not show that the address is theirs.
        person.access.value = account.proven_at(now);
        person.credentials.value = Credentials::none();
        person.second_factor = None;
    }
    let sign_in = SignIn {
        person,
        way: Way::MailedCode,
        device_id: None,
        trusted_device,
        dpop_jkt,
        single_sign_on: None,
        origin,
        tries,
    };
    let used = finish(&state, sign_in, |change| {
        let change = change.use_login_code(&row);
        match &account {
            Some(account) => change.prove_primary_email(account, &account.proven_at(now), &Credentials::none()),
            None => change,
        }
    });
    match used.await {
        // The same code was used at the same moment, and the other use won.
        Err(Error::Conflict { .. }) => Err(wrong().into()),
        result => Ok(Json(result?)),
    }
}

/// The code with one try more, counted before it is looked at; `None` when it may not be tried.
async fn tried(state: &IdentityState, row: Option<Row<LoginCode>>) -> mainsheet_core::Result<Option<Row<LoginCode>>> {
    let Some(row) = row.filter(|row| row.value.is_open(state.app.now())) else { return Ok(None) };
    match state.app.store.try_login_code(&row).await {
        Err(Error::Conflict { .. }) => Err(Error::TooManyRequests { retry_after: Duration::from_secs(1) }),
        tried => tried.map(Some),
    }
}

fn wrong() -> Error {
    Error::unauthenticated("wrong or used code, or none that was asked for")
}
