//! `POST /workloads/jobs`: a job with its first published version.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Member, Result, Tagged, created, text};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::cluster::ClusterStatus;
use mainsheet_core::job::{
    ConcurrencyPolicy, DEFAULT_TIMEOUT_SECONDS, Job, JobConfig, JobDependency, JobStatus, JobVersion,
    MissedSchedulePolicy, Schedule, SourceConfig,
};
use mainsheet_core::query::SavedQuery;
use mainsheet_core::{ClusterId, FieldErrors, JobId, TeamId, Timestamp};
use mainsheet_store::clusters::{cluster_unusable, pulse};
use mainsheet_store::jobs::JobPrerequisites;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::queries::create::distinct;
use crate::sharing::place_of;
use crate::versions::{VersionSettings, check_rules, require_named};
use crate::view::JobView;

/// A job, as it is created and as a repository holds it.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobCreate {
    /// Lower-case letters, digits, `-` and `_`, beginning and ending with a letter or digit; unique in the organization.
    #[garde(length(chars, min = 1, max = 255), custom(slug))]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = "^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$",
        examples("daily-sales-etl")
    )]
    pub(crate) job_key: String,
    /// Whether its schedule counts.
    #[serde(default)]
    #[garde(skip)]
    status: JobStatus,
    /// Where it runs.
    #[garde(skip)]
    cluster_id: ClusterId,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, max = 1023)), custom(text::optional_lines))]
    #[schema(max_length = 1023)]
    description: Option<String>,
    /// What runs, and with what.
    #[garde(dive)]
    config: JobConfig,
    /// Seconds that a run may take; 0 means no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(max = i32::MAX as u32)))]
    #[schema(default = 86400, minimum = 0, maximum = 2_147_483_647)]
    timeout_seconds: Option<u32>,
    /// Where its source came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    source_config: Option<SourceConfig>,
    /// Jobs that have to succeed before a scheduled run of this one.
    #[serde(default)]
    #[garde(length(max = 50), dive)]
    #[schema(max_items = 50)]
    depends_on: Vec<JobDependency>,
    /// The teams to share it with.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_items = 1, max_items = 50)]
    pub(crate) team_ids: Vec<TeamId>,
    /// Five fields; empty or absent means only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, max = 100)))]
    #[schema(max_length = 100, examples("0 2 * * *"))]
    cron_expression: Option<String>,
    /// IANA time zone of the expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 64)))]
    #[schema(default = "UTC", min_length = 1, max_length = 64, examples("America/New_York"))]
    cron_timezone: Option<String>,
    /// What a tick does while a run has not ended.
    #[serde(default)]
    #[garde(skip)]
    concurrency_policy: ConcurrencyPolicy,
    /// Runs at once under `allow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1, max = 1000)))]
    #[schema(default = 1, minimum = 1, maximum = 1000)]
    max_concurrent_runs: Option<u32>,
    /// What happens to ticks that passed while nobody could act on them.
    #[serde(default)]
    #[garde(skip)]
    missed_schedule_policy: MissedSchedulePolicy,
}

/// Lower-case letters, digits, `-` and `_`, beginning and ending with a letter or digit.
pub(crate) fn slug(text: &str, (): &()) -> garde::Result {
    let ends = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let within = |letter: char| ends(letter) || matches!(letter, '-' | '_');
    if text.chars().all(within) && text.starts_with(ends) && text.ends_with(ends) {
        return Ok(());
    }
    Err(garde::Error::new("takes lower-case letters, digits, `-` and `_`, with a letter or digit at both ends"))
}

/// What a body says of a job beside its version.
pub(crate) struct JobSettings {
    pub(crate) job_key: String,
    pub(crate) status: JobStatus,
    pub(crate) team_ids: Vec<TeamId>,
}

impl JobCreate {
    /// The version that it describes, and the rest.
    pub(crate) fn into_parts(self) -> (VersionSettings, JobSettings) {
        let schedule = Schedule {
            cron_expression: self.cron_expression.filter(|text| !text.trim().is_empty()),
            cron_timezone: self.cron_timezone.unwrap_or_else(|| "UTC".to_owned()),
            concurrency_policy: self.concurrency_policy,
            max_concurrent_runs: self.max_concurrent_runs.unwrap_or(1),
            missed_schedule_policy: self.missed_schedule_policy,
        };
        let version = VersionSettings {
            description: self.description,
            cluster_id: self.cluster_id,
            config: self.config,
            timeout_seconds: self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
            source_config: self.source_config,
            depends_on: self.depends_on,
            schedule,
        };
        (version, JobSettings { job_key: self.job_key, status: self.status, team_ids: distinct(&self.team_ids) })
    }
}

