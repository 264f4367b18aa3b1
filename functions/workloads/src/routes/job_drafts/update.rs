//! `PATCH /workloads/jobs/{job}/draft`: change what is given of the next version.

use axum::extract::State;
use mainsheet_api::{App, Body, IfMatch, Result, Tagged};
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::JobId;
use mainsheet_core::job::{JobDraft, JobVersion};

use super::existing;
use crate::access::DraftFor;
use crate::versions::{JobVersionWrite, VersionSettings, check_rules, check_targets, require_named};
use crate::view::JobVersionView;

/// Change a draft
#[utoipa::path(
    patch, path = "/workloads/jobs/{job}/draft", operation_id = "updateJobDraft", tag = "jobs",
    params(("job" = JobId, Path, description = "The job."), ("If-Match" = Option<String>, Header, description = "The draft's version to change.")),
    request_body = JobVersionWrite,
    responses((status = 200, description = "The changed draft.", body = JobVersionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    found: DraftFor<CanManageJobs>,
    if_match: IfMatch,
    Body(body): Body<JobVersionWrite>,
) -> Result<Tagged<JobVersionView>> {
    let (caller, job) = (&found.caller, &found.job.value);
    let row = existing(found.draft)?;
    if_match.check(row.version)?;
    let before = &row.value.version;
    let JobVersion { number, based_on, created_at, .. } = *before;
    let describes = body.describes() || row.value.describes;
    let version = body.over(VersionSettings::of(before)).published(number, based_on, &before.created_by, created_at);
    check_rules(&job.job_key, &version)?;
    let query = check_targets(&app, caller, job, &version).await?;
    let change = app.store.change(caller.audit("job.draft.update", &job.id));
    let draft = JobDraft { version, describes, updated_at: change.now(), updated_by: caller.member_id().clone() };
    let change = change.replace_draft(&row, &draft);
    require_named(change, caller, job, &draft.version, query.as_ref()).commit().await?;
    Ok(Tagged { body: JobVersionView::draft(job, &draft), version: row.version + 1 })
}
