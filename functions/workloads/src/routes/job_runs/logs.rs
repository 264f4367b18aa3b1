//! `GET /workloads/jobs/{job}/runs/{jobRun}/logs`: what the engine and the runner wrote.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::agent_protocol::LogLine;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::JobRunFor;

/// Some lines of a run's log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobRunLogPage)]
pub(crate) struct LogPage {
    #[schema(value_type = Vec<LogLine>)]
    items: Vec<LogLine>,
    /// Where this part ended; absent at the end of the log. A run that goes on may have more later.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// Show a run's log
///
/// In the order the lines were written, all attempts one after another.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/runs/{jobRun}/logs", operation_id = "getJobRunLogs", tag = "job-runs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run."), MarkerQuery),
    responses((status = 200, description = "Some lines.", body = LogPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn logs(
    State(app): State<App>,
    run: JobRunFor<CanViewJobs>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<LogPage>> {
    let page = app.store.log(run.caller.tenant(), &run.row.value, &query.request()).await?;
    Ok(Json(LogPage { items: page.rows, marker: page.marker }))
}
