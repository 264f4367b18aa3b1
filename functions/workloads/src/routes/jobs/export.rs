//! `GET /workloads/jobs/{job}/export`: a job as a file that a repository can hold.

use mainsheet_api::{Result, Tagged};
use mainsheet_auth::needs::CanViewJobs;

use super::create::JobCreate;
use crate::access::JobFor;

/// Export a job
///
/// What creates the same job elsewhere, and what `PUT /workloads/jobs/by-key/{jobKey}` takes. Sending it back changes nothing.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/export", operation_id = "exportJob", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job.")),
    responses((status = 200, description = "The job as a file.", body = JobCreate, headers(("ETag" = String, description = "The job's version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn export(job: JobFor<CanViewJobs>) -> Result<Tagged<JobCreate>> {
    Ok(Tagged { body: JobCreate::from(&job.row.value), version: job.row.version })
}
