//! `POST /workloads/jobs/{job}/activate-version`: another published version comes into force.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Command, Idempotent, IfMatch, Result, Tagged};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::JobId;
use mainsheet_core::job::Job;
use mainsheet_store::{Row, retry_races_from};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::JobFor;
use crate::versions::{query_left, query_taken_up, require_cluster, require_no_draft};
use crate::view::JobView;

/// Which version is to be in force.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobVersionActivate {
    /// The number of a published version.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    version: u32,
}

/// Bring a published version into force
///
/// 404 for a version that was not published, 409 while the job has a draft. The job's description stays. Its cluster, where it is
/// another one than before, has to be active and shared with one of the job's teams, unless the caller may manage clusters. A
/// saved query that is another one than before has to be there, and the caller has to see it: 409 otherwise. Its catalogs, and that
/// of its saved query, have to be shared with one of the job's teams.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/activate-version", operation_id = "activateJobVersion", tag = "jobs",
    params(("job" = JobId, Path, description = "The job."), ("If-Match" = Option<String>, Header, description = "The job's version to change.")),
    request_body = JobVersionActivate,
    responses((status = 200, description = "The job.", body = JobView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn activate(
    State(app): State<App>,
    found: JobFor<CanManageJobs>,
    if_match: IfMatch,
    Command { body, idempotent }: Command<JobVersionActivate>,
) -> Result<Tagged<JobView>> {
    if idempotent.earlier::<JobId>()?.is_some() {
        return Ok(Tagged { body: JobView::from(&found.row), version: found.row.version });
    }
    // A tick of the job may be decided, or something else of it changed, at the same moment: then the job is read again.
    let once = |row| activate_once(&app, &found.caller, row, &if_match, body.version, &idempotent);
    Ok(retry_races_from(found.row.clone(), || found.read_again(&app), once).await?)
}

async fn activate_once(
    app: &App,
    caller: &Caller,
    row: Row<Job>,
    if_match: &IfMatch,
    number: u32,
    idempotent: &Idempotent,
) -> mainsheet_core::Result<Tagged<JobView>> {
    if_match.check(row.version).map_err(|problem| problem.0)?;
    require_no_draft(&row.value)?;
    if row.value.current.number == number {
        return Ok(Tagged { body: JobView::from(&row), version: row.version });
    }
    let version = app.store.job_version(caller.tenant(), &row.value.id, number).await?;
    let query = query_taken_up(app, caller, &row.value, &version).await?;
    let left = query_left(app, caller, &row.value, &version).await?;
    let change = app.store.change(caller.audit("job.version.activate", &row.value.id));
    let mut job = row.value.clone();
    job.current = version;
    job.updated_at = change.now();
    job.updated_by = caller.member_id().clone();
    let view = JobView::after(Some(&row), &job, change.now())?;
    let dependencies = app.store.dependencies(caller.tenant(), Some(&row.value), &job).await?;
    let change = change.activate_version(caller.tenant(), &row, &job, left.as_ref());
    let change = change.depend(caller.tenant(), &dependencies);
    require_cluster(change, caller, &row.value, &job)
        .require_catalogs(caller.tenant(), &job.current.config, query.as_ref(), &job.team_ids)
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(Tagged { body: view, version: row.version + 1 })
}
