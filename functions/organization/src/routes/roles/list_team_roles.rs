//! `GET /org/team-roles`: the roles of teams.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, PageQuery, Query, Result};
use mainsheet_core::role::TeamRole;
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::roles::list::RoleSearch;
use crate::view::TeamRoleWithCounts;

/// Some of the roles of teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TeamRolePage {
    /// How many match in all.
    total: usize,
    items: Vec<TeamRoleWithCounts>,
}

/// List the roles of teams
#[utoipa::path(
    get, path = "/org/team-roles", operation_id = "listTeamRoles", tag = "roles",
    params(PageQuery, RoleSearch),
    responses((status = 200, description = "Some of the roles.", body = TeamRolePage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(page): Query<PageQuery>,
    Query(search): Query<RoleSearch>,
) -> Result<Json<TeamRolePage>> {
    let counts = app.store.member_counts(caller.tenant()).await?;
    let organization = caller.tenant().organization_id();
    let found = search.of(TeamRole::ALL, |role| [role.title(), role.description()]);
    let total = found.len();
    let items = page.cut(found.into_iter()).map(|role| TeamRoleWithCounts::of(role, organization, &counts));
    Ok(Json(TeamRolePage { total, items: items.collect() }))
}