impl From<&Job> for JobCreate {
    fn from(job: &Job) -> Self {
        let JobVersion { cluster_id, config, timeout_seconds, source_config, depends_on, schedule, .. } =
            job.current.clone();
        Self {
            job_key: job.job_key.clone(),
            status: job.status,
            cluster_id,
            description: job.description.clone(),
            config,
            timeout_seconds: Some(timeout_seconds),
            source_config,
            depends_on,
            team_ids: job.team_ids.clone(),
            cron_expression: schedule.cron_expression,
            cron_timezone: Some(schedule.cron_timezone),
            concurrency_policy: schedule.concurrency_policy,
            max_concurrent_runs: Some(schedule.max_concurrent_runs),
            missed_schedule_policy: schedule.missed_schedule_policy,
        }
    }
}

/// Create a job
///
/// Publishes version 1 at once. The cluster has to be active and shared with one of the job's teams, unless the caller may
/// manage clusters. The caller needs `CanManageJobs` over every team.
#[utoipa::path(
    post, path = "/workloads/jobs", operation_id = "createJob", tag = "jobs",
    request_body = JobCreate,
    responses((status = 201, description = "The new job.", body = JobView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    Member(caller): Member,
    Command { body, idempotent }: Command<JobCreate>,
) -> Result<(StatusCode, Tagged<JobView>)> {
    if let Some(earlier) = idempotent.earlier::<JobId>()? {
        let row = app.store.job(caller.tenant(), &earlier).await?;
        caller.require_in_any(Relation::CanViewJobs, Relation::CanViewJobs, &row.value.team_ids)?;
        return Ok(created(JobView::from(&row), row.version));
    }
    caller.require_in_all(Relation::CanManageJobs, &body.team_ids)?;
    let (job, query) = prepare(&app, &caller, body).await?;
    let dependencies = app.store.dependencies(caller.tenant(), None, &job).await?;
    let change = app.store.change(caller.audit("job.create", &job.id));
    let view = JobView::after(None, &job, change.now())?;
    require_named(change, &caller, &job, &job.current, query.as_ref())
        .create_job(caller.tenant(), &job)
        .depend(caller.tenant(), &dependencies)
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(created(view, 1))
}

/// The job that a body describes and its saved query, if all of its rules are kept and what it points at is there.
pub(crate) async fn prepare(
    app: &App,
    caller: &Caller,
    body: JobCreate,
) -> mainsheet_core::Result<(Job, Option<SavedQuery>)> {
    let named = body.team_ids.clone();
    let job = new_job(caller, body, app.now());
    check_rules(&job.job_key, &job.current)?;
    let query = job.query_id();
    let found = app.store.job_prerequisites(caller.tenant(), &job.current.cluster_id, &job.team_ids, query).await?;
    check_prerequisites(app, caller, (&job, named.as_slice()), &found)?;
    Ok((job, found.query.map(|row| row.value)))
}

fn new_job(caller: &Caller, body: JobCreate, now: Timestamp) -> Job {
    let member = caller.member_id();
    let (settings, own) = body.into_parts();
    let current = settings.published(1, None, member, now);
    Job {
        id: JobId::generate(now),
        job_key: own.job_key,
        status: own.status,
        description: current.description.clone(),
        team_ids: own.team_ids,
        shared: BTreeMap::new(),
        current,
        newest_version: 1,
        draft_version: None,
        created_at: now,
        created_by: member.clone(),
        updated_at: now,
        updated_by: member.clone(),
    }
}

/// What the job points at has to be there and to be the caller's to use. `named` are its teams as the body has them.
fn check_prerequisites(
    app: &App,
    caller: &Caller,
    (job, named): (&Job, &[TeamId]),
    found: &JobPrerequisites,
) -> mainsheet_core::Result<()> {
    let mut errors = FieldErrors::default();
    for team in job.team_ids.iter().filter(|team| !found.teams.contains_key(*team)) {
        errors.add(place_of(named, team), "is no team of this organization");
    }
    let query = found.query.as_ref();
    let sees_query = query.is_some_and(|row| caller.may_in_any(Relation::CanViewQueries, &row.value.team_ids));
    if job.query_id().is_some() && !sees_query {
        errors.add("config.sql.queryId", "is no saved query that you can see");
    }
    let Some(cluster) = &found.cluster else {
        errors.add("clusterId", "is no cluster of this organization");
        return errors.into_result();
    };
    errors.into_result()?;
    let shared = job.team_ids.iter().any(|team| cluster.value.teams.contains_key(team));
    let active = pulse(cluster).status(app.now()) == ClusterStatus::Active;
    if active && (shared || caller.may(Relation::CanManageClusters)) { Ok(()) } else { Err(cluster_unusable()) }
}
