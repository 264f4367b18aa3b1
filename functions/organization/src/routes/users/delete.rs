//! `DELETE /org/users/{user}`: the end of an account.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Result};
use mainsheet_core::UserId;
use mainsheet_store::outbox::Event;

use crate::access::ManagedUser;

/// Delete a user
///
/// With their logins, their membership and their seats. Managed accounts only: who has an account of their own is taken out of
/// the organization with `DELETE /org/members/{member}`. The last Owner stays.
#[utoipa::path(
    delete, path = "/org/users/{user}", operation_id = "deleteUser", tag = "users",
    params(("user" = UserId, Path, description = "The person."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "The account is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    ManagedUser(found): ManagedUser,
    if_match: IfMatch,
) -> Result<StatusCode> {
    if_match.check(found.user.version)?;
    let tenant = found.caller.tenant();
    let user_id = found.user.value.id.clone();
    let member = app.store.member(tenant, &found.membership.member_id).await?;
    let team_ids = member.value.seats.keys().cloned().collect();
    app.store
        .change(found.caller.audit("user.delete", &user_id))
        .expel(tenant, &member)
        .delete_user(&found.user, &found.access)
        .emit(Event::MemberRemoved { member_id: member.value.member.id.clone(), team_ids })
        .emit(Event::UserDeleted { user_id })
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
