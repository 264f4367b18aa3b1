//! `GET /me/organizations`: the organizations that the caller is a member of.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Person, Result};
use mainsheet_core::organization::Organization;
use serde::Serialize;
use utoipa::ToSchema;

/// Organizations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationList {
    items: Vec<Organization>,
}

/// List my organizations
///
/// For choosing one with `LakeSail-Organization-Id`. Who came in by an organization's identity provider is shown that one alone.
#[utoipa::path(
    get, path = "/me/organizations", operation_id = "listMyOrganizations", tag = "organizations",
    responses((status = 200, description = "The organizations.", body = OrganizationList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn organizations(State(app): State<App>, Person(person): Person) -> Result<Json<OrganizationList>> {
    let rows = app.store.organizations_of(&person.access.value).await?;
    let reach = person.login.single_sign_on.map(|session| session.organization_id);
    let reached = |organization: &Organization| reach.as_ref().is_none_or(|reach| *reach == organization.id);
    Ok(Json(OrganizationList { items: rows.into_iter().map(|row| row.value).filter(reached).collect() }))
}
