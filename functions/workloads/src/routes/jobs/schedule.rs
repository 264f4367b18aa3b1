//! `GET /workloads/jobs/{job}/schedule`: when a job runs next by itself, or would.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::job::JobStatus;
use mainsheet_core::schedule::{ClockChange, Occurrence, Schedule, ScheduleError, check_time_zone};
use mainsheet_core::{Error, FieldErrors, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::JobFor;

/// What to show, and of which schedule.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ScheduleQuery {
    /// How many occurrences to show.
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 100))]
    #[param(default = 10, minimum = 1, maximum = 100)]
    count: u32,
    /// The moment that they begin with; the present unless given.
    #[garde(skip)]
    from: Option<Timestamp>,
    /// An expression to look at in place of the job's.
    #[garde(inner(length(chars, max = 100)))]
    #[param(max_length = 100)]
    cron_expression: Option<String>,
    /// A time zone to look at in place of the job's.
    #[garde(inner(length(chars, min = 1, max = 64)))]
    #[param(min_length = 1, max_length = 64)]
    cron_timezone: Option<String>,
}

fn ten() -> u32 {
    10
}

/// When a job runs next by itself, or would.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchedulePreview {
    /// The expression; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cron_expression: Option<String>,
    /// Its time zone.
    cron_timezone: String,
    /// Why the job does not run at the moments shown, or why none are; absent when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<NotScheduled>,
    /// The occurrences in order. Fewer than asked for when there are no more up to the year 5000.
    items: Vec<ScheduledTime>,
}

/// Why a job does not run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotScheduled {
    /// It has no expression: it runs only when it is asked for.
    NoExpression,
    /// It is paused.
    Paused,
}

/// A moment that a schedule is due at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduledTime {
    /// The moment.
    scheduled_at: Timestamp,
    /// The same moment as the clocks of the time zone show it, with their offset.
    #[schema(value_type = String, format = DateTime, examples("2026-10-25T02:30:00+02:00"))]
    local_time: String,
    /// What a change of the clock did to it; absent when nothing. Expressions whose minute or hour begins with `*` follow elapsed
    /// time, and nothing is done to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_change: Option<ClockChange>,
}

impl From<Occurrence> for ScheduledTime {
    fn from(occurrence: Occurrence) -> Self {
        let local_time = occurrence.at.to_jiff().display_with_offset(occurrence.offset).to_string();
        Self { scheduled_at: occurrence.at, local_time, clock_change: occurrence.clock_change }
    }
}

/// Preview a job's schedule
///
/// Of the version in force, or with another expression or time zone in place of its own, which is then checked as a version's is.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/schedule", operation_id = "previewJobSchedule", tag = "jobs",
    params(("job" = mainsheet_core::JobId, Path, description = "The job."), ScheduleQuery),
    responses((status = 200, description = "Its next occurrences.", body = SchedulePreview)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn schedule(
    State(app): State<App>,
    job: JobFor<CanViewJobs>,
    Query(query): Query<ScheduleQuery>,
) -> Result<Json<SchedulePreview>> {
    let job = &job.row.value;
    let own = job.current.schedule.clone();
    let cron_timezone = query.cron_timezone.unwrap_or(own.cron_timezone);
    let cron_expression = query.cron_expression.or(own.cron_expression).filter(|text| !text.trim().is_empty());
    let items = match &cron_expression {
        Some(expression) => {
            let schedule = Schedule::parse(expression, &cron_timezone).map_err(refused)?;
            let from = query.from.unwrap_or_else(|| app.now());
            schedule.occurrences(from).take(query.count as usize).map(ScheduledTime::from).collect()
        }
        None => {
            check_time_zone(&cron_timezone).map_err(refused)?;
            Vec::new()
        }
    };
    let reason = match (&cron_expression, job.status) {
        (None, _) => Some(NotScheduled::NoExpression),
        (Some(_), JobStatus::Paused) => Some(NotScheduled::Paused),
        (Some(_), JobStatus::Active) => None,
    };
    Ok(Json(SchedulePreview { cron_expression, cron_timezone, reason, items }))
}

fn refused(error: ScheduleError) -> Error {
    Error::Invalid(FieldErrors::from(error))
}
