//! `DELETE /workloads/jobs/{job}/teams/{team}`: stop sharing a job with a team.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Path, Result};
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::TeamId;
use serde::Deserialize;

use crate::access::JobFor;
use crate::sharing::remove_team;

/// The parameters of the path.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkPath {
    team: TeamId,
}

/// Stop sharing a job with a team
///
/// Refused for the last one.
#[utoipa::path(
    delete, path = "/workloads/jobs/{job}/teams/{team}", operation_id = "removeJobTeam", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("team" = TeamId, Path, description = "The team.")),
    responses((status = 204, description = "It is shared no more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    found: JobFor<CanManageJobs>,
    Path(path): Path<LinkPath>,
) -> Result<StatusCode> {
    let (caller, row) = (&found.caller, &found.row);
    let mut job = row.value.clone();
    remove_team(&app, caller, (&mut job.team_ids, &mut job.shared), &path.team).await?;
    let change = app.store.change(caller.audit("job.unshare", &job.id));
    job.updated_at = change.now();
    job.updated_by = caller.member_id().clone();
    change.replace_job(caller.tenant(), row, &job).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
