//! `DELETE /org/users/{user}/mfa`: wipe a person's second factor.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Result};
use mainsheet_core::UserId;

use crate::access::ManagedUser;

/// Reset a user's second factor
///
/// Ends all their logins. Managed accounts only.
#[utoipa::path(
    delete, path = "/org/users/{user}/mfa", operation_id = "resetUserMfa", tag = "users",
    params(("user" = UserId, Path, description = "The person.")),
    responses((status = 204, description = "The person has no second factor, and is signed out.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn reset_mfa(State(app): State<App>, ManagedUser(found): ManagedUser) -> Result<StatusCode> {
    let user = &found.user.value.id;
    let change = app.store.change(found.caller.audit("user.reset_mfa", user));
    let access = found.access.value.clone().without_logins(change.now());
    change.wipe_second_factors(user).replace_access(&found.access, &access).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
