//! Runs of jobs: their life as one state machine, and the record of each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent_protocol::CANCEL_GRACE;
use crate::job::JobVersion;
use crate::{AgentId, CatalogId, ClusterId, JobId, JobRunId, MemberId, Timestamp};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Created; held, or waiting for what it depends on.
    Pending,
    /// May be leased by an agent of its cluster.
    Ready,
    /// Leased by an agent.
    Starting,
    /// The agent asks for a Sail server.
    CreatingSail,
    /// The Sail server does not answer yet.
    WaitingForSail,
    /// The agent asks for the runner.
    CreatingRunner,
    /// The job's code runs.
    Running,
    /// The job's code ended well.
    Succeeded,
    /// The job's code, its engine or its agent failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It took longer than `timeoutSeconds`.
    Timeout,
}

/// What may happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// Nothing holds it back any longer.
    Release,
    /// An agent took it.
    Lease,
    /// The agent asked for a Sail server.
    SailRequested,
    /// The Sail server was created and is starting.
    SailCreated,
    /// The Sail server answers; the runner is asked for.
    SailAnswered,
    /// The runner executes the job's code.
    RunnerStarted,
    /// The job's code ended well.
    Succeed,
    /// The job's code, its engine or its agent failed.
    Fail,
    /// Its time is up.
    TimeOut,
    /// Somebody stopped it.
    Cancel,
    /// Its agent was lost, and it may be tried again.
    Requeue,
    /// Somebody wants it done again.
    Retry,
    /// Somebody wants it done again, later.
    RetryHeld,
}

/// An event that the present status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {status:?} cannot {event:?}")]
pub struct InvalidTransition {
    /// Where the run stands.
    pub status: RunStatus,
    /// What was to happen.
    pub event: RunEvent,
}

impl RunStatus {
    /// Every status, in the order a run walks through them.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Ready,
        Self::Starting,
        Self::CreatingSail,
        Self::WaitingForSail,
        Self::CreatingRunner,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Timeout,
    ];

    /// Where `event` leads. The only way a run changes status.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the contract has no such step.
    pub fn next(self, event: RunEvent) -> Result<Self, InvalidTransition> {
        use RunEvent as E;
        match (self, event) {
            (Self::Pending, E::Release) => Ok(Self::Ready),
            (Self::Ready, E::Lease) => Ok(Self::Starting),
            (Self::Starting, E::SailRequested) => Ok(Self::CreatingSail),
            (Self::CreatingSail, E::SailCreated) => Ok(Self::WaitingForSail),
            (Self::WaitingForSail, E::SailAnswered) => Ok(Self::CreatingRunner),
            (Self::CreatingRunner, E::RunnerStarted) => Ok(Self::Running),
            (Self::Running, E::Succeed) => Ok(Self::Succeeded),
            (status, E::Fail) if status.is_active() => Ok(Self::Failed),
            (status, E::TimeOut) if status.is_active() => Ok(Self::Timeout),
            (status, E::Requeue) if status.is_active() => Ok(Self::Ready),
            (status, E::Cancel) if !status.is_terminal() => Ok(Self::Cancelled),
            (Self::Failed | Self::Timeout | Self::Cancelled, E::Retry) => Ok(Self::Ready),
            (Self::Failed | Self::Timeout | Self::Cancelled, E::RetryHeld) => Ok(Self::Pending),
            (status, event) => Err(InvalidTransition { status, event }),
        }
    }

    /// An agent has it.
    #[must_use]
    pub fn is_active(self) -> bool {
        (Self::Starting..=Self::Running).contains(&self)
    }

    /// Nothing will happen to it any more by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self >= Self::Succeeded
    }
}

impl RunEvent {
    /// Every event.
    pub const ALL: [Self; 13] = [
        Self::Release,
        Self::Lease,
        Self::SailRequested,
        Self::SailCreated,
        Self::SailAnswered,
        Self::RunnerStarted,
        Self::Succeed,
        Self::Fail,
        Self::TimeOut,
        Self::Cancel,
        Self::Requeue,
        Self::Retry,
        Self::RetryHeld,
    ];
}

/// When the agent removes a run's engine, runner and working files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceCleanupMode {
    /// Whatever the outcome.
    #[default]
    Always,
    /// Only when the run succeeded, so that a failure can be looked at.
    OnSuccess,
    /// Never; engine and runner processes still end.
    Never,
}

