//! `GET /workloads/jobs/{job}/runs/{jobRun}`: one run.

use mainsheet_api::{Result, Tagged};
use mainsheet_auth::needs::CanViewJobs;

use crate::access::JobRunFor;
use crate::view::JobRunView;

/// Show a run
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/runs/{jobRun}", operation_id = "getJobRun", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    responses((status = 200, description = "The run.", body = JobRunView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn get(run: JobRunFor<CanViewJobs>) -> Result<Tagged<JobRunView>> {
    Ok(Tagged { body: JobRunView::from(&run.row.value), version: run.row.version })
}
