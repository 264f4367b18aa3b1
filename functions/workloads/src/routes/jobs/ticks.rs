//! `GET /workloads/jobs/{job}/ticks`: the ledger of a job's schedule.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, MarkerPage, MarkerQuery, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::schedule::ClockChange;
use mainsheet_core::tick::{Tick, TickOutcome, TickReason};
use mainsheet_core::{Error, JobRunId, Timestamp};
use mainsheet_store::ticks::TickFilter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::JobFor;

/// Which ticks are wanted.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Those alone that this became of.
    #[garde(skip)]
    #[param(inline)]
    outcome: Option<TickOutcome>,
    /// From this moment on.
    #[garde(skip)]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this moment.
    #[garde(skip)]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// What became of a tick, or of several in a row of which the same became.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobTick)]
pub(crate) struct TickView {
    /// The moment that the schedule asked for a run at; the first one of several.
    scheduled_at: Timestamp,
    /// The last one of several; the end of a pause. Absent of a single tick, and while a pause goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<Timestamp>,
    /// How many ticks it stands for: 1, more where several in a row were missed, 0 for a pause, whose ticks were not due.
    ticks: u64,
    outcome: TickOutcome,
    reason: TickReason,
    /// The reason in words.
    message: String,
    /// What a change of the clock did to it; absent when nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_change: Option<ClockChange>,
    /// The run that was created for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_run_id: Option<JobRunId>,
    /// The version that was in force.
    job_version: u32,
    /// When that was decided.
    decided_at: Timestamp,
}

impl From<Tick> for TickView {
    fn from(tick: Tick) -> Self {
        Self {
            message: message(&tick),
            scheduled_at: tick.scheduled_at,
            through: tick.through,
            ticks: tick.ticks,
            outcome: tick.outcome,
            reason: tick.reason,
            clock_change: tick.clock_change,
            job_run_id: tick.job_run_id,
            job_version: tick.job_version,
            decided_at: tick.decided_at,
        }
    }
}

fn message(tick: &Tick) -> String {
    let clock = match tick.clock_change {
        None => "",
        Some(ClockChange::Gap) => " The clock skipped its time: it was due when the clock had skipped it.",
        Some(ClockChange::Overlap) => " The clock showed its time twice: it was due the first time alone.",
    };
    decision(tick) + clock
}

fn decision(tick: &Tick) -> String {
    let late = tick.decided_at.since(tick.scheduled_at).as_secs();
    match tick.reason {
        TickReason::Due => "It was due, and a run was created for it.".to_owned(),
        TickReason::CaughtUp => {
            format!("The scheduler came {late} seconds late; by `missedSchedulePolicy` a run was created all the same.")
        }
        TickReason::RunNotEnded => "A run of the job had not ended, and `concurrencyPolicy` is `skip`.".to_owned(),
        TickReason::AtCap => "As many runs as `maxConcurrentRuns` says had not ended.".to_owned(),
        TickReason::ClusterGone => "The job's cluster was retired. Publish a version with another cluster.".to_owned(),
        TickReason::Paused => "The job was paused: its ticks were not due.".to_owned(),
        TickReason::PausedBefore => "The job was paused before the scheduler came.".to_owned(),
        TickReason::Unscheduled => "A version without a schedule came into force before the scheduler came.".to_owned(),
        TickReason::Overtaken => {
            format!(
                "The scheduler came {late} seconds late; `missedSchedulePolicy` is `latest`, and a newer tick was due."
            )
        }
        TickReason::NotCaughtUp => {
            format!("The scheduler came {late} seconds late, and `missedSchedulePolicy` is `skip`.")
        }
        TickReason::TooMany => {
            format!("The scheduler came {late} seconds late, and the 100 newest ticks alone are made up for.")
        }
        TickReason::ScheduleChanged => {
            "The schedule changed before the scheduler came, and a newer tick was due as well.".to_owned()
        }
        TickReason::NewerTick => "A newer tick took its place before an agent had its run.".to_owned(),
    }
}

/// List what became of a job's ticks
///
/// Newest first. Every moment at which the job's schedule asked for a run, and why there was one or not; kept for 90 days.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/ticks", operation_id = "listJobTicks", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), MarkerQuery, Filter),
    responses((status = 200, description = "Some of the ticks.", body = MarkerPage<TickView>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    job: JobFor<CanViewJobs>,
    Query(query): Query<MarkerQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<MarkerPage<TickView>>> {
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        return Err(Error::invalid("to", "must be later than `from`").into());
    }
    let filter = TickFilter { outcome: filter.outcome, from: filter.from, to: filter.to };
    let page = app.store.ticks(job.caller.tenant(), &job.row.value.id, &filter, &query.request()).await?;
    Ok(Json(page.map(TickView::from).into()))
}
