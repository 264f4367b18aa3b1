//! `GET /me`: who the caller is.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Person, Result};
use mainsheet_core::user::User;
use serde::Serialize;
use utoipa::ToSchema;

/// Who somebody is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// A person.
    user: User,
}

/// Show who I am
#[utoipa::path(
    get, path = "/me", operation_id = "getMe", tag = "users",
    responses((status = 200, description = "The caller.", body = Identity)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn get(State(app): State<App>, Person(person): Person) -> Result<Json<Identity>> {
    Ok(Json(Identity { user: app.store.user(person.user_id()).await?.value }))
}
