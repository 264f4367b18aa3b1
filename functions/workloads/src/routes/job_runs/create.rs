//! `POST /workloads/jobs/{job}/runs`: a run of the job's current version.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Result, Tagged, created};
use mainsheet_auth::needs::CanRunJobs;
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::job::{Job, JobVersion};
use mainsheet_core::job_run::{JobRun, ResourceCleanupMode, RunTrigger};
use mainsheet_core::{Error, JobId, JobRunId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::JobFor;
use crate::view::JobRunView;

/// A new run.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobRunCreate {
    /// The job in the path, if it is repeated here.
    #[garde(skip)]
    job_id: Option<JobId>,
    /// A published version; the current one unless given.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    job_version: Option<u32>,
    /// Keeps the run `pending` until it is released.
    #[serde(default)]
    #[garde(skip)]
    hold: bool,
    /// What the agent removes afterwards.
    #[serde(default)]
    #[garde(skip)]
    resource_cleanup_mode: ResourceCleanupMode,
}

/// Run a job
///
/// The run begins `pending` and goes on by itself unless it is held. The cluster of its version has to be active and shared with one
/// of the job's teams, unless the caller may manage clusters.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/runs", operation_id = "createJobRun", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job.")),
    request_body = JobRunCreate,
    responses((status = 201, description = "The new run.", body = JobRunView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanRunJobs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    job: JobFor<CanRunJobs>,
    Command { body, idempotent }: Command<JobRunCreate>,
) -> Result<(StatusCode, Tagged<JobRunView>)> {
    let (caller, job) = (&job.caller, &job.row.value);
    if body.job_id.as_ref().is_some_and(|id| *id != job.id) {
        return Err(Error::malformed("contradictory_ids", "`jobId` is another job than the one in the path.").into());
    }
    if let Some(earlier) = idempotent.earlier::<JobRunId>()? {
        let row = app.store.job_run(caller.tenant(), &job.id, &earlier).await?;
        return Ok(created(JobRunView::from(&row.value), row.version));
    }
    let version = wanted_version(&app, caller, job, body.job_version).await?;
    let trigger = if caller.person().is_some() { RunTrigger::Manual } else { RunTrigger::Api };
    let mut run = JobRun::of(&job.id, &version, trigger, caller.member_id(), app.now());
    run.hold = body.hold;
    run.resource_cleanup_mode = body.resource_cleanup_mode;
    let teams = (!caller.may(Relation::CanManageClusters)).then_some(job.team_ids.as_slice());
    app.store
        .change(caller.audit("job_run.create", &run.id))
        .require_usable_cluster(caller.tenant(), &run.cluster_id, teams)
        .create_run(caller.tenant(), &run)
        .idempotent(idempotent.request(), run.id.as_str())
        .commit()
        .await?;
    Ok(created(JobRunView::from(&run), 1))
}

/// The version that a run is asked for: the current one, or an earlier one that was published.
async fn wanted_version(app: &App, caller: &Caller, job: &Job, number: Option<u32>) -> Result<JobVersion> {
    match number {
        None => Ok(job.current.clone()),
        Some(number) if number == job.current.number => Ok(job.current.clone()),
        Some(number) => match app.store.job_version(caller.tenant(), &job.id, number).await {
            Err(Error::NotFound) => Err(Error::invalid("jobVersion", "is no published version of this job").into()),
            found => Ok(found?),
        },
    }
}
