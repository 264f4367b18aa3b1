//! `POST /auth/login`: sign in with address and password.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result, text};
use mainsheet_auth::password;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, UserId};
use mainsheet_store::Row;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::throttle::ThrottleKey;
use mainsheet_store::users::Access;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::sign_in::{LoginResult, new_login};

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
    /// The client's name for its device, for the list of logins.
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
    Body(body): Body<LoginRequest>,
) -> Result<Json<LoginResult>> {
    let app = &state.app;
    let email = NormalizedEmail::of(&body.email);
    let keys = throttle_keys(&email, &origin);
    let found = app.store.look_up_sign_in(&email, &keys).await?;
    let waits = found.throttles.iter().flatten().filter_map(|throttle| throttle.value.wait(app.now()));
    if let Some(retry_after) = waits.max() {
        return Err(Error::TooManyRequests { retry_after }.into());
    }
    let Some((user, access)) = check_password(app, found.user_id, body.password).await? else {
        app.store.count_failures(&keys, &found.throttles).await?;
        return Err(Error::unauthenticated("wrong address or password").into());
    };
    let organizations = app.store.organizations_of(&access.value).await?;
    let settings = || organizations.iter().map(|row| &row.value.settings.auth);
    if !organizations.is_empty() && !settings().any(|auth| auth.allow_login_with_password) {
        return Err(password_login_disabled().into());
    }
    if access.value.email_verified_at.is_none() && settings().any(|auth| auth.require_email_verification) {
        return Ok(Json(LoginResult::verify_email()));
    }
    let failed_before = found.throttles.first().is_some_and(Option::is_some);
    Ok(Json(sign_in(&state, (&user, &access.value), body.device_id, origin, failed_before.then_some(&keys[0])).await?))
}

/// Failures count for the account, existing or not, and for the network address.
fn throttle_keys(email: &NormalizedEmail, origin: &Origin) -> Vec<ThrottleKey> {
    let address = origin.address.clone().map(ThrottleKey::Address);
    [Some(ThrottleKey::Account(email.clone())), address].into_iter().flatten().collect()
}

/// Whose password it is. Nobody's takes as long as somebody's: it is looked up and hashed all the same.
async fn check_password(
    app: &App,
    user: Option<UserId>,
    password: SecretString,
) -> Result<Option<(UserId, Row<Access>)>> {
    let user = user.unwrap_or_else(|| UserId::generate(app.now()));
    let found = app.store.credentials(&user).await?;
    let (hash, access) = found.map(|(credentials, access)| (credentials.value.password_hash, access)).unzip();
    let right = password::verify(password, hash).await?;
    Ok(access.filter(|_| right).map(|access| (user, access)))
}

async fn sign_in(
    state: &IdentityState,
    (user, access): (&UserId, &Access),
    device_id: Option<String>,
    origin: Origin,
    served: Option<&ThrottleKey>,
) -> Result<LoginResult> {
    let now = state.app.now();
    let (login, refresh) = new_login(user, device_id, now)?;
    let audit = Audit {
        scope: Scope::User(user.clone()),
        actor: Actor::User { user_id: user.clone() },
        origin,
        action: "login.create",
        target: login.id.to_string(),
    };
    let change = state.app.store.change(audit).noted_in(access).create_login(&login);
    let change = match served {
        Some(key) => change.forget_failures(key),
        None => change,
    };
    change.commit().await?;
    Ok(LoginResult::tokens(&state.access_key, &refresh, access, now)?)
}

fn password_login_disabled() -> Error {
    Error::Forbidden {
        code: "password_login_disabled",
        message: "Your organization does not let people sign in with a password. Use another way.".to_owned(),
    }
}
