//! `DELETE /workloads/jobs/{job}/runs/{jobRun}`: the record of a run that has ended, with its log and preview.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Result};
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::Error;
use mainsheet_store::jobs::latest_run;

use crate::access::JobRunFor;

/// Delete a run
///
/// Only one that has ended. Its log and preview go with it; results stay where they were written.
#[utoipa::path(
    delete, path = "/workloads/jobs/{job}/runs/{jobRun}", operation_id = "deleteJobRun", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn delete(State(app): State<App>, found: JobRunFor<CanManageJobs>) -> Result<StatusCode> {
    let (caller, job, run) = (&found.caller, &found.job, &found.row);
    if !run.value.status.is_terminal() {
        let message = "The run has not ended. Cancel it, or wait for its end.";
        return Err(Error::conflict("run_not_ended", message).into());
    }
    let newest = if latest_run(job).as_ref() == Some(&run.value.id) {
        app.store.newest_run_but(caller.tenant(), &job.value.id, &run.value.id).await?
    } else {
        None
    };
    let change = app.store.change(caller.audit("job_run.delete", &run.value.id));
    change.delete_run(caller.tenant(), job, run, newest.as_ref()).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
