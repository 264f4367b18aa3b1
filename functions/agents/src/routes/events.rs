//! `POST /agent/jobs/{job}/runs/{jobRun}/events`: what happened to a held run, each thing once and in order.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{AgentCaller, App, Body, Path, Result};
use mainsheet_core::agent_protocol::{ReportedEvent, ReportsTaken, RunReport, RunReports};
use mainsheet_core::job_run::{JobRun, RunEvent};
use mainsheet_core::{Error, Timestamp};
use mainsheet_store::retry_races;

use crate::held::{RunPath, lost, order};

/// Report what happened to a run
///
/// Reports that were taken in before are passed over; a gap before the next one is refused. The word that came first decides how a
/// run ended: where the control plane had ended it already, such as at its time limit, reports of that attempt change nothing any
/// more and are answered with the order to abandon it.
#[utoipa::path(
    post, path = "/agent/jobs/{job}/runs/{jobRun}/events", operation_id = "reportJobRunEvents", tag = "agents",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ("jobRun" = mainsheet_core::JobRunId, Path, description = "The run.")),
    request_body = RunReports,
    responses((status = 200, description = "What to do with the run now.", body = ReportsTaken)),
    security(("agentToken" = []))
)]
pub(crate) async fn events(
    State(app): State<App>,
    caller: AgentCaller,
    Path(path): Path<RunPath>,
    Body(body): Body<RunReports>,
) -> Result<Json<ReportsTaken>> {
    let taken = retry_races(|| take_in(&app, &caller, &path, &body)).await?;
    Ok(Json(taken))
}

async fn take_in(
    app: &App,
    caller: &AgentCaller,
    path: &RunPath,
    body: &RunReports,
) -> mainsheet_core::Result<ReportsTaken> {
    let row = app.store.job_run(&caller.tenant, &path.job, &path.job_run).await?;
    let mut run = row.value.clone();
    if run.attempt != body.attempt || run.cluster_id != caller.agent.value.cluster_id {
        return Err(lost());
    }
    let fresh: Vec<&RunReport> = body.reports.iter().filter(|report| report.sequence > run.last_report).collect();
    let change = app.store.change(caller.audit("job_run.report", &run.id));
    let now = change.now();
    for report in &fresh {
        if report.sequence != run.last_report + 1 {
            let message = format!("Report {} does not follow report {}.", report.sequence, run.last_report);
            return Err(Error::conflict("report_gap", message));
        }
        apply(caller, &mut run, report, now)?;
    }
    if !fresh.is_empty() {
        change.replace_run(&caller.tenant, &row, &run).commit().await?;
    }
    Ok(ReportsTaken { order: order(caller, &run, body.attempt), last_report: run.last_report })
}

fn apply(caller: &AgentCaller, run: &mut JobRun, report: &RunReport, now: Timestamp) -> mainsheet_core::Result<()> {
    run.last_report = report.sequence;
    let Some(event) = report.event.transition() else {
        if !run.status.is_terminal() {
            return Err(Error::conflict("report_out_of_place", "A run is cleaned up after its end."));
        }
        run.cleaned_at = Some(now);
        run.updated_at = now;
        return Ok(());
    };
    if run.status.is_terminal() {
        return Ok(());
    }
    if run.leased_by.as_ref() != Some(&caller.agent.value.id) {
        return Err(lost());
    }
    let out_of_place =
        |error: mainsheet_core::job_run::InvalidTransition| Error::conflict("report_out_of_place", format!("{error}."));
    run.apply(event, now).map_err(out_of_place)?;
    run.updated_by = None;
    run.status_message = report.message.clone();
    if matches!(event, RunEvent::Succeed | RunEvent::Fail | RunEvent::TimeOut | RunEvent::Cancel) {
        run.runner_completed_at = run.runner_started_at.map(|_| now);
        run.runner_execution_time_us = report.runner_execution_time_us;
        run.results.clone_from(&report.results);
    }
    if report.event == ReportedEvent::TimeOut && run.status_message.is_none() {
        run.status_message = Some(format!("It took longer than {} seconds.", run.timeout_seconds));
    }
    Ok(())
}
