//! Jobs, runs and queries as the contract shows them: ids in `items`, each entity once in `included`.

use std::collections::BTreeMap;

use mainsheet_auth::{Caller, Relation};
use mainsheet_core::job::{
    ConcurrencyPolicy, Job, JobConfig, JobDependency, JobDraft, JobStatus, JobVersion, MissedSchedulePolicy, Shared,
    SourceConfig,
};
use mainsheet_core::job_run::{JobRun, JobRunResults, ResourceCleanupMode, RunStatus, RunTrigger};
use mainsheet_core::query::{Query, SavedQuery};
use mainsheet_core::team::{Team, TeamWithCount};
use mainsheet_core::{CatalogId, ClusterId, JobId, JobRunId, MemberId, QueryId, Result, TeamId, Timestamp};
use mainsheet_store::jobs::{JobLinks, latest_run};
use mainsheet_store::queries::QueryLinks;
use mainsheet_store::teams::with_count;
use mainsheet_store::ticks::{last_scheduled_at, next_run_after, next_run_at};
use mainsheet_store::{Page, PageRequest, Row};
use serde::Serialize;
use utoipa::ToSchema;

use crate::catalog_view::{CatalogView, sees};

/// When a job runs by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timing {
    next_run_at: Option<Timestamp>,
    last_scheduled_at: Option<Timestamp>,
}

impl Timing {
    /// As the table has it.
    pub(crate) fn of(row: &Row<Job>) -> Self {
        Self { next_run_at: next_run_at(row), last_scheduled_at: last_scheduled_at(row) }
    }

    /// As a change at `now` makes it; `before` is the job that it changes.
    pub(crate) fn after(before: Option<&Row<Job>>, job: &Job, now: Timestamp) -> Result<Self> {
        Ok(Self {
            next_run_at: next_run_after(before, job, now)?,
            last_scheduled_at: before.and_then(last_scheduled_at),
        })
    }
}

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
    /// The number that its draft will have; absent without a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft_version: Option<u32>,
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
    /// When it runs next by itself; a moment that has just passed while its tick is being acted on. Absent while it is paused, and
    /// without a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_run_at: Option<Timestamp>,
    /// The last tick of its schedule that a run was created for.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_scheduled_at: Option<Timestamp>,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl From<&Row<Job>> for JobView {
    fn from(row: &Row<Job>) -> Self {
        Self::of(&row.value, &row.value.current, Timing::of(row))
    }
}

impl JobView {
    /// A job as a change at `now` makes it; `before` is the job that it changes.
    pub(crate) fn after(before: Option<&Row<Job>>, job: &Job, now: Timestamp) -> Result<Self> {
        Ok(Self::of(job, &job.current, Timing::after(before, job, now)?))
    }

    /// A job as it is with one of its versions.
    pub(crate) fn of(job: &Job, version: &JobVersion, timing: Timing) -> Self {
        let is_current = version.number == job.current.number;
        Self {
            id: job.id.clone(),
            member_id: job.created_by.clone(),
            job_key: job.job_key.clone(),
            version: version.number,
            current_version: job.current.number,
            draft_version: job.draft_version,
            based_on_version: version.based_on,
            status: job.status,
            cluster_id: version.cluster_id.clone(),
            description: if is_current { &job.description } else { &version.description }.clone(),
            config: version.config.clone(),
            timeout_seconds: version.timeout_seconds,
            source_config: version.source_config.clone(),
            depends_on: version.depends_on.clone(),
            cron_expression: version.schedule.cron_expression.clone(),
            cron_timezone: version.schedule.cron_timezone.clone(),
            concurrency_policy: version.schedule.concurrency_policy,
            max_concurrent_runs: version.schedule.max_concurrent_runs,
            missed_schedule_policy: version.schedule.missed_schedule_policy,
            next_run_at: timing.next_run_at,
            last_scheduled_at: timing.last_scheduled_at,
            created_at: job.created_at,
            created_by: job.created_by.clone(),
            updated_at: job.updated_at,
            updated_by: job.updated_by.clone(),
        }
    }
}

/// Whether a version can still change.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobVersionStatus {
    /// It can, and no run has it.
    Draft,
    /// It cannot.
    Published,
}

/// In what a job is written.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobType {
    /// SQL statements.
    Sql,
    /// A Python program.
    Python,
}

/// A version of a job, published or in the making.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobVersion)]
pub(crate) struct JobVersionView {
    job_id: JobId,
    /// Counted from 1.
    version: u32,
    /// The version that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    based_on_version: Option<u32>,
    status: JobVersionStatus,
    job_type: JobType,
    cluster_id: ClusterId,
    /// The member who created it.
    member_id: MemberId,
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

impl JobVersionView {
    pub(crate) fn published(job: &JobId, version: &JobVersion) -> Self {
        Self::of(job, version, JobVersionStatus::Published, version.created_at, &version.created_by)
    }

    pub(crate) fn draft(job: &Job, draft: &JobDraft) -> Self {
        let view = Self::of(&job.id, &draft.version, JobVersionStatus::Draft, draft.updated_at, &draft.updated_by);
        Self { description: draft.description(job), ..view }
    }

