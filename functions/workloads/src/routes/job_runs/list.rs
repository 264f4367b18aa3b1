//! `GET /workloads/jobs/{job}/runs`: the runs of a job, newest first.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, PageOf, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_store::jobs::run_count;

use crate::access::JobFor;
use crate::view::JobRunView;

/// List the runs of a job
///
/// Newest first.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/runs", operation_id = "listJobRuns", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), MarkerQuery),
    responses((status = 200, description = "Some of the runs.", body = PageOf<JobRunView>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    job: JobFor<CanViewJobs>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<PageOf<JobRunView>>> {
    let page = app.store.job_runs(job.caller.tenant(), &job.row.value.id, &query.request()).await?;
    let items = page.rows.iter().map(|row| JobRunView::from(&row.value)).collect();
    Ok(Json(PageOf { total: run_count(&job.row), items, marker: page.marker }))
}