/// What a run that a tick created waits for before it may be ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The keys of the jobs that have to succeed first.
    pub jobs: Vec<String>,
    /// Their runs count that were [created](JobRun::moment) after this: the moment of the job's run before, and before its own. All
    /// count when there was none. One that waited, and gave way before an agent had it, was none.
    pub since: Option<Timestamp>,
    /// It takes the place of the job's runs that have not ended: those are stopped, and have to have ended. `false` once they have.
    pub replaces: bool,
}

/// What names in a saved query's text mean that say no more, unless its job says it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryDefaults {
    /// The catalog.
    pub catalog_id: Option<CatalogId>,
    /// The database there.
    pub schema: Option<String>,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunTrigger {
    /// A person.
    Manual,
    /// The job's schedule.
    Schedule,
    /// A retry.
    Retry,
    /// The success of a job it depends on, for which a run of its schedule waited.
    Dependency,
    /// A service account.
    Api,
}

/// Where a run's results went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase")]
pub struct JobRunResults {
    /// A folder of Parquet files, as a URI.
    #[garde(length(bytes, min = 1, max = 1023))]
    #[schema(examples("s3://acme-output/jobs/daily-sales-etl/runs/01JD3Z5K8M4T9V2X7RQC/"))]
    pub output_path: String,
}

/// One run of a job, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRun {
    /// Its id.
    pub id: JobRunId,
    /// The job it is a run of.
    pub job_id: JobId,
    /// The published version it is pinned to, also when retried.
    pub job_version: u32,
    /// Where it runs.
    pub cluster_id: ClusterId,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it stands there, for a person.
    pub status_message: Option<String>,
    /// Keeps it `pending` until it is released.
    pub hold: bool,
    /// What its agent removes afterwards.
    pub resource_cleanup_mode: ResourceCleanupMode,
    /// What started it.
    pub trigger: RunTrigger,
    /// Seconds it may take from its lease on; 0 means no limit.
    pub timeout_seconds: u32,
    /// Automatic tries after its agent is lost, as often as somebody starts it.
    #[serde(default)]
    pub max_retries: u32,
    /// Those that are left.
    pub retries_left: u32,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// When an agent took it.
    pub dispatched_at: Option<Timestamp>,
    /// When its code began.
    pub runner_started_at: Option<Timestamp>,
    /// When its code ended.
    pub runner_completed_at: Option<Timestamp>,
    /// How long its code took, in microseconds.
    pub runner_execution_time_us: Option<u64>,
    /// When it reached a terminal status.
    pub finished_at: Option<Timestamp>,
    /// When its agent had removed what the cleanup mode says.
    pub cleaned_at: Option<Timestamp>,
    /// Where its results are.
    pub results: Option<JobRunResults>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last; absent when that was the platform.
    pub updated_by: Option<MemberId>,
    /// How many times it was leased. Reports about an earlier lease are refused.
    pub attempt: u32,
    /// The agent that executes it. While it holds the lease, nobody else does.
    pub leased_by: Option<AgentId>,
    /// The number of the last report of this attempt that was taken in.
    pub last_report: u64,
    /// When somebody asked to stop it.
    pub cancel_requested_at: Option<Timestamp>,
    /// The SQL text that this run executes, as it was at its first lease.
    pub resolved_sql: Option<String>,
    /// What names in it mean where it is a saved query's, as it was at its first lease.
    #[serde(default)]
    pub query_defaults: Option<QueryDefaults>,
    /// The tick that it was created for.
    #[serde(default)]
    pub scheduled_at: Option<Timestamp>,
    /// What it waits for while it is pending, or has waited for.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// The run that takes its place.
    #[serde(default)]
    pub replaced_by: Option<JobRunId>,
}

