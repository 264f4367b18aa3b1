//! `GET /me`: who the caller is.

use axum::extract::State;
use mainsheet_api::{Anyone, App, Result, Tagged};
use mainsheet_auth::Subject;
use mainsheet_core::service_account::ServiceAccount;
use mainsheet_core::user::User;
use mainsheet_store::service_accounts::tenant_of_key;
use serde::Serialize;
use utoipa::ToSchema;

/// Who somebody is: exactly one of these.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// A person.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    /// A machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<ServiceAccount>,
}

impl Identity {
    /// A person.
    pub(crate) fn of_user(user: User) -> Self {
        Self { user: Some(user), service_account: None }
    }
}

/// Show who I am
#[utoipa::path(
    get, path = "/me", operation_id = "getMe", tag = "users",
    responses((status = 200, description = "The caller.", body = Identity, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn get(State(app): State<App>, Anyone(subject): Anyone) -> Result<Tagged<Identity>> {
    match subject {
        Subject::Person(person) => {
            let row = app.store.user(person.user_id()).await?;
            Ok(Tagged { body: Identity::of_user(row.value), version: row.version })
        }
        Subject::ServiceAccount(account) => {
            let tenant = tenant_of_key(&account.key);
            let row = app.store.service_account(&tenant, &account.key.value.service_account_id).await?;
            Ok(Tagged { body: Identity { user: None, service_account: Some(row.value) }, version: row.version })
        }
    }
}
