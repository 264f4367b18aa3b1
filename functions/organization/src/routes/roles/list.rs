//! `GET /org/roles`: the roles of the organization.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Member, PageQuery, Query, Result, SortDirection};
use mainsheet_core::role::OrganizationRole;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::view::OrganizationRoleWithCounts;

/// What roles can be sorted by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SortBy {
    /// Their names.
    #[default]
    Name,
}

/// Which roles, and in what order.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct RoleSearch {
    /// A part of the name or the description, in any case.
    #[serde(default)]
    #[garde(length(chars, max = 255))]
    #[param(max_length = 255)]
    search: String,
    /// What to sort by.
    #[serde(default, rename = "sortBy")]
    #[garde(skip)]
    #[param(inline)]
    _sort_by: SortBy,
    /// In which direction.
    #[serde(default)]
    #[garde(skip)]
    #[param(inline)]
    sort_direction: SortDirection,
}

impl RoleSearch {
    /// The roles that match, in order; `texts` are a role's name and description.
    pub(crate) fn of<R: Copy>(&self, roles: &[R], texts: impl Fn(R) -> [&'static str; 2]) -> Vec<R> {
        let wanted = self.search.to_lowercase();
        let matches = |role: &R| texts(*role).iter().any(|text| text.to_lowercase().contains(&wanted));
        let mut found: Vec<R> = roles.iter().copied().filter(matches).collect();
        found.sort_by_key(|role| texts(*role)[0]);
        if self.sort_direction == SortDirection::Desc {
            found.reverse();
        }
        found
    }
}

/// Some of the roles of the organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationRolePage {
    /// How many match in all.
    total: usize,
    items: Vec<OrganizationRoleWithCounts>,
}

/// List the roles of the organization
#[utoipa::path(
    get, path = "/org/roles", operation_id = "listOrganizationRoles", tag = "roles",
    params(PageQuery, RoleSearch),
    responses((status = 200, description = "Some of the roles.", body = OrganizationRolePage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(page): Query<PageQuery>,
    Query(search): Query<RoleSearch>,
) -> Result<Json<OrganizationRolePage>> {
    let counts = app.store.member_counts(caller.tenant()).await?;
    let organization = caller.tenant().organization_id();
    let found = search.of(OrganizationRole::ALL, |role| [role.title(), role.description()]);
    let total = found.len();
    let items = page.cut(found.into_iter()).map(|role| OrganizationRoleWithCounts::of(role, organization, &counts));
    Ok(Json(OrganizationRolePage { total, items: items.collect() }))
}
