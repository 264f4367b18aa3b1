//! `GET /workloads/jobs/{job}/versions`: the published versions of a job.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, PageOf, Query, Result};
use mainsheet_auth::needs::CanViewJobs;

use crate::access::JobFor;
use crate::view::JobVersionView;

/// List the versions of a job
///
/// Those that were published, by number.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/versions", operation_id = "listJobVersions", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ListQuery),
    responses((status = 200, description = "Some of the versions.", body = PageOf<JobVersionView>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    job: JobFor<CanViewJobs>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<JobVersionView>>> {
    let (caller, job) = (&job.caller, &job.row.value);
    let page = app.store.job_versions(caller.tenant(), &job.id, &query.request()?).await?;
    let items = page.rows.iter().map(|version| JobVersionView::published(&job.id, version)).collect();
    Ok(Json(PageOf { total: job.newest_version.into(), items, marker: page.marker }))
}
