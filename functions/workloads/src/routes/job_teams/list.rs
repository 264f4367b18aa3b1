//! `GET /workloads/jobs/{job}/teams`: the teams that a job is shared with.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, PageOf, PageQuery, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::team::TeamWithCount;
use mainsheet_store::teams::with_count;

use crate::access::JobFor;

/// List the teams of a job
///
/// In the order in which it was shared with them.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/teams", operation_id = "listJobTeams", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), PageQuery),
    responses((status = 200, description = "Some of the teams.", body = PageOf<TeamWithCount>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    job: JobFor<CanViewJobs>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageOf<TeamWithCount>>> {
    let teams = app.store.teams_named(job.caller.tenant(), &job.row.value.team_ids).await?;
    let total = teams.len() as u64;
    let items = query.cut(teams.into_iter()).map(with_count).collect();
    Ok(Json(PageOf { total, items, marker: None }))
}
