//! `PUT /org/teams/{team}/members/{member}/roles`: what a member is in a team.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Body, Result};
use mainsheet_core::{MemberId, TeamId};

use crate::access::TeamAndMember;
use crate::routes::members::set_roles::RoleIdsWrite;
use crate::routes::team_members::require_seat;
use crate::view::{MemberItem, roles_named};

/// Set a member's roles in a team
///
/// Takes the place of all of them. For its Team Admins as well.
#[utoipa::path(
    put, path = "/org/teams/{team}/members/{member}/roles", operation_id = "setTeamMemberRoles", tag = "teams",
    params(("team" = TeamId, Path, description = "The team."), ("member" = MemberId, Path, description = "The member.")),
    request_body = RoleIdsWrite,
    responses((status = 204, description = "The member has these roles in the team.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn set_roles(
    State(app): State<App>,
    TeamAndMember { caller, team, member }: TeamAndMember,
    Body(body): Body<RoleIdsWrite>,
) -> Result<StatusCode> {
    let team = &team.value.id;
    require_seat(&member.value, team, app.now())?;
    let roles = roles_named(&body.role_ids)?;
    let before = MemberItem::of(&member.value, app.now());
    let mut record = member.value.clone();
    record.seats.insert(team.clone(), roles);
    app.store
        .change(caller.audit("team_member.set_roles", &member.value.member.id))
        .details(Some(&before), Some(&MemberItem::of(&record, app.now())))
        .change_member(caller.tenant(), &member, &record)
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
