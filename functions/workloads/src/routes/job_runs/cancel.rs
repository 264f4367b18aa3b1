//! `POST /workloads/jobs/{job}/runs/{jobRun}/cancel`: stop a run that has not ended.

use axum::extract::State;
use mainsheet_api::{Action, App, Result, Tagged};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanRunJobs;
use mainsheet_core::Error;
use mainsheet_core::job_run::{JobRun, RunEvent};
use mainsheet_store::{Row, retry_races_from};

use crate::access::JobRunFor;
use crate::view::JobRunView;

/// Cancel a run
///
/// A run that no agent has yet is cancelled at once. Another one gets its agent's order to stop, and is `cancelled` within
/// 30 seconds.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/runs/{jobRun}/cancel", operation_id = "cancelJobRun", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    responses((status = 200, description = "The run.", body = JobRunView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanRunJobs")))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    run: JobRunFor<CanRunJobs>,
    Action(idempotent): Action,
) -> Result<Tagged<JobRunView>> {
    let caller = &run.caller;
    if idempotent.earlier::<mainsheet_core::JobRunId>()?.is_some() {
        return Ok(Tagged { body: JobRunView::from(&run.row.value), version: run.row.version });
    }
    // Its agent may report progress at the same moment: then the run is read again.
    let read_again = || app.store.job_run(caller.tenant(), &run.row.value.job_id, &run.row.value.id);
    let once = |row| cancel_once(&app, caller, row, &idempotent);
    let (run, version) = retry_races_from(run.row.clone(), read_again, once).await?;
    Ok(Tagged { body: JobRunView::from(&run), version })
}

async fn cancel_once(
    app: &App,
    caller: &Caller,
    row: Row<JobRun>,
    idempotent: &mainsheet_api::Idempotent,
) -> mainsheet_core::Result<(JobRun, u64)> {
    if row.value.status.is_terminal() {
        return Err(Error::conflict("run_ended", "The run has ended: there is nothing to cancel."));
    }
    if row.value.cancel_requested_at.is_some() {
        return Ok((row.value, row.version));
    }
    let change = app.store.change(caller.audit("job_run.cancel", &row.value.id));
    let now = change.now();
    let mut run = row.value.clone();
    run.updated_by = Some(caller.member_id().clone());
    let change = if run.status.is_active() {
        run.cancel_requested_at = Some(now);
        run.updated_at = now;
        change.order_cancel(caller.tenant(), &row, &run)
    } else {
        run.apply(RunEvent::Cancel, now).map_err(Error::internal)?;
        change.replace_run(caller.tenant(), &row, &run)
    };
    change.idempotent(idempotent.request(), run.id.as_str()).commit().await?;
    Ok((run, row.version + 1))
}
