//! `POST /workloads/jobs/{job}/activate-version`: another published version comes into force.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Command, IfMatch, Result, Tagged};
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::JobId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::JobFor;
use crate::versions::{query_left, require_cluster, require_no_draft};
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
/// another one than before, has to be active and shared with one of the job's teams, unless the caller may manage clusters.
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
    let (caller, row) = (&found.caller, &found.row);
    let is_in_force = row.value.current.number == body.version;
    if idempotent.earlier::<JobId>()?.is_some() {
        return Ok(Tagged { body: JobView::from(row), version: row.version });
    }
    if_match.check(row.version)?;
    require_no_draft(&row.value)?;
    if is_in_force {
        return Ok(Tagged { body: JobView::from(row), version: row.version });
    }
    let version = app.store.job_version(caller.tenant(), &row.value.id, body.version).await?;
    let left = query_left(&app, caller, &row.value, &version).await?;
    let change = app.store.change(caller.audit("job.version.activate", &row.value.id));
    let mut job = row.value.clone();
    job.current = version;
    job.updated_at = change.now();
    job.updated_by = caller.member_id().clone();
    let view = JobView::after(Some(row), &job, change.now())?;
    let dependencies = app.store.dependencies(caller.tenant(), Some(&row.value), &job).await?;
    let change = change.activate_version(caller.tenant(), row, &job, left.as_ref());
    let change = change.depend(caller.tenant(), &dependencies);
    require_cluster(change, caller, &row.value, &job)
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(Tagged { body: view, version: row.version + 1 })
}
