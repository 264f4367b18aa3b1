//! `POST /workloads/jobs/{job}/runs/{jobRun}/retry`: do a run again that did not succeed.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Command, Result, Tagged};
use mainsheet_auth::needs::CanRunJobs;
use mainsheet_core::job_run::RunEvent;
use mainsheet_core::{Error, JobRunId};
use mainsheet_store::clusters::cluster_unusable;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::JobRunFor;
use crate::view::JobRunView;

/// How to try a run again.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRunRetry {
    /// Keeps the run `pending` until it is released.
    #[serde(default)]
    #[garde(skip)]
    hold: bool,
}

/// Retry a run
///
/// The same run with the same version; its logs so far stay. Only a run that failed, timed out or was cancelled can be retried.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/runs/{jobRun}/retry", operation_id = "retryJobRun", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = JobRunId, Path, description = "The run.")),
    request_body = JobRunRetry,
    responses((status = 200, description = "The run.", body = JobRunView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanRunJobs")))
)]
pub(crate) async fn retry(
    State(app): State<App>,
    found: JobRunFor<CanRunJobs>,
    Command { body, idempotent }: Command<JobRunRetry>,
) -> Result<Tagged<JobRunView>> {
    let (caller, row) = (&found.caller, &found.row);
    if idempotent.earlier::<JobRunId>()?.is_some() {
        return Ok(Tagged { body: JobRunView::from(&row.value), version: row.version });
    }
    let change = app.store.change(caller.audit("job_run.retry", &row.value.id));
    let mut run = row.value.clone();
    let event = if body.hold { RunEvent::RetryHeld } else { RunEvent::Retry };
    let refused = |_| {
        let message = "Only a run that failed, timed out or was cancelled can be retried.";
        Error::conflict("run_not_retryable", message)
    };
    run.apply(event, change.now()).map_err(refused)?;
    run.updated_by = Some(caller.member_id().clone());
    // No agent will ever ask for a run of a cluster that was retired meanwhile.
    let gone = |error| if matches!(error, Error::NotFound) { cluster_unusable() } else { error };
    let change = change.replace_run(caller.tenant(), row, &run).require_cluster(caller.tenant(), &run.cluster_id);
    change.idempotent(idempotent.request(), run.id.as_str()).commit().await.map_err(gone)?;
    Ok(Tagged { body: JobRunView::from(&run), version: row.version + 1 })
}
