//! Jobs, runs and queries as the contract shows them: ids in `items`, each entity once in `included`.

use std::collections::BTreeMap;

use mainsheet_auth::{Caller, Relation};
use mainsheet_core::job::{
    ConcurrencyPolicy, Job, JobConfig, JobDependency, JobStatus, MissedSchedulePolicy, SourceConfig,
};
use mainsheet_core::job_run::{JobRun, JobRunResults, ResourceCleanupMode, RunStatus, RunTrigger};
use mainsheet_core::query::{Query, SavedQuery};
use mainsheet_core::team::{Team, TeamWithCount};
use mainsheet_core::{CatalogId, ClusterId, JobId, JobRunId, MemberId, QueryId, TeamId, Timestamp};
use mainsheet_store::Row;
use mainsheet_store::jobs::{JobLinks, latest_run};
use mainsheet_store::queries::QueryLinks;
use mainsheet_store::teams::with_count;
use serde::Serialize;
use utoipa::ToSchema;

use crate::catalog_view::{CatalogView, sees};

/// A job with its version in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
pub(crate) struct JobView {
    id: JobId,
    /// The member who created it.
    member_id: MemberId,
    /// Unique in the organization.
    #[schema(examples("daily-sales-etl"))]
    job_key: String,
    /// The version that is shown.
    version: u32,
    /// The version in force.
    current_version: u32,
    /// The version that this one was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    based_on_version: Option<u32>,
    /// `paused` stops scheduled runs only.
    status: JobStatus,
    cluster_id: ClusterId,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    config: JobConfig,
    /// Seconds that a run may take; 0 means no limit.
    timeout_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_config: Option<SourceConfig>,
    depends_on: Vec<JobDependency>,
    /// Absent when it runs only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    cron_expression: Option<String>,
    cron_timezone: String,
    concurrency_policy: ConcurrencyPolicy,
    max_concurrent_runs: u32,
    missed_schedule_policy: MissedSchedulePolicy,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl From<&Job> for JobView {
    fn from(job: &Job) -> Self {
        let version = &job.current;
        Self {
            id: job.id.clone(),
            member_id: job.created_by.clone(),
            job_key: job.job_key.clone(),
            version: version.number,
            current_version: version.number,
            based_on_version: version.based_on,
            status: job.status,
            cluster_id: version.cluster_id.clone(),
            description: job.description.clone(),
            config: version.config.clone(),
            timeout_seconds: version.timeout_seconds,
            source_config: version.source_config.clone(),
            depends_on: version.depends_on.clone(),
            cron_expression: version.schedule.cron_expression.clone(),
            cron_timezone: version.schedule.cron_timezone.clone(),
            concurrency_policy: version.schedule.concurrency_policy,
            max_concurrent_runs: version.schedule.max_concurrent_runs,
            missed_schedule_policy: version.schedule.missed_schedule_policy,
            created_at: job.created_at,
            created_by: job.created_by.clone(),
            updated_at: job.updated_at,
            updated_by: job.updated_by.clone(),
        }
    }
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobRun)]
pub(crate) struct JobRunView {
    id: JobRunId,
    job_id: JobId,
    /// The version that it is pinned to.
    job_version: u32,
    status: RunStatus,
    /// Why it stands there; the engine's own message when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    /// It stays `pending` until it is released.
    hold: bool,
    resource_cleanup_mode: ResourceCleanupMode,
    trigger: RunTrigger,
    /// When an agent took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatched_at: Option<Timestamp>,
    /// When its code began.
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_started_at: Option<Timestamp>,
    /// When its code ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_completed_at: Option<Timestamp>,
    /// How long its code took, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_execution_time_us: Option<u64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    /// When its engine and working files were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cleaned_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<JobRunResults>,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<MemberId>,
}

impl From<&JobRun> for JobRunView {
    fn from(run: &JobRun) -> Self {
        Self {
            id: run.id.clone(),
            job_id: run.job_id.clone(),
            job_version: run.job_version,
            status: run.status,
            status_message: run.status_message.clone(),
            hold: run.hold,
            resource_cleanup_mode: run.resource_cleanup_mode,
            trigger: run.trigger,
            dispatched_at: run.dispatched_at,
            runner_started_at: run.runner_started_at,
            runner_completed_at: run.runner_completed_at,
            runner_execution_time_us: run.runner_execution_time_us,
            finished_at: run.finished_at,
            cleaned_at: run.cleaned_at,
            results: run.results.clone(),
            created_at: run.created_at,
            created_by: run.created_by.clone(),
            updated_at: run.updated_at,
            updated_by: run.updated_by.clone(),
        }
    }
}

/// A job's place in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobItem {
    job_id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_job_run_id: Option<JobRunId>,
    team_ids: Vec<TeamId>,
}

impl From<&Row<Job>> for JobItem {
    fn from(row: &Row<Job>) -> Self {
        Self { job_id: row.value.id.clone(), latest_job_run_id: latest_run(row), team_ids: row.value.team_ids.clone() }
    }
}

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobIncluded {
    jobs: Vec<JobView>,
    job_runs: Vec<JobRunView>,
    teams: Vec<Team>,
}

impl JobIncluded {
    pub(crate) fn of(jobs: &[Row<Job>], links: JobLinks) -> Self {
        Self {
            jobs: jobs.iter().map(|row| JobView::from(&row.value)).collect(),
            job_runs: links.latest_runs.iter().map(|row| JobRunView::from(&row.value)).collect(),
            teams: links.teams.into_iter().map(|row| row.value).collect(),
        }
    }
}

/// A saved query's place in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryItem {
    query_id: QueryId,
    team_ids: Vec<TeamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<CatalogId>,
    /// The jobs that run it, as far as the caller may see them.
    job_ids: Vec<JobId>,
}

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryIncluded {
    queries: Vec<Query>,
    /// The catalogs that they name, as far as the caller may see them.
    catalogs: Vec<CatalogView>,
    teams: Vec<TeamWithCount>,
    jobs: Vec<JobView>,
}

/// Queries with what they point at, as far as the caller may see it.
pub(crate) fn queries(
    caller: &Caller,
    rows: Vec<Row<SavedQuery>>,
    links: QueryLinks,
) -> (Vec<QueryItem>, QueryIncluded) {
    let visible = |job: &Job| caller.may_in_any(Relation::CanViewJobs, &job.team_ids);
    let jobs: BTreeMap<&JobId, JobView> =
        links.jobs.iter().map(|row| &row.value).filter(|job| visible(job)).map(|job| (&job.id, job.into())).collect();
    let catalogs = links.catalogs.iter().filter(|row| sees(caller, &row.value));
    let item = |saved: &SavedQuery| QueryItem {
        query_id: saved.query.id.clone(),
        team_ids: saved.team_ids.clone(),
        catalog_id: saved.query.catalog_id.clone(),
        job_ids: saved.job_ids.iter().filter(|job| jobs.contains_key(job)).cloned().collect(),
    };
    let items = rows.iter().map(|row| item(&row.value)).collect();
    let included = QueryIncluded {
        queries: rows.into_iter().map(|row| row.value.query).collect(),
        catalogs: catalogs.map(|row| CatalogView::from(&row.value)).collect(),
        teams: links.teams.into_iter().map(with_count).collect(),
        jobs: jobs.into_values().collect(),
    };
    (items, included)
}
