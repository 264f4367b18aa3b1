//! `PATCH /workloads/jobs/{job}`: change key, status or description; the rest goes through versions.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Result, Tagged, text};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::Error;
use mainsheet_core::job::{Job, JobStatus};
use mainsheet_store::{Row, retry_races_from};
use serde::Deserialize;
use utoipa::ToSchema;

use super::create::slug;
use crate::access::JobFor;
use crate::view::JobView;

/// What to change of a job. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobUpdate {
    /// Lower-case letters, digits, `-` and `_`, beginning and ending with a letter or digit; unique in the organization. Jobs
    /// that depend on this one name it by its key.
    #[garde(inner(length(chars, min = 1, max = 255), custom(slug)))]
    #[schema(min_length = 1, max_length = 255, pattern = "^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$")]
    job_key: Option<String>,
    /// `paused` stops scheduled runs only.
    #[garde(skip)]
    status: Option<JobStatus>,
    /// What it is for.
    #[garde(inner(length(chars, max = 1023)), custom(text::optional_lines))]
    #[schema(max_length = 1023)]
    description: Option<String>,
    /// The version that has to be in force for the change to take place.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    version: Option<u32>,
}

/// Change a job
///
/// Settings of its execution are changed by versions.
#[utoipa::path(
    patch, path = "/workloads/jobs/{job}", operation_id = "updateJob", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = JobUpdate,
    responses((status = 200, description = "The changed job.", body = JobView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    found: JobFor<CanManageJobs>,
    if_match: IfMatch,
    Body(body): Body<JobUpdate>,
) -> Result<Tagged<JobView>> {
    // A tick of the job may be decided, or something else of it changed, at the same moment: then the job is read again.
    let once = |row| update_once(&app, &found.caller, row, &if_match, &body);
    Ok(retry_races_from(found.row.clone(), || found.read_again(&app), once).await?)
}

async fn update_once(
    app: &App,
    caller: &Caller,
    row: Row<Job>,
    if_match: &IfMatch,
    body: &JobUpdate,
) -> mainsheet_core::Result<Tagged<JobView>> {
    if_match.check(row.version).map_err(|problem| problem.0)?;
    if body.version.is_some_and(|version| version != row.value.current.number) {
        let message = format!("Version {} of the job is in force.", row.value.current.number);
        return Err(Error::conflict("other_version_in_force", message));
    }
    let change = app.store.change(caller.audit("job.update", &row.value.id));
    let mut job = row.value.clone();
    job.job_key = body.job_key.clone().unwrap_or(job.job_key);
    job.status = body.status.unwrap_or(job.status);
    job.description = body.description.clone().or(job.description);
    job.updated_at = change.now();
    job.updated_by = caller.member_id().clone();
    if job.current.depends_on.iter().any(|dependency| dependency.job_key == job.job_key) {
        return Err(Error::invalid("jobKey", "is the key of a job that this one depends on"));
    }
    let view = JobView::after(Some(&row), &job, change.now())?;
    let dependencies = app.store.dependencies(caller.tenant(), Some(&row.value), &job).await?;
    change.replace_job(caller.tenant(), &row, &job).depend(caller.tenant(), &dependencies).commit().await?;
    Ok(Tagged { body: view, version: row.version + 1 })
}
