//! `POST /workloads/jobs/{job}/draft/publish`: the draft becomes the version in force.

use axum::extract::State;
use mainsheet_api::{Action, App, Idempotent, IfMatch, Result, Tagged};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::job::{Job, JobDraft};
use mainsheet_core::{Error, JobId};
use mainsheet_store::{Row, retry_races_from};

use crate::access::DraftFor;
use crate::versions::{VersionSettings, query_left, query_taken_up, require_cluster, require_named};
use crate::view::JobView;

/// Publish a draft
///
/// It comes into force at once, and can be changed no more. Runs that were created before keep their version. The job's description
/// stays unless the draft was given one. A cluster that is another one than before has to be active and shared with one of the job's
/// teams, unless the caller may manage clusters. A saved query that is another one than before has to be there, and the caller has
/// to see it: 409 otherwise.
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
    if idempotent.earlier::<JobId>()?.is_some() {
        return Ok(Tagged { body: JobView::from(&found.job), version: found.job.version });
    }
    // A tick of the job may be decided, or something else of it changed, at the same moment: then both are read again.
    let known = (found.job.clone(), found.draft.clone());
    let once = |(row, draft)| publish_once(&app, &found.caller, row, draft, &if_match, &idempotent);
    Ok(Box::pin(retry_races_from(known, || found.read_again(&app), once)).await?)
}

async fn publish_once(
    app: &App,
    caller: &Caller,
    row: Row<Job>,
    draft: Option<Row<JobDraft>>,
    if_match: &IfMatch,
    idempotent: &Idempotent,
) -> mainsheet_core::Result<Tagged<JobView>> {
    let draft = draft.ok_or_else(|| Error::malformed("no_draft", "The job has no draft to publish."))?;
    if_match.check(draft.version).map_err(|problem| problem.0)?;
    let query = query_taken_up(app, caller, &row.value, &draft.value.version).await?;
    let left = query_left(app, caller, &row.value, &draft.value.version).await?;
    let change = app.store.change(caller.audit("job.draft.publish", &row.value.id));
    let (number, based_on) = (draft.value.version.number, draft.value.version.based_on);
    let description = draft.value.description(&row.value);
    let settings = VersionSettings { description, ..VersionSettings::of(&draft.value.version) };
    let job = row.value.published(settings.published(number, based_on, caller.member_id(), change.now()));
    let view = JobView::after(Some(&row), &job, change.now())?;
    let dependencies = app.store.dependencies(caller.tenant(), Some(&row.value), &job).await?;
    let change = change.publish_draft(caller.tenant(), (&row, &draft), &job, left.as_ref());
    let change = change.depend(caller.tenant(), &dependencies);
    let change = require_cluster(change, caller, &row.value, &job);
    require_named(change, caller, &job, &job.current, query.as_ref())
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(Tagged { body: view, version: row.version + 1 })
}
