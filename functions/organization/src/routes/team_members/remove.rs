//! `DELETE /org/teams/{team}/members/{member}`: take a member off a team.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Result};
use mainsheet_core::{MemberId, TeamId};

use crate::access::TeamAndMember;
use crate::routes::team_members::require_seat;
use crate::view::MemberItem;

/// Remove a member from a team
///
/// For its Team Admins as well. They stay a member of the organization.
#[utoipa::path(
    delete, path = "/org/teams/{team}/members/{member}", operation_id = "removeTeamMember", tag = "teams",
    params(("team" = TeamId, Path, description = "The team."), ("member" = MemberId, Path, description = "The member.")),
    responses((status = 204, description = "The member has no seat of their own there.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    TeamAndMember { caller, team, member }: TeamAndMember,
) -> Result<StatusCode> {
    let team = &team.value.id;
    require_seat(&member.value, team, app.now())?;
    let before = MemberItem::of(&member.value, app.now());
    let mut record = member.value.clone();
    record.seats.remove(team);
    app.store
        .change(caller.audit("team_member.remove", &member.value.member.id))
        .details(Some(&before), Some(&MemberItem::of(&record, app.now())))
        .change_member(caller.tenant(), &member, &record)
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
