//! `GET /workloads/jobs/{job}/versions/{jobVersionNumber}`: a job as one of its versions has it.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Result};
use mainsheet_auth::needs::CanViewJobs;
use serde::Deserialize;

use crate::access::JobFor;
use crate::routes::jobs::get::JobDetail;

/// The parameters of the path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionPath {
    job_version_number: u32,
}

/// Show a version of a job
///
/// The job with the settings of a published version, whether it is in force or not.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/versions/{jobVersionNumber}", operation_id = "getJobVersion", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobVersionNumber" = u32, Path, description = "The number of a published version.")),
    responses((status = 200, description = "The job with that version.", body = JobDetail)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    job: JobFor<CanViewJobs>,
    Path(path): Path<VersionPath>,
) -> Result<Json<JobDetail>> {
    let (caller, rows) = (&job.caller, std::slice::from_ref(&job.row));
    let version = app.store.job_version(caller.tenant(), &job.row.value.id, path.job_version_number).await?;
    let links = app.store.links_of_jobs(caller.tenant(), rows).await?;
    Ok(Json(JobDetail::of(&job.row, &version, links)))
}
