//! `POST /auth/login`: sign in with address and password.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result, text};
use mainsheet_auth::password;
use mainsheet_core::UserId;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_store::sign_in::Beside;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::sign_in::{LoginResult, SignIn, Way, finish, note_failure, throttle_keys, wrong_password};
use crate::trusted::Shown;

/// An address and its password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254)]
    email: String,
    /// The password.
    #[garde(skip)]
    #[schema(value_type = String, format = "password")]
    password: SecretString,
    /// The client's name for its device, for the list of logins. One that is new to the person is told of by mail.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    device_id: Option<String>,
}

/// Sign in
///
/// Unknown addresses and wrong passwords get the same answer after the same time. Failures make the next try wait, and the
/// tenth for 15 minutes.
#[utoipa::path(
    post, path = "/auth/login", operation_id = "loginWithPassword", tag = "authentication",
    request_body = LoginRequest,
    responses((status = 200, description = "Tokens, or the step that is missing.", body = LoginResult))
)]
pub(crate) async fn login(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    DpopKey(dpop_jkt): DpopKey,
    Shown(trusted_device): Shown,
    Body(body): Body<LoginRequest>,
) -> Result<Json<LoginResult>> {
    let store = &state.app.store;
    let email = NormalizedEmail::of(&body.email);
    let tries = throttle_keys(&email, &origin);
    let found = store.look_up_sign_in(&email, &tries).await?;
    store.count_try(&tries, found.throttles).await?;
    // Nobody's takes as long as somebody's: it is looked up and hashed all the same.
    let user_id = found.user_id.unwrap_or_else(|| UserId::generate(state.app.now()));
    let beside = Beside { trusted_device: trusted_device.as_ref().map(|token| &token.device_id), ..Beside::default() };
    let person = store.at_the_door(&user_id, beside).await?.person;
    let hash = person.as_ref().and_then(|person| person.credentials.value.password_hash.clone());
    let right = password::verify(body.password, hash).await?;
    let person = match person {
        Some(person) if right => person,
        person => {
            note_failure(&state, person.as_ref(), &origin, &tries).await?;
            return Err(wrong_password().into());
        }
    };
    let way = Way::Password;
    let sign_in = SignIn {
        person,
        way,
        device_id: body.device_id,
        trusted_device,
        dpop_jkt,
        single_sign_on: None,
        origin,
        tries,
    };
    Ok(Json(finish(&state, sign_in, |change| change).await?))
}
