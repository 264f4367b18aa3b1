//! `GET /org/users/{user}`: one person.

use mainsheet_api::{Result, Tagged};
use mainsheet_core::UserId;
use mainsheet_core::user::User;

use crate::access::OrganizationUser;

/// Show a user
#[utoipa::path(
    get, path = "/org/users/{user}", operation_id = "getUser", tag = "users",
    params(("user" = UserId, Path, description = "The person.")),
    responses((status = 200, description = "The person.", body = User, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn get(found: OrganizationUser) -> Result<Tagged<User>> {
    Ok(Tagged { body: found.user.value, version: found.user.version })
}
