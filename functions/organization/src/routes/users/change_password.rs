//! `POST /org/users/{user}/password`: one's own password, by proving the present one.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, Member, Path, Result};
use mainsheet_auth::{SignedIn, password};
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, UserId};
use mainsheet_store::throttle::ThrottleKey;
use mainsheet_store::users::Credentials;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::passwords::{password_rule, refuse_leaked};

/// The present password and the next one.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The present password.
    #[garde(skip)]
    #[schema(value_type = String, format = "password")]
    current_password: SecretString,
    /// 12 to 128 characters; no other rules, but not one that is known from leaks.
    #[garde(custom(password_rule))]
    #[schema(value_type = String, format = "password", min_length = 12, max_length = 128)]
    new_password: SecretString,
}

/// Change my password
///
/// Only one's own; ends all other logins. Wrong present passwords count as failed sign-ins. Remembers no `Idempotency-Key`: once
/// changed, the present password is another one.
#[utoipa::path(
    post, path = "/org/users/{user}/password", operation_id = "changeUserPassword", tag = "users",
    params(("user" = UserId, Path, description = "The caller.")),
    request_body = PasswordChange,
    responses((status = 204, description = "The password is changed.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn change_password(
    State(app): State<App>,
    Member(caller): Member,
    Path(user): Path<UserId>,
    Body(body): Body<PasswordChange>,
) -> Result<StatusCode> {
    let person = caller.person().filter(|person| *person.user_id() == user).ok_or(Error::NotFound)?;
    refuse_leaked(&app, &caller, "newPassword", &body.new_password).await?;
    let tries = prove(&app, &user, body.current_password).await?;
    let credentials = Credentials { password_hash: Some(password::hash(body.new_password).await?) };
    replace(&app, person, &credentials, &tries).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The present password is right. Guesses are throttled as sign-ins are; answers what was counted, to be forgiven.
async fn prove(app: &App, user: &UserId, current: SecretString) -> mainsheet_core::Result<[ThrottleKey; 1]> {
    let email = app.store.user(user).await?.value.email;
    let keys = [ThrottleKey::Account(NormalizedEmail::of(&email))];
    let found = app.store.look_up_sign_in(&NormalizedEmail::of(&email), &keys).await?;
    app.store.count_try(&keys, found.throttles).await?;
    let hash = app.store.credentials(user).await?.and_then(|(credentials, _)| credentials.value.password_hash);
    if password::verify(current, hash).await? {
        return Ok(keys);
    }
    Err(Error::invalid("currentPassword", "is not the present password"))
}

async fn replace(
    app: &App,
    signed_in: &SignedIn,
    credentials: &Credentials,
    tries: &[ThrottleKey],
) -> mainsheet_core::Result<()> {
    let change = app.store.change(signed_in.audit("user.change_password", signed_in.user_id()));
    let access = signed_in.access.value.clone().without_other_logins(&signed_in.login.id);
    change
        .replace_credentials(signed_in.user_id(), credentials)
        .forgive(tries)
        .replace_access(&signed_in.access, &access)
        .commit()
        .await
}
