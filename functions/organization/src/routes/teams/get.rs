//! `GET /org/teams/{team}`: one team.

use axum::extract::State;
use mainsheet_api::{App, Member, Path, Result, Tagged};
use mainsheet_core::TeamId;
use mainsheet_core::team::TeamWithCount;
use mainsheet_store::teams::with_count;

/// Show a team
#[utoipa::path(
    get, path = "/org/teams/{team}", operation_id = "getTeam", tag = "teams",
    params(("team" = TeamId, Path, description = "The team.")),
    responses((status = 200, description = "The team.", body = TeamWithCount, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Member(caller): Member,
    Path(team): Path<TeamId>,
) -> Result<Tagged<TeamWithCount>> {
    let row = app.store.team(caller.tenant(), &team).await?;
    let version = row.version;
    Ok(Tagged { body: with_count(row), version })
}
