//! `GET /me/emails`: the caller's addresses.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Account, App, MarkerPage, MarkerQuery, Query, Result};

use super::view::UserEmail;

/// List my addresses
///
/// The primary one among them, in alphabetical order.
#[utoipa::path(
    get, path = "/me/emails", operation_id = "listMyEmails", tag = "users",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the addresses.", body = MarkerPage<UserEmail>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Account(person): Account,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MarkerPage<UserEmail>>> {
    let page = app.store.user_emails(person.user_id(), &query.request()).await?;
    Ok(Json(page.map(|row| row.value.into()).into()))
}
