//! `GET /workloads/jobs/{job}/runs/{jobRun}/results`: the first rows of a run's result.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::Error;
use mainsheet_core::agent_protocol::ResultPreview;
use mainsheet_core::job_run::RunStatus;

use crate::access::JobRunFor;

/// Show the first rows of a run's result
///
/// At most 100 rows; all of them are at the run's `results.outputPath`. 404 before the run has succeeded.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/runs/{jobRun}/results", operation_id = "getJobRunResults", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    responses((status = 200, description = "The first rows.", body = ResultPreview)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn results(State(app): State<App>, run: JobRunFor<CanViewJobs>) -> Result<Json<ResultPreview>> {
    let job_run = &run.row.value;
    if job_run.status != RunStatus::Succeeded {
        return Err(Error::NotFound.into());
    }
    Ok(Json(app.store.preview(run.caller.tenant(), &job_run.id, job_run.attempt).await?))
}
