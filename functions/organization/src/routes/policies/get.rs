//! `GET /org/policies/{principal}`: what was given to one principal.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanManagePolicies;

use crate::routes::policies::{Named, OrganizationPolicy, load};

/// Show a policy
#[utoipa::path(
    get, path = "/org/policies/{principal}", operation_id = "getOrganizationPolicy", tag = "authorization-policies",
    params(("principal" = String, Path, description = "`user:ID`, `member:ID`, `team:ID` or `serviceAccount:ID`, percent-encoded.")),
    responses((status = 200, description = "The policy.", body = OrganizationPolicy, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManagePolicies")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanManagePolicies>,
    Path(principal): Path<Named>,
) -> Result<Tagged<OrganizationPolicy>> {
    let row = load(&app, &caller, principal).await?;
    Ok(Tagged { version: row.version, body: row.value.into() })
}