    fn of(
        job: &JobId,
        version: &JobVersion,
        status: JobVersionStatus,
        updated_at: Timestamp,
        updated_by: &MemberId,
    ) -> Self {
        Self {
            job_id: job.clone(),
            version: version.number,
            based_on_version: version.based_on,
            status,
            job_type: if version.config.sql.is_some() { JobType::Sql } else { JobType::Python },
            cluster_id: version.cluster_id.clone(),
            member_id: version.created_by.clone(),
            description: version.description.clone(),
            config: version.config.clone(),
            timeout_seconds: version.timeout_seconds,
            source_config: version.source_config.clone(),
            depends_on: version.depends_on.clone(),
            cron_expression: version.schedule.cron_expression.clone(),
            cron_timezone: version.schedule.cron_timezone.clone(),
            concurrency_policy: version.schedule.concurrency_policy,
            max_concurrent_runs: version.schedule.max_concurrent_runs,
            missed_schedule_policy: version.schedule.missed_schedule_policy,
            created_at: version.created_at,
            created_by: version.created_by.clone(),
            updated_at,
            updated_by: updated_by.clone(),
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
    /// The tick of the job's schedule that it was created for.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<Timestamp>,
    /// The run that takes its place, where `concurrencyPolicy` is `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<JobRunId>,
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
            scheduled_at: run.scheduled_at,
            replaced_by: run.replaced_by.clone(),
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
        Self::with(jobs.iter().map(JobView::from).collect(), links)
    }

    pub(crate) fn with(jobs: Vec<JobView>, links: JobLinks) -> Self {
        Self {
            jobs,
            job_runs: links.latest_runs.iter().map(|row| JobRunView::from(&row.value)).collect(),
            teams: links.teams.into_iter().map(|row| row.value).collect(),
        }
    }
}

/// How many there are in a list that shows only some of what the organization has: as far as it is known without counting.
/// `all` is how many the organization has, where nothing is left out.
pub(crate) fn total_of<T>(page: &Page<T>, request: &PageRequest, all: Option<u64>) -> Option<u64> {
    all.or_else(|| page.known_total(request))
}

/// Some of the jobs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobPage)]
pub(crate) struct JobPage {
    /// How many there are in all. Absent where the list leaves out jobs that the organization has, and goes on after this answer
    /// or began before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    items: Vec<JobItem>,
    included: JobIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl JobPage {
    /// A part of a list. `total` is told from what the table says of all jobs.
    pub(crate) fn of(page: Page<Row<Job>>, links: JobLinks, total: Option<u64>) -> Self {
        let items = page.rows.iter().map(JobItem::from).collect();
        Self { total, items, included: JobIncluded::of(&page.rows, links), marker: page.marker }
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
    /// The jobs that run them. Where their configurations come to more than 2 MiB, the last ones are left out; their ids stay.
    jobs: Vec<JobView>,
}

/// The most bytes of configurations of jobs beside queries.
const MAX_JOB_BYTES: usize = 2 * 1024 * 1024;

/// As many jobs as an answer has room for beside what it is about.
fn fitting(jobs: impl Iterator<Item = JobView>) -> Vec<JobView> {
    let mut room = MAX_JOB_BYTES;
    let fits = |job: &JobView| {
        let size = serde_json::to_vec(&job.config).map_or(usize::MAX, |text| text.len());
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    jobs.take_while(fits).collect()
}

/// Some of the saved queries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueryPage)]
pub(crate) struct QueryPage {
    /// How many there are in all. Absent where the list leaves out queries that the organization has, and goes on after this
    /// answer or began before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    items: Vec<QueryItem>,
    included: QueryIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl QueryPage {
    /// A part of a list, as far as the caller may see it.
    pub(crate) fn of(caller: &Caller, page: Page<Row<SavedQuery>>, links: QueryLinks, total: Option<u64>) -> Self {
        let (items, included) = queries(caller, page.rows, links);
        Self { total, items, included, marker: page.marker }
    }
}

/// A team that a job is shared with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobTeam)]
pub(crate) struct JobTeamView {
    job_id: JobId,
    team_id: TeamId,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl JobTeamView {
    pub(crate) fn of(job: &Job, team: &TeamId) -> Self {
        let since = since(&job.shared, team, job.created_at, &job.created_by);
        Self {
            job_id: job.id.clone(),
            team_id: team.clone(),
            created_at: since.created_at,
            created_by: since.created_by.clone(),
            updated_at: since.created_at,
            updated_by: since.created_by,
        }
    }
}

/// A team that a saved query is shared with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QueryTeam)]
pub(crate) struct QueryTeamView {
    query_id: QueryId,
    team_id: TeamId,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl QueryTeamView {
    pub(crate) fn of(saved: &SavedQuery, team: &TeamId) -> Self {
        let since = since(&saved.shared, team, saved.query.created_at, &saved.query.created_by);
        Self {
            query_id: saved.query.id.clone(),
            team_id: team.clone(),
            created_at: since.created_at,
            created_by: since.created_by.clone(),
            updated_at: since.created_at,
            updated_by: since.created_by,
        }
    }
}

/// Since when something is shared with a team: its own creation, unless the team came later.
fn since(shared: &BTreeMap<TeamId, Shared>, team: &TeamId, created_at: Timestamp, created_by: &MemberId) -> Shared {
    let from_the_beginning = || Shared { created_at, created_by: created_by.clone() };
    shared.get(team).cloned().unwrap_or_else(from_the_beginning)
}

/// Queries with what they point at, as far as the caller may see it.
pub(crate) fn queries(
    caller: &Caller,
    rows: Vec<Row<SavedQuery>>,
    links: QueryLinks,
) -> (Vec<QueryItem>, QueryIncluded) {
    let visible = |job: &Job| caller.may_in_any(Relation::CanViewJobs, &job.team_ids);
    let jobs: BTreeMap<&JobId, JobView> =
        links.jobs.iter().filter(|row| visible(&row.value)).map(|row| (&row.value.id, row.into())).collect();
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
        jobs: fitting(jobs.into_values()),
    };
    (items, included)
}
