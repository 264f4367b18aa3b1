//! `GET /me/logins`: where the caller is signed in.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Account, App, Result};
use mainsheet_core::{LoginId, Timestamp};
use mainsheet_store::users::Login as Record;
use serde::Serialize;
use utoipa::ToSchema;

/// Logins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginList {
    items: Vec<Login>,
}

/// Somebody's being signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Login {
    /// Its id.
    id: LoginId,
    /// The client's name for its device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    /// When they proved who they are.
    auth_time: Timestamp,
    /// When its tokens were last refreshed.
    last_used_at: Timestamp,
    /// When it ends unless refreshed.
    expires_at: Timestamp,
    /// The network address that it began from.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
    /// The software that it began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    is_current: bool,
}

impl Login {
    fn of(login: Record, current: &LoginId) -> Self {
        Self {
            is_current: login.id == *current,
            id: login.id,
            device_id: login.device_id,
            auth_time: login.auth_time,
            last_used_at: login.last_used_at,
            expires_at: login.expires_at,
            remote_ip: login.remote_ip,
            user_agent: login.user_agent,
        }
    }
}

/// List my logins
///
/// Those that go on, newest first, 100 at most.
#[utoipa::path(
    get, path = "/me/logins", operation_id = "listMyLogins", tag = "users",
    responses((status = 200, description = "The logins.", body = LoginList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn list(State(app): State<App>, Account(person): Account) -> Result<Json<LoginList>> {
    let now = app.now();
    let rows = app.store.logins(person.user_id()).await?.into_iter();
    let alive = rows.filter(|row| person.access.value.keeps_alive(&row.value, now));
    Ok(Json(LoginList { items: alive.map(|row| Login::of(row.value, &person.login.id)).collect() }))
}
