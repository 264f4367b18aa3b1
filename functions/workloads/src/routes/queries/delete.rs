//! `DELETE /workloads/queries/{query}`: refused while an active job runs it.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Result};
use mainsheet_auth::needs::CanManageQueries;
use mainsheet_core::Error;
use mainsheet_core::job::JobStatus;

use crate::access::QueryFor;

/// Delete a saved query
///
/// Refused while an active job runs it.
#[utoipa::path(
    delete, path = "/workloads/queries/{query}", operation_id = "deleteQuery", tag = "queries",
    params(("query" = mainsheet_core::QueryId, Path, description = "The query."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageQueries")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    query: QueryFor<CanManageQueries>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let (caller, row) = (&query.caller, query.row);
    if_match.check(row.version)?;
    let rows = [row];
    let links = app.store.links_of_queries(caller.tenant(), &rows).await?;
    if let Some(job) = links.jobs.iter().find(|job| job.value.status == JobStatus::Active) {
        let message = format!("The active job `{}` runs this query. Delete or pause the job first.", job.value.job_key);
        return Err(Error::conflict("query_in_use", message).into());
    }
    let [row] = rows;
    let change = app.store.change(caller.audit("query.delete", &row.value.query.id));
    change.delete_query(caller.tenant(), &row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
