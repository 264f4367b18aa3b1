//! `GET /org/policies`: what was given to whom.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerPage, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanManagePolicies;

use crate::routes::policies::OrganizationPolicy;

/// List policies
///
/// By kind of principal, then by id. One whose time has passed is shown until it is deleted.
#[utoipa::path(
    get, path = "/org/policies", operation_id = "listOrganizationPolicies", tag = "authorization-policies",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the policies.", body = MarkerPage<OrganizationPolicy>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManagePolicies")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanManagePolicies>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MarkerPage<OrganizationPolicy>>> {
    let page = app.store.policies(caller.tenant(), &query.request()).await?;
    Ok(Json(page.map(|row| row.value.into()).into()))
}
