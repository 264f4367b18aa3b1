//! `PATCH /org/users/{user}`: change what is given.

use axum::extract::State;
use mainsheet_api::{App, Body, IfMatch, Result, Tagged};
use mainsheet_core::UserId;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_store::Change;
use mainsheet_store::users::Access;

use crate::access::{ManagedUser, OrganizationUser};
use crate::mails::ask_to_confirm;
use crate::routes::users::UserProfileWrite;

/// Change a user
///
/// Managed accounts only. A new address has to be confirmed by the link that is mailed to it; it is for people who hold no more
/// than the caller, and asks for a password or second factor given within the last 10 minutes. Confirming it takes away the account's
/// password, second factor and other addresses, and ends its logins: whoever has the address begins anew.
#[utoipa::path(
    patch, path = "/org/users/{user}", operation_id = "updateUser", tag = "users",
    params(("user" = UserId, Path, description = "The person."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = UserProfileWrite,
    responses((status = 200, description = "The changed person.", body = User, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    ManagedUser(found): ManagedUser,
    if_match: IfMatch,
    Body(body): Body<UserProfileWrite>,
) -> Result<Tagged<User>> {
    let before = &found.user.value;
    if_match.check(found.user.version)?;
    let change = app.store.change(found.caller.audit("user.update", &before.id));
    let user = User { updated_at: change.now(), ..body.applied_to(before) };
    let change = change.details(Some(before), Some(&user)).replace_user(&found.user, &user);
    let change = if NormalizedEmail::of(&before.email) == NormalizedEmail::of(&user.email) {
        change
    } else {
        moved(&app, &found, change, &user).await?
    };
    change.commit().await?;
    Ok(Tagged { body: user, version: found.user.version + 1 })
}

/// The address is another one: whose it is, nobody knows before it is confirmed.
async fn moved<'s>(
    app: &App,
    found: &OrganizationUser,
    change: Change<'s>,
    user: &User,
) -> mainsheet_core::Result<Change<'s>> {
    found.caller.require_recent_proof(app.now())?;
    found.caller.require_to_take_over(&app.store, &found.membership).await?;
    let before = found.access.value.clone();
    let access = Access { email_verified_at: None, contested_until: None, awaited_password: None, ..before };
    ask_to_confirm(app, change.replace_access(&found.access, &access), user).await
}
