//! `GET /org`: the organization with its defaults and settings.

use axum::extract::State;
use mainsheet_api::{App, Member, Result, Tagged};
use mainsheet_core::organization::Organization;

/// Show the organization
#[utoipa::path(
    get, path = "/org", operation_id = "getOrganization", tag = "organizations",
    responses((status = 200, description = "The organization.", body = Organization, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(State(app): State<App>, Member(caller): Member) -> Result<Tagged<Organization>> {
    let row = caller.organization(&app.store).await?;
    Ok(Tagged { body: row.value, version: row.version })
}
