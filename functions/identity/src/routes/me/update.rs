//! `PATCH /me`: the caller's own profile.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Account, App, Body, IfMatch, Result, Tagged, text};
use mainsheet_core::Error;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_store::Row;
use mainsheet_store::emails::UserEmail;
use mainsheet_store::users::Access;
use serde::Deserialize;
use utoipa::ToSchema;

use super::get::Identity;

/// What changes. What is absent stays as it is.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserProfileWrite {
    /// The primary address: one of their confirmed ones.
    #[garde(inner(length(chars, max = 254), email))]
    #[schema(format = "email", max_length = 254, examples("alice@example.com"))]
    email: Option<String>,
    /// First name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    given_name: Option<String>,
    /// Last name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    family_name: Option<String>,
    /// What to call them. Unless they said so once, it is their names, else the address.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
}

/// Change my profile
///
/// Another primary address asks for a password or second factor given within the last 10 minutes.
#[utoipa::path(
    patch, path = "/me", operation_id = "updateMe", tag = "users",
    params(("If-Match" = Option<String>, Header, description = "The version that the change is meant for.")),
    request_body = UserProfileWrite,
    responses((status = 200, description = "The caller.", body = Identity, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    Account(person): Account,
    if_match: IfMatch,
    Body(body): Body<UserProfileWrite>,
) -> Result<Tagged<Identity>> {
    let email = body.email.as_deref().map(NormalizedEmail::of);
    let (row, known) = match &email {
        None => (app.store.user(person.user_id()).await?, None),
        Some(email) => app.store.profile_and_email(person.user_id(), email).await?,
    };
    if_match.check(row.version)?;
    let moved = email.filter(|email| *email != NormalizedEmail::of(&row.value.email));
    let change = app.store.change(person.audit("user.update", person.user_id()));
    let user = changed(&row.value, body, change.now());
    let change = change.details(Some(&row.value), Some(&user)).replace_profile(&row, &user);
    let change = match moved {
        None => change,
        Some(_) => {
            person.login.require_recent_proof(app.now())?;
            let verified_at = confirmed(known)?;
            let before = person.access.value.clone();
            let access = Access { email_verified_at: Some(verified_at), awaited_password: None, ..before };
            let change = change.replace_access(&person.access, &access);
            match person.access.value.email_verified_at {
                Some(_) => change,
                // Whoever really has the old address must not get in by it.
                None => change.drop_email(person.user_id(), &NormalizedEmail::of(&row.value.email)),
            }
        }
    };
    change.commit().await?;
    Ok(Tagged { body: Identity::of_user(user), version: row.version + 1 })
}

fn confirmed(known: Option<Row<UserEmail>>) -> mainsheet_core::Result<mainsheet_core::Timestamp> {
    let verified_at = known.and_then(|row| row.value.verified_at);
    verified_at
        .ok_or_else(|| Error::invalid("email", "is no confirmed address of yours; add it to your addresses first"))
}

fn changed(before: &User, body: UserProfileWrite, now: mainsheet_core::Timestamp) -> User {
    let named = |user: &User| User::named(user.given_name.as_deref(), user.family_name.as_deref(), &user.email);
    let user = User {
        email: body.email.unwrap_or_else(|| before.email.clone()),
        given_name: body.given_name.or_else(|| before.given_name.clone()),
        family_name: body.family_name.or_else(|| before.family_name.clone()),
        updated_at: now,
        ..before.clone()
    };
    let derived = (before.display_name == named(before)).then(|| named(&user));
    let display_name = body.display_name.or(derived).unwrap_or_else(|| before.display_name.clone());
    User { display_name, ..user }
}
