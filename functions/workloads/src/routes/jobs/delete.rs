//! `DELETE /workloads/jobs/{job}`: the job at once, its versions and runs right after it.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Result};
use mainsheet_auth::needs::CanManageJobs;

use crate::access::JobFor;

/// Delete a job
///
/// Runs that have not ended are stopped; versions, runs, logs and previews are removed. Results stay where they were written.
#[utoipa::path(
    delete, path = "/workloads/jobs/{job}", operation_id = "deleteJob", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    job: JobFor<CanManageJobs>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let (caller, row) = (&job.caller, &job.row);
    if_match.check(row.version)?;
    let query = app.store.query_of(caller.tenant(), &row.value.current).await?;
    let change = app.store.change(caller.audit("job.delete", &row.value.id));
    change.delete_job(caller.tenant(), row, query.as_ref()).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
