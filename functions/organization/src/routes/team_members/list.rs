//! `GET /org/teams/{team}/members`: who sits in a team.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, PageQuery, Path, Query, Result};
use mainsheet_auth::Relation;
use mainsheet_core::TeamId;
use mainsheet_store::members::MemberRecord;
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::members::search::Order;
use crate::view::{TeamMemberIncluded, TeamMemberItem};

/// Some of the members of a team.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TeamMemberPage {
    /// How many sit in it in all. Absent where the list goes on after this answer or began before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    items: Vec<TeamMemberItem>,
    included: TeamMemberIncluded,
}

/// List the members of a team
///
/// For who sits in it, and who manages teams. Whom a role of the organization seats in every team is among them.
#[utoipa::path(
    get, path = "/org/teams/{team}/members", operation_id = "listTeamMembers", tag = "teams",
    params(("team" = TeamId, Path, description = "The team."), PageQuery, Order),
    responses((status = 200, description = "Some of its members.", body = TeamMemberPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Path(team): Path<TeamId>,
    Query(page): Query<PageQuery>,
    Query(order): Query<Order>,
) -> Result<Json<TeamMemberPage>> {
    let tenant = caller.tenant();
    let _ = app.store.team(tenant, &team).await?;
    if !caller.sits_in(&team) {
        caller.require_in_all(Relation::CanManageTeams, std::slice::from_ref(&team))?;
    }
    let (now, request) = (app.now(), page.request()?);
    let sits = |record: &MemberRecord| record.is_in_all_teams(now) || record.seats.contains_key(&team);
    let found = app.store.members_where(tenant, (order.sort_by.into(), order.is_descending()), &request, sits).await?;
    let links = app.store.links_of_members(tenant, &found.rows).await?;
    Ok(Json(TeamMemberPage {
        total: found.known_total(&request),
        items: found.rows.iter().map(|row| TeamMemberItem::of(&row.value, &team, now)).collect(),
        included: TeamMemberIncluded::of(tenant.organization_id(), &found.rows, links, now),
    }))
}
