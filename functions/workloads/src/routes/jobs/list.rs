//! `GET /workloads/jobs`: all jobs of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewJobs;

use crate::view::JobPage;

/// List jobs
///
/// Oldest first, each with its latest run.
#[utoipa::path(
    get, path = "/workloads/jobs", operation_id = "listJobs", tag = "jobs",
    params(ListQuery),
    responses((status = 200, description = "Some of the jobs.", body = JobPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewJobs>,
    Query(query): Query<ListQuery>,
) -> Result<Json<JobPage>> {
    let page = app.store.jobs(caller.tenant(), &query.request()?).await?;
    let links = app.store.links_of_jobs(caller.tenant(), &page.rows).await?;
    let total = Some(links.total);
    Ok(Json(JobPage::of(page, links, total)))
}
