//! `POST /workloads/jobs/{job}/versions`: draft, change and publication in one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Command, Idempotent, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageJobs;
use mainsheet_core::JobId;
use mainsheet_core::job::Job;
use mainsheet_store::{Row, retry_races_from};

use crate::access::JobFor;
use crate::versions::{
    JobVersionWrite, VersionSettings, check_rules, check_targets, query_left, require_cluster, require_named,
    require_no_draft,
};
use crate::view::JobVersionView;

/// Publish a version
///
/// It is a copy of the version in force with what is given in its place, and comes into force at once. Refused while the job has
/// a draft.
#[utoipa::path(
    post, path = "/workloads/jobs/{job}/versions", operation_id = "createJobVersion", tag = "jobs",
    params(("job" = JobId, Path, description = "The job.")),
    request_body = JobVersionWrite,
    responses((status = 201, description = "The version.", body = JobVersionView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    found: JobFor<CanManageJobs>,
    Command { body, idempotent }: Command<JobVersionWrite>,
) -> Result<(StatusCode, Json<JobVersionView>)> {
    let caller = &found.caller;
    if let Some(earlier) = idempotent.earlier::<u32>()? {
        let version = app.store.job_version(caller.tenant(), &found.row.value.id, earlier).await?;
        return Ok((StatusCode::CREATED, Json(JobVersionView::published(&found.row.value.id, &version))));
    }
    // A tick of the job may be decided, or something else of it changed, at the same moment: then the job is read again.
    let once = |row| publish_once(&app, caller, row, &body, &idempotent);
    let view = retry_races_from(found.row.clone(), || found.read_again(&app), once).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

async fn publish_once(
    app: &App,
    caller: &Caller,
    row: Row<Job>,
    body: &JobVersionWrite,
    idempotent: &Idempotent,
) -> mainsheet_core::Result<JobVersionView> {
    require_no_draft(&row.value)?;
    let change = app.store.change(caller.audit("job.version.publish", &row.value.id));
    let based_on = Some(row.value.current.number);
    let settings = body.clone().over(VersionSettings::in_force(&row.value));
    let version = settings.published(row.value.next_version(), based_on, caller.member_id(), change.now());
    check_rules(&row.value.job_key, &version)?;
    let query = check_targets(app, caller, &row.value, &version).await?;
    let left = query_left(app, caller, &row.value, &version).await?;
    let job = row.value.published(version);
    let dependencies = app.store.dependencies(caller.tenant(), Some(&row.value), &job).await?;
    let change = change.publish_version(caller.tenant(), &row, &job, left.as_ref());
    let change = change.depend(caller.tenant(), &dependencies);
    let change = require_cluster(change, caller, &row.value, &job);
    require_named(change, caller, &job, &job.current, query.as_ref())
        .idempotent(idempotent.request(), &job.current.number.to_string())
        .commit()
        .await?;
    Ok(JobVersionView::published(&job.id, &job.current))
}
