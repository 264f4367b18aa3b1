//! `POST /org/teams/{team}/members/{member}`: seat a member.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Result};
use mainsheet_core::role::TeamRole;
use mainsheet_core::{MemberId, RoleId, SeatId, TeamId, Timestamp};
use mainsheet_store::teams::Seat;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::TeamAndMember;
use crate::view::{MemberItem, roles_named};

/// A seat to take.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TeamMemberAdd {
    /// What the member will be in the team; its default role unless given.
    #[garde(inner(length(max = 20)))]
    #[schema(max_items = 20, examples(json!(["EDITOR"])))]
    role_ids: Option<Vec<RoleId>>,
}

/// A member's seat in a team.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamMember {
    id: SeatId,
    member_id: MemberId,
    team_id: TeamId,
    /// Whether it comes from a role of the organization; this one does not.
    is_automatic: bool,
    created_at: Timestamp,
    created_by: MemberId,
}

impl TeamMember {
    fn of(team: &TeamId, seat: Seat) -> Self {
        Self {
            id: seat.id,
            member_id: seat.member_id,
            team_id: team.clone(),
            is_automatic: false,
            created_at: seat.created_at,
            created_by: seat.created_by,
        }
    }
}

/// Add a member to a team
///
/// For its Team Admins as well. Who sits in it by a role of the organization can have a seat of their own besides.
#[utoipa::path(
    post, path = "/org/teams/{team}/members/{member}", operation_id = "addTeamMember", tag = "teams",
    params(("team" = TeamId, Path, description = "The team."), ("member" = MemberId, Path, description = "The member.")),
    request_body = TeamMemberAdd,
    responses((status = 201, description = "The seat.", body = TeamMember)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn add(
    State(app): State<App>,
    TeamAndMember { caller, team, member }: TeamAndMember,
    Command { body, idempotent }: Command<TeamMemberAdd>,
) -> Result<(StatusCode, Json<TeamMember>)> {
    let (tenant, team, member_id) = (caller.tenant(), &team.value, &member.value.member.id);
    if idempotent.earlier::<SeatId>()?.is_some() {
        let seat = app.store.seat(tenant, &team.id, member_id).await?.value;
        return Ok((StatusCode::CREATED, Json(TeamMember::of(&team.id, seat))));
    }
    caller.require_to_seat(&app.store, std::slice::from_ref(&team.id)).await?;
    let default = std::slice::from_ref(&team.default_role_id);
    let roles: Vec<TeamRole> = roles_named(body.role_ids.as_deref().unwrap_or(default))?;
    let change = app.store.change(caller.audit("team_member.add", member_id));
    let seat = Seat::new(member_id.clone(), caller.member_id().clone(), change.now());
    let mut record = member.value.clone();
    record.seats.insert(team.id.clone(), roles);
    let now = change.now();
    change
        .details(Some(&MemberItem::of(&member.value, now)), Some(&MemberItem::of(&record, now)))
        .change_membership(tenant, &member, &record)
        .take_seat(tenant, &team.id, &seat)
        .idempotent(idempotent.request(), seat.id.as_str())
        .commit()
        .await?;
    Ok((StatusCode::CREATED, Json(TeamMember::of(&team.id, seat))))
}