impl JobRun {
    /// A new run of a version: `pending`, not held, on the version's cluster and under its limits.
    #[must_use]
    pub fn of(job: &JobId, version: &JobVersion, trigger: RunTrigger, by: &MemberId, now: Timestamp) -> Self {
        let max_retries = version.config.lakesail.as_ref().map_or(0, |engine| engine.max_retries);
        Self {
            id: JobRunId::generate(now),
            job_id: job.clone(),
            job_version: version.number,
            cluster_id: version.cluster_id.clone(),
            status: RunStatus::Pending,
            status_message: None,
            hold: false,
            resource_cleanup_mode: ResourceCleanupMode::default(),
            trigger,
            timeout_seconds: version.timeout_seconds,
            max_retries,
            retries_left: max_retries,
            ready_at: None,
            dispatched_at: None,
            runner_started_at: None,
            runner_completed_at: None,
            runner_execution_time_us: None,
            finished_at: None,
            cleaned_at: None,
            results: None,
            created_at: now,
            created_by: by.clone(),
            updated_at: now,
            updated_by: None,
            attempt: 0,
            leased_by: None,
            last_report: 0,
            cancel_requested_at: None,
            resolved_sql: None,
            query_defaults: None,
            scheduled_at: None,
            waiting: None,
            replaced_by: None,
        }
    }

    /// The moment that it stands for among runs: its tick's, else its creation. However late the scheduler came to two jobs of
    /// the same minute, their runs are of the same moment.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.scheduled_at.unwrap_or(self.created_at)
    }

    /// Whether it was created before another run.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        (self.created_at, self.scheduled_at, &self.id) < (other.created_at, other.scheduled_at, &other.id)
    }

    /// Whether it takes the place of the job's older runs, as far as is known: not all of them were seen to have ended.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.replaces)
    }

    /// The job's older runs, whose place it takes, have ended.
    pub fn end_replacing(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.replaces = false;
        }
    }

    /// Takes over what an older run waited for that gives way to it before an agent had that one: what succeeded since the run before
    /// both counts. Answers whether that is more than what counted for this one.
    pub fn inherit_wait(&mut self, older: &Self) -> bool {
        let (Some(own), Some(given)) = (&mut self.waiting, &older.waiting) else { return false };
        let waits = self.status == RunStatus::Pending && !own.jobs.is_empty();
        let counts_more = waits && older.attempt == 0 && given.since < own.since;
        if counts_more {
            own.since = given.since;
        }
        counts_more
    }

    /// Moves the run on.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the contract has no such step; the run is unchanged then.
    pub fn apply(&mut self, event: RunEvent, now: Timestamp) -> Result<(), InvalidTransition> {
        self.status = self.status.next(event)?;
        self.updated_at = now;
        match event {
            RunEvent::Lease => {
                self.dispatched_at = Some(now);
                self.attempt += 1;
                self.last_report = 0;
                self.cleaned_at = None;
            }
            RunEvent::RunnerStarted => self.runner_started_at = Some(now),
            RunEvent::Requeue => self.forget_last_attempt(),
            RunEvent::Retry | RunEvent::RetryHeld => {
                self.forget_last_attempt();
                self.trigger = RunTrigger::Retry;
                self.retries_left = self.max_retries;
                self.hold = event == RunEvent::RetryHeld;
            }
            RunEvent::Release => self.hold = false,
            _ => {}
        }
        self.ready_at = (self.status == RunStatus::Ready).then_some(now).or(self.ready_at);
        if self.status.is_terminal() {
            self.finished_at = Some(now);
            self.leased_by = None;
        }
        Ok(())
    }

    fn forget_last_attempt(&mut self) {
        self.leased_by = None;
        self.dispatched_at = None;
        self.runner_started_at = None;
        self.runner_completed_at = None;
        self.runner_execution_time_us = None;
        self.finished_at = None;
        self.cleaned_at = None;
        self.results = None;
        self.cancel_requested_at = None;
        self.status_message = None;
        self.waiting = None;
        self.replaced_by = None;
    }

    /// When the run must have ended; `None` before it is leased and without a limit.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let limit = (self.timeout_seconds > 0).then(|| Duration::from_secs(self.timeout_seconds.into()))?;
        self.dispatched_at.map(|dispatched_at| dispatched_at + limit)
    }

    /// When somebody has to look at an active run whose lease ends at `lease_expires_at`: at its end, at the run's own
    /// deadline, or when it should have stopped as it was asked to.
    #[must_use]
    pub fn due_at(&self, lease_expires_at: Timestamp) -> Timestamp {
        let stopped_by = self.cancel_requested_at.map(|requested_at| requested_at + CANCEL_GRACE);
        [self.deadline(), stopped_by].into_iter().flatten().fold(lease_expires_at, Timestamp::min)
    }
}
