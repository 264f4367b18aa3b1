//! `POST /workloads/jobs/{job}/draft/publish`: the draft becomes the version in force.

use axum::extract::State;
use mainsheet_api::{Action, App, IfMatch, Result, Tagged};
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::{Error, JobId};

use crate::access::DraftFor;
use crate::versions::{VersionSettings, query_left, require_cluster, require_named};
use crate::view::JobView;

/// Publish a draft
///
/// It comes into force at once, and can be changed no more. Runs that were created before keep their version. A cluster that is
/// another one than before has to be active and shared with one of the job's teams, unless the caller may manage clusters.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/draft/publish", operation_id = "publishJobDraft", tag = "jobs",
    params(("job" = JobId, Path, description = "The job."), ("If-Match" = Option<String>, Header, description = "The draft's version to publish.")),
    responses((status = 200, description = "The job.", body = JobView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn publish(
    State(app): State<App>,
    found: DraftFor<CanManageJobs>,
    if_match: IfMatch,
    Action(idempotent): Action,
) -> Result<Tagged<JobView>> {
    let (caller, row) = (&found.caller, &found.job);
    if idempotent.earlier::<JobId>()?.is_some() {
        return Ok(Tagged { body: JobView::from(row), version: row.version });
    }
    let draft = found.draft.ok_or_else(|| Error::malformed("no_draft", "The job has no draft to publish."))?;
    if_match.check(draft.version)?;
    let left = query_left(&app, caller, &row.value, &draft.value.version).await?;
    let change = app.store.change(caller.audit("job.draft.publish", &row.value.id));
    let (number, based_on) = (draft.value.version.number, draft.value.version.based_on);
    let settings = VersionSettings::of(&draft.value.version);
    let job = row.value.published(settings.published(number, based_on, caller.member_id(), change.now()));
    let view = JobView::after(Some(row), &job, change.now())?;
    let dependencies = app.store.dependencies(caller.tenant(), Some(&row.value), &job).await?;
    let change = change.publish_version(caller.tenant(), row, &job, left.as_ref()).leave_draft(&draft);
    let change = change.depend(caller.tenant(), &dependencies);
    let change = require_cluster(change, caller, &row.value, &job);
    require_named(change, caller, &job, &job.current, None)
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(Tagged { body: view, version: row.version + 1 })
}
