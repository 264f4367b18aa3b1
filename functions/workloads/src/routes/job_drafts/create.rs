//! `POST /workloads/jobs/{job}/draft`: the next version in the making, copied from the one in force.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Command, Result, Tagged, created};
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::JobId;
use mainsheet_core::job::JobDraft;

use super::existing;
use crate::access::DraftFor;
use crate::versions::{JobVersionWrite, VersionSettings, check_rules, check_targets, require_named, require_no_draft};
use crate::view::JobVersionView;

/// Begin a draft
///
/// It is a copy of the version in force, with what is given in its place. A job has one draft at most.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/draft", operation_id = "createJobDraft", tag = "jobs",
    params(("job" = JobId, Path, description = "The job.")),
    request_body = JobVersionWrite,
    responses((status = 201, description = "The draft.", body = JobVersionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    found: DraftFor<CanManageJobs>,
    Command { body, idempotent }: Command<JobVersionWrite>,
) -> Result<(StatusCode, Tagged<JobVersionView>)> {
    let (caller, row) = (&found.caller, &found.job);
    if idempotent.earlier::<JobId>()?.is_some() {
        let draft = existing(found.draft)?;
        return Ok(created(JobVersionView::draft(&row.value, &draft.value), draft.version));
    }
    require_no_draft(&row.value)?;
    let change = app.store.change(caller.audit("job.draft.create", &row.value.id));
    let (now, mut job) = (change.now(), row.value.clone());
    let describes = body.describes();
    let settings = body.over(VersionSettings::in_force(&job));
    let version = settings.published(job.next_version(), Some(job.current.number), caller.member_id(), now);
    check_rules(&job.job_key, &version)?;
    let query = check_targets(&app, caller, &job, &version).await?;
    job.draft_version = Some(version.number);
    let draft = JobDraft { version, describes, updated_at: now, updated_by: caller.member_id().clone() };
    let change = change.create_draft(caller.tenant(), row, &job, &draft);
    require_named(change, caller, &job, &draft.version, query.as_ref())
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(created(JobVersionView::draft(&job, &draft), 1))
}
