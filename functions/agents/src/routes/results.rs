//! `PUT /agent/jobs/{job}/runs/{jobRun}/results`: the first rows of a held run's result.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{AgentCaller, App, Body, Path, Result};
use mainsheet_core::agent_protocol::ResultsReport;

use crate::held::{RunPath, require};

/// Keep a run's result preview
///
/// Takes the place of an earlier one.
#[utoipa::path(
    put, path = "/agent/jobs/{job}/runs/{jobRun}/results", operation_id = "putJobRunResults", tag = "agents",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    request_body = ResultsReport,
    responses((status = 204, description = "It is kept.")),
    security(("agentToken" = []))
)]
pub(crate) async fn results(
    State(app): State<App>,
    caller: AgentCaller,
    Path(path): Path<RunPath>,
    Body(body): Body<ResultsReport>,
) -> Result<StatusCode> {
    let run = app.store.job_run(&caller.tenant, &path.job, &path.job_run).await?;
    require(&caller, &run.value, body.attempt)?;
    app.store.keep_preview(&caller.tenant, &run, &body.preview).await?;
    Ok(StatusCode::NO_CONTENT)
}
