//! `GET /org/users`: the people of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanManageUsers;
use mainsheet_core::user::User;
use serde::Serialize;
use utoipa::ToSchema;

/// Some of the people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserPage {
    items: Vec<User>,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// List users
///
/// Those who joined first in front.
#[utoipa::path(
    get, path = "/org/users", operation_id = "listUsers", tag = "users",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the people.", body = UserPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanManageUsers>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<UserPage>> {
    let page = app.store.members_by_age(caller.tenant(), &query.request()).await?;
    let items = app.store.users_named(page.rows.iter().map(|row| &row.value.member.user_id)).await?;
    Ok(Json(UserPage { items, marker: page.marker }))
}
