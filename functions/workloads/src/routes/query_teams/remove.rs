//! `DELETE /workloads/queries/{query}/teams/{team}`: stop sharing a saved query with a team.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Path, Result};
use mainsheet_auth::needs::CanManageQueries;
use mainsheet_core::TeamId;
use serde::Deserialize;

use crate::access::QueryFor;
use crate::sharing::remove_team;

/// The parameters of the path.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkPath {
    team: TeamId,
}

/// Stop sharing a saved query with a team
///
/// Refused for the last one.
#[utoipa::path(
    delete, path = "/workloads/queries/{query}/teams/{team}", operation_id = "removeQueryTeam", tag = "queries",
    params(("query" = mainsheet_core::QueryId, Path, description = "The query."), ("team" = TeamId, Path, description = "The team.")),
    responses((status = 204, description = "It is shared no more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageQueries")))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    found: QueryFor<CanManageQueries>,
    Path(path): Path<LinkPath>,
) -> Result<StatusCode> {
    let (caller, row) = (&found.caller, &found.row);
    let mut saved = row.value.clone();
    remove_team(&app, caller, (&mut saved.team_ids, &mut saved.shared), &path.team).await?;
    let change = app.store.change(caller.audit("query.unshare", &saved.query.id));
    saved.query.updated_at = change.now();
    saved.query.updated_by = caller.member_id().clone();
    change.replace_query(caller.tenant(), row, &saved).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
