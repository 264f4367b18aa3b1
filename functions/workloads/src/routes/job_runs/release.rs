//! `POST /workloads/jobs/{job}/runs/{jobRun}/ready`: let a held run go.

use axum::extract::State;
use mainsheet_api::{Action, App, Result, Tagged};
use mainsheet_auth::needs::CanRunJobs;
use mainsheet_core::job_run::{RunEvent, RunStatus};
use mainsheet_core::{Error, JobRunId};
use mainsheet_store::clusters::cluster_unusable;

use crate::access::JobRunFor;
use crate::view::JobRunView;

/// Release a held run
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/runs/{jobRun}/ready", operation_id = "releaseJobRun", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    responses((status = 200, description = "The run.", body = JobRunView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanRunJobs")))
)]
pub(crate) async fn release(
    State(app): State<App>,
    run: JobRunFor<CanRunJobs>,
    Action(idempotent): Action,
) -> Result<Tagged<JobRunView>> {
    let (caller, row) = (&run.caller, &run.row);
    if idempotent.earlier::<JobRunId>()?.is_some() {
        return Ok(Tagged { body: JobRunView::from(&row.value), version: row.version });
    }
    if row.value.status != RunStatus::Pending {
        return Err(Error::conflict("run_not_pending", "Only a pending run can be released.").into());
    }
    let change = app.store.change(caller.audit("job_run.release", &row.value.id));
    let mut run = row.value.clone();
    run.updated_by = Some(caller.member_id().clone());
    run.apply(RunEvent::Release, change.now()).map_err(Error::internal)?;
    // No agent will ever ask for a run of a cluster that was retired meanwhile.
    let gone = |error| if matches!(error, Error::NotFound) { cluster_unusable() } else { error };
    let change = change.require_cluster(caller.tenant(), &run.cluster_id).replace_run(caller.tenant(), row, &run);
    change.idempotent(idempotent.request(), run.id.as_str()).commit().await.map_err(gone)?;
    Ok(Tagged { body: JobRunView::from(&run), version: row.version + 1 })
}
