//! `POST /workloads/jobs/{job}/teams`: share a job with more teams.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Command, Result};
use mainsheet_auth::Relation;
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::job::{Job, Shared};
use mainsheet_core::{JobId, TeamId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::JobFor;
use crate::sharing::{TeamIdsWrite, add_teams, require_added};
use crate::view::JobTeamView;

/// The links of the named teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobTeamList {
    items: Vec<JobTeamView>,
}

/// Share a job with teams
///
/// The caller needs `CanManageJobs` over every team that is added.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/teams", operation_id = "addJobTeams", tag = "jobs",
    params(("job" = JobId, Path, description = "The job.")),
    request_body = TeamIdsWrite,
    responses((status = 201, description = "The links of the named teams.", body = JobTeamList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn add(
    State(app): State<App>,
    found: JobFor<CanManageJobs>,
    Command { body, idempotent }: Command<TeamIdsWrite>,
) -> Result<(StatusCode, Json<JobTeamList>)> {
    let (caller, row) = (&found.caller, &found.row);
    if idempotent.earlier::<JobId>()?.is_some() {
        return Ok((StatusCode::CREATED, Json(links(&row.value, &body.team_ids))));
    }
    let change = app.store.change(caller.audit("job.share", &row.value.id));
    let mut job = row.value.clone();
    let since = Shared { created_at: change.now(), created_by: caller.member_id().clone() };
    let added = add_teams(&mut job.team_ids, &mut job.shared, &body.team_ids, &since)?;
    caller.require_in_all(Relation::CanManageJobs, &added)?;
    job.updated_at = change.now();
    job.updated_by = caller.member_id().clone();
    require_added(change, caller, &body.team_ids, &added)
        .replace_job(caller.tenant(), row, &job)
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok((StatusCode::CREATED, Json(links(&job, &body.team_ids))))
}

fn links(job: &Job, teams: &[TeamId]) -> JobTeamList {
    let named = job.team_ids.iter().filter(|team| teams.contains(team));
    JobTeamList { items: named.map(|team| JobTeamView::of(job, team)).collect() }
}
