//! `GET /workloads/jobs/{job}`: one job with its latest run and teams.

use axum::extract::State;
use mainsheet_api::{App, Result, Tagged};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::job::{Job, JobVersion};
use mainsheet_store::Row;
use mainsheet_store::jobs::JobLinks;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::JobFor;
use crate::view::{JobIncluded, JobItem, JobView, Timing};

/// One job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobDetail {
    item: JobItem,
    included: JobIncluded,
}

impl JobDetail {
    /// A job with one of its versions.
    pub(crate) fn of(row: &Row<Job>, version: &JobVersion, links: JobLinks) -> Self {
        let included = JobIncluded::with(vec![JobView::of(&row.value, version, Timing::of(row))], links);
        Self { item: JobItem::from(row), included }
    }
}

/// Show a job
#[utoipa::path(
    get, path = "/workloads/jobs/{job}", operation_id = "getJob", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = JobDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn get(State(app): State<App>, job: JobFor<CanViewJobs>) -> Result<Tagged<JobDetail>> {
    let rows = std::slice::from_ref(&job.row);
    let links = app.store.links_of_jobs(job.caller.tenant(), rows).await?;
    let body = JobDetail::of(&job.row, &job.row.value.current, links);
    Ok(Tagged { body, version: job.row.version })
}
