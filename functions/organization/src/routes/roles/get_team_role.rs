//! `GET /org/team-roles/{role}`: one role of teams with its permissions and bundles.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, Path, Result};
use mainsheet_auth::permission::{bundles_of_team_role, relations_of_team_role};
use mainsheet_core::role::TeamRole;
use mainsheet_core::{Error, RoleId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::roles::{Holdings, PermissionBundle, PermissionView, RoleDetailItem};
use crate::view::TeamRoleWithCounts;

/// A role of teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TeamRoleDetail {
    item: RoleDetailItem,
    included: TeamRoleIncluded,
}

/// What it points at, each once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TeamRoleIncluded {
    roles: Vec<TeamRoleWithCounts>,
    permissions: Vec<PermissionView>,
    bundles: Vec<PermissionBundle>,
}

/// Show a role of teams
#[utoipa::path(
    get, path = "/org/team-roles/{role}", operation_id = "getTeamRole", tag = "roles",
    params(("role" = RoleId, Path, description = "The role.")),
    responses((status = 200, description = "The role.", body = TeamRoleDetail)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Member(caller): Member,
    Path(id): Path<RoleId>,
) -> Result<Json<TeamRoleDetail>> {
    let role = TeamRole::try_from(&id).map_err(|_| Error::NotFound)?;
    let counts = app.store.member_counts(caller.tenant()).await?;
    let organization = caller.tenant().organization_id();
    let holdings = Holdings { bundles: bundles_of_team_role(role), besides: relations_of_team_role(role) };
    let included = TeamRoleIncluded {
        roles: vec![TeamRoleWithCounts::of(role, organization, &counts)],
        permissions: holdings.permissions(),
        bundles: holdings.bundles(organization),
    };
    Ok(Json(TeamRoleDetail { item: holdings.item(id), included }))
}
