//! `POST /agent/jobs/{job}/runs/{jobRun}/logs`: the next lines of a run's log, each once and in order. The last ones may come after
//! the control plane has ended the run by itself.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{AgentCaller, App, Body, Path, Result};
use mainsheet_core::Error;
use mainsheet_core::agent_protocol::{LogBatch, LogTaken};

use crate::held::{RunPath, require_said_under};

/// Append to a run's log
///
/// Lines that were taken in before are left out. When lines are missing before the first one nothing is taken in: the answer
/// names the line that is expected.
#[utoipa::path(
    post, path = "/agent/jobs/{job}/runs/{jobRun}/logs", operation_id = "appendJobRunLog", tag = "agents",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    request_body = LogBatch,
    responses((status = 200, description = "Which line is expected next.", body = LogTaken)),
    security(("agentToken" = []))
)]
pub(crate) async fn logs(
    State(app): State<App>,
    caller: AgentCaller,
    Path(path): Path<RunPath>,
    Body(mut body): Body<LogBatch>,
) -> Result<Json<LogTaken>> {
    let (run, next_line) = app.store.run_and_log_head(&caller.tenant, &path.job, &path.job_run, body.attempt).await?;
    require_said_under(&caller, &run.value, body.attempt)?;
    let known = usize::try_from(next_line.saturating_sub(body.first_line)).unwrap_or(usize::MAX).min(body.lines.len());
    body.lines.drain(..known);
    body.first_line += known as u64;
    if body.lines.is_empty() || body.first_line != next_line {
        return Ok(Json(LogTaken { next_line }));
    }
    match app.store.append_log(&caller.tenant, &run, &body).await {
        Ok(()) => Ok(Json(LogTaken { next_line: next_line + body.lines.len() as u64 })),
        // The same lines came twice at once; the agent is told where the log ends the next time it asks.
        Err(Error::Conflict { code: "log_moved", .. }) => Ok(Json(LogTaken { next_line })),
        Err(error) => Err(error.into()),
    }
}
