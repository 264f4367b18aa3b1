//! `DELETE /me/logins/{loginId}`: one login ends.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{Account, App, Path, Result};
use mainsheet_core::{Error, LoginId};

/// End one of my logins
///
/// Its tokens are void at once.
#[utoipa::path(
    delete, path = "/me/logins/{loginId}", operation_id = "revokeMyLogin", tag = "users",
    params(("loginId" = LoginId, Path, description = "The login.")),
    responses((status = 204, description = "The login has ended.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Account(person): Account,
    Path(login_id): Path<LoginId>,
) -> Result<StatusCode> {
    let row = app.store.login(person.user_id(), &login_id).await?;
    let row = row.filter(|row| person.access.value.keeps_alive(&row.value, app.now())).ok_or(Error::NotFound)?;
    let change = app.store.change(person.audit("login.revoke", &login_id)).noted_in(&person.access.value);
    change.revoke_login(&row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
