//! `POST /auth/logout`: end the current login.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Person, Result};

/// Sign out
///
/// The tokens of the login are void at once.
#[utoipa::path(
    post, path = "/auth/logout", operation_id = "logout", tag = "authentication",
    responses((status = 204, description = "The login has ended.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn logout(State(app): State<App>, Person(person): Person) -> Result<StatusCode> {
    let change = app.store.change(person.audit("login.end", &person.login.id)).noted_in(&person.access.value);
    change.end_login(person.user_id(), &person.login.id).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
