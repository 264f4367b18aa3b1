//! `DELETE /workloads/jobs/{job}/draft`: throw the next version in the making away.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Result};
use mainsheet_auth::needs::CanManageJobs;

use super::existing;
use crate::access::DraftFor;

/// Discard a draft
///
/// The version in force stays as it is.
#[utoipa::path(
    delete, path = "/workloads/jobs/{job}/draft", operation_id = "discardJobDraft", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("If-Match" = Option<String>, Header, description = "The draft's version to discard.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn discard(
    State(app): State<App>,
    found: DraftFor<CanManageJobs>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let (caller, row) = (&found.caller, &found.job);
    let draft = existing(found.draft)?;
    if_match.check(draft.version)?;
    let change = app.store.change(caller.audit("job.draft.discard", &row.value.id));
    let mut job = row.value.clone();
    job.draft_version = None;
    change.discard_draft(row, &job, &draft).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
