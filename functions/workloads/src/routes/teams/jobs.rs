//! `GET /workloads/teams/{team}/jobs`: the jobs that are shared with a team.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::TeamId;
use mainsheet_store::KeptBy;
use mainsheet_store::job_list::JobOrder;

use crate::access::{FEW, TeamFor};
use crate::view::{JobPage, total_of};

/// List the jobs of a team
///
/// Oldest first, each with its latest run.
#[utoipa::path(
    get, path = "/workloads/teams/{team}/jobs", operation_id = "listTeamJobs", tag = "jobs",
    params(("team" = mainsheet_core::TeamId, Path, description = "The team."), ListQuery),
    responses((status = 200, description = "Some of the jobs.", body = JobPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    found: TeamFor<CanViewJobs>,
    Query(query): Query<ListQuery>,
) -> Result<Json<JobPage>> {
    let (tenant, request) = (found.caller.tenant(), query.request()?);
    let shared = |teams: &[TeamId]| teams.contains(&found.team);
    let order = (JobOrder::Creation, false);
    let page = app.store.jobs_shared(tenant, order, &request, FEW, KeptBy::Team(&found.team), shared).await?;
    let links = app.store.links_of_jobs(tenant, &page.rows).await?;
    let total = total_of(&page, &request, None);
    Ok(Json(JobPage::of(page, links, total)))
}
