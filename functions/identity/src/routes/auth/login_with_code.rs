//! `POST /auth/login/code/verify`: sign in with a mailed code.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result};
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, UserId};
use mainsheet_store::Change;
use mainsheet_store::Row;
use mainsheet_store::sign_in::{AtTheDoor, Beside, LoginCode};
use mainsheet_store::users::{Access, Credentials};
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
/// person's own: one that nobody had confirmed is confirmed by it, and a password that was set before is void then.
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
    let confirmed = Confirmed::by_code(&mut person, &email, state.app.now());
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
        confirmed.iter().fold(change, |change, confirmed| confirmed.apply(change))
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

/// A primary address that nobody had confirmed, and was by a code.
struct Confirmed {
    person: AtTheDoor,
    access: Access,
}

impl Confirmed {
    /// What has to change, if anything; `person` is as they are with it.
    fn by_code(person: &mut AtTheDoor, email: &NormalizedEmail, now: mainsheet_core::Timestamp) -> Option<Self> {
        let is_primary = NormalizedEmail::of(&person.user.value.email) == *email;
        if person.access.value.email_verified_at.is_some() || !is_primary {
            return None;
        }
        let before = person.clone();
        person.access.value.email_verified_at = Some(now);
        person.access.value.contested_until = None;
        // Whoever set the password did not show that the address is theirs.
        person.credentials.value = Credentials::none();
        Some(Self { person: before, access: person.access.value.clone() })
    }

    fn apply<'s>(&self, change: Change<'s>) -> Change<'s> {
        change
            .replace_access(&self.person.access, &self.access)
            .change_credentials(&self.person.credentials, &Credentials::none())
            .confirm_primary_email(&self.person.user.value)
    }
}
