//! `DELETE /org/teams/{team}`: remove a team and its seats.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageTeams;
use mainsheet_core::{Error, TeamId};
use mainsheet_store::outbox::Event;

/// Delete a team
///
/// What was shared with it alone is reached by those only who see everything. Its seats go a moment later. The default team,
/// which new members join, stays.
#[utoipa::path(
    delete, path = "/org/teams/{team}", operation_id = "deleteTeam", tag = "teams",
    params(("team" = TeamId, Path, description = "The team."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "The team is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageTeams>,
    Path(team): Path<TeamId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let tenant = caller.tenant();
    let (row, organization) = app.store.team_and_organization(tenant, &team).await?;
    if_match.check(row.version)?;
    if organization.value.default_team_id == team {
        let message = "New members join this team. Name another one in `PATCH /org` first.";
        return Err(Error::conflict("default_team", message).into());
    }
    app.store
        .change(caller.audit("team.delete", &team))
        .details(Some(&row.value), None)
        .delete_team(tenant, &row, &organization)
        .emit(Event::TeamDeleted { team_id: team })
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
