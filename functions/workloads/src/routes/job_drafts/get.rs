//! `GET /workloads/jobs/{job}/draft`: the next version in the making.

use mainsheet_api::{Result, Tagged};
use mainsheet_auth::needs::CanViewJobs;

use super::existing;
use crate::access::DraftFor;
use crate::view::JobVersionView;

/// Show a draft
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/draft", operation_id = "getJobDraft", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job.")),
    responses((status = 200, description = "The draft.", body = JobVersionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn get(found: DraftFor<CanViewJobs>) -> Result<Tagged<JobVersionView>> {
    let draft = existing(found.draft)?;
    Ok(Tagged { body: JobVersionView::draft(&found.job.value, &draft.value), version: draft.version })
}
