//! What a cluster agent and the control plane say to each other under `/agent/*`.
//!
//! The agent only ever calls out. Every message can be sent again after a lost answer: registration names a secret that
//! the agent made itself, reports and log lines carry numbers, results replace themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::LeasedCatalogs;
use crate::job::{Compute, Library};
use crate::job_run::{JobRunResults, ResourceCleanupMode, RunEvent};
use crate::{AgentId, ClusterId, JobId, JobRunId, OrganizationId, Timestamp};

/// How long a lease lasts unless renewed (contract, decisions, Jobs).
pub const LEASE: Duration = Duration::from_secs(60);
/// How often an agent sends a heartbeat, which renews its leases.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// How long a run may go on after it was asked to stop.
pub const CANCEL_GRACE: Duration = Duration::from_secs(30);
/// A cluster is `active` while its agent's last heartbeat is younger than this.
pub const HEARTBEAT_VALID: Duration = Duration::from_secs(120);
/// The longest a lease request is held open.
pub const MAX_WAIT: Duration = Duration::from_secs(20);
/// How long an agent leaves alone a control plane that does not hold requests open. With it half of all runs are leased
/// within a second of being ready, at the price that `infra/docs/agent-polling.md` computes.
pub const ASK_AGAIN: Duration = Duration::from_millis(1700);
/// Rows in a result preview.
pub const PREVIEW_ROWS: usize = 100;
/// The largest result preview, in bytes of JSON.
pub const MAX_PREVIEW_BYTES: usize = 64 * 1024;
/// The most log lines in one message.
pub const MAX_LOG_LINES: usize = 100;
/// The longest log line, in bytes; an agent cuts longer ones.
pub const MAX_LOG_LINE_BYTES: usize = 8 * 1024;
/// The most bytes of log text in one message.
pub const MAX_LOG_BYTES: usize = 64 * 1024;
/// The most runs that one agent may hold.
pub const MAX_HELD_RUNS: usize = 100;
/// The largest number of the format `int32` in the OpenAPI document.
const MAX_INT32: u32 = i32::MAX.unsigned_abs();

/// `POST /agent/register`: trades a one-time registration token for credentials.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentRegistration {
    /// The one-time token that the cluster's creation answered.
    #[garde(length(bytes, min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255)]
    pub registration_token: String,
    /// SHA-256, as 64 lower-case hex digits, of a secret of at least 32 random bytes that the agent made and keeps. It
    /// authenticates later as `Authorization: Bearer msa_<agentId>_<secret>`. Sending the same pair again answers the same.
    #[garde(pattern("^[0-9a-f]{64}$"))]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub secret_sha256: String,
    /// The agent's version.
    #[garde(length(chars, min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    pub version: String,
    /// How it executes runs.
    #[garde(skip)]
    pub backend: AgentBackend,
}

/// How an agent executes runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentBackend {
    /// As processes on the agent's own machine.
    Process,
    /// As pods.
    Kubernetes,
}

/// The answer to a registration.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentRegistered {
    /// Who the agent is from now on.
    pub agent_id: AgentId,
    /// The organization it works for.
    pub organization_id: OrganizationId,
    /// The cluster it serves.
    pub cluster_id: ClusterId,
}

/// A run that an agent holds, and under which lease. Not closed to other fields, unlike other parts of requests: answers have more of them
/// beside these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase")]
pub struct HeldRun {
    /// The job.
    #[garde(skip)]
    pub job_id: JobId,
    /// The run.
    #[garde(skip)]
    pub job_run_id: JobRunId,
    /// The lease's number.
    #[schema(maximum = 2_147_483_647)]
    #[garde(range(max = MAX_INT32))]
    pub attempt: u32,
}

/// `POST /agent/heartbeat`: the agent lives, and goes on with these runs.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Heartbeat {
    /// Every run it works on, at most 100.
    #[garde(length(max = MAX_HELD_RUNS), dive)]
    #[schema(max_items = 100)]
    pub holding: Vec<HeldRun>,
    /// How busy its machine or cluster is.
    #[garde(dive)]
    pub utilization: Utilization,
    /// What it is doing while it cannot execute runs yet, such as preparing its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, max = 1024)))]
    pub message: Option<String>,
}

/// How busy an agent's machine or cluster is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Utilization {
    /// Share of CPU in use, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    #[garde(range(min = 0.0, max = 1.0))]
    pub cpu: f64,
    /// Share of memory in use, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    #[garde(range(min = 0.0, max = 1.0))]
    pub memory: f64,
    /// Runs it could take at once in all.
    #[schema(maximum = 2_147_483_647)]
    #[garde(range(max = MAX_INT32))]
    pub capacity: u32,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAnswer {
    /// What became of each held run, in the order they were named.
    pub runs: Vec<RunOrder>,
}

/// What an agent has to do with a run that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunOrder {
    /// The run.
    #[serde(flatten)]
    pub run: HeldRun,
    /// What to do.
    pub order: Order,
}

/// What an agent has to do with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Go on; the lease was renewed.
    Continue,
    /// Stop it within 30 seconds and report `cancel`.
    Cancel,
    /// The lease is lost or the run has ended: stop it, report nothing, clean up.
    Abandon,
}

/// `POST /agent/lease`: asks for work, and for news about the work at hand.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseRequest {
    /// Every run it works on, at most 100. A run leased to this agent that is not named here is handed out again, with the
    /// same attempt: the answer that held it was lost.
    #[garde(length(max = MAX_HELD_RUNS), dive)]
    #[schema(max_items = 100)]
    pub holding: Vec<HeldRun>,
    /// How many more runs it can take, at most 10; 0 asks for orders only.
    #[schema(maximum = 10)]
    #[garde(range(max = 10))]
    pub capacity: u32,
    /// How long to wait for work when there is none, in seconds, at most 20.
    #[serde(default)]
    #[schema(maximum = 20)]
    #[garde(range(max = 20))]
    pub wait_seconds: u32,
}

/// The answer to a lease request.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaseAnswer {
    /// New work.
    pub runs: Vec<LeasedRun>,
    /// Held runs that have to stop.
    pub orders: Vec<RunOrder>,
    /// How long to leave the control plane alone when both are empty, in milliseconds: where holding a request open costs
    /// more than answering many, requests are answered at once.
    #[serde(default)]
    pub ask_again_after_ms: u32,
}

/// All that an agent needs to execute a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeasedRun {
    /// The run and its lease's number.
    #[serde(flatten)]
    pub run: HeldRun,
    /// The job's key, for naming its results.
    pub job_key: String,
    /// When the lease ends unless a heartbeat renews it.
    pub lease_expires_at: Timestamp,
    /// Seconds the run may take in all; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// What to remove afterwards.
    pub resource_cleanup_mode: ResourceCleanupMode,
    /// What to execute.
    pub source: LeasedSource,
    /// Free-form engine settings of the job (`config.lakesail`), such as `executionMode`.
    pub engine: BTreeMap<String, String>,
    /// The catalogs that it finds its tables in; absent when its job names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogs: Option<LeasedCatalogs>,
    /// Environment variables of the job's code and of its engine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Python packages for the job's code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<Library>,
    /// Machines, where the agent has a choice of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
    /// The engine's image, where there are images; the agent's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// What a run executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeasedSource {
    /// SQL statements separated by `;`. The last one's rows are the result.
    Sql {
        /// The text.
        text: String,
    },
    /// One Python file, or a wheel with an entry point.
    Python {
        /// A URI (`https://`, `file://`, `s3://`) of a `.py` file or a wheel, else the script's text.
        source: String,
        /// The package of a wheel; given with a wheel only.
        #[serde(rename = "packageName", default, skip_serializing_if = "Option::is_none")]
        package_name: Option<String>,
        /// What to call in it: the name of an entry point, else of a function of the package.
        #[serde(rename = "entryPoint", default, skip_serializing_if = "Option::is_none")]
        entry_point: Option<String>,
        /// Arguments by position.
        parameters: Vec<String>,
        /// Arguments by name, given as `--name=value` after those by position.
        #[serde(rename = "namedParameters")]
        named_parameters: BTreeMap<String, String>,
    },
}

/// `POST /agent/jobs/{job}/runs/{jobRun}/events`: what happened to a held run.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunReports {
    /// The lease's number.
    #[schema(maximum = 2_147_483_647)]
    #[garde(range(max = MAX_INT32))]
    pub attempt: u32,
    /// In order; each is taken in once, whatever is sent again. At most 20.
    #[garde(length(max = 20), dive)]
    #[schema(max_items = 20)]
    pub reports: Vec<RunReport>,
}

/// One thing that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunReport {
    /// 1 for an attempt's first report, then one more each.
    #[schema(minimum = 1)]
    #[garde(range(min = 1))]
    pub sequence: u64,
    /// What happened.
    #[garde(skip)]
    pub event: ReportedEvent,
    /// Why, for a person: the engine's own message when it failed. At most 4,096 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, max = 4096)))]
    pub message: Option<String>,
    /// How long the job's code took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub runner_execution_time_us: Option<u64>,
    /// Where the results are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub results: Option<JobRunResults>,
}

/// What an agent may say about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedEvent {
    /// It asks for a Sail server.
    SailRequested,
    /// The Sail server was created and is starting.
    SailCreated,
    /// The Sail server answers; it asks for the runner.
    SailAnswered,
    /// The runner executes the job's code.
    RunnerStarted,
    /// The job's code ended well.
    Succeed,
    /// The job's code or its engine failed.
    Fail,
    /// It was stopped because its time was up.
    TimeOut,
    /// It was stopped as ordered.
    Cancel,
    /// What the cleanup mode says is removed. Comes after the run has ended, without a lease.
    Cleaned,
}

impl LeasedRun {
    /// Whether packages have to be installed before its code can be executed.
    #[must_use]
    pub fn needs_packages(&self) -> bool {
        let wheel = matches!(&self.source, LeasedSource::Python { package_name: Some(_), .. });
        wheel || !self.libraries.is_empty()
    }
}

impl ReportedEvent {
    /// The step of the run's state machine that this is; `None` for [`ReportedEvent::Cleaned`].
    #[must_use]
    pub fn transition(self) -> Option<RunEvent> {
        match self {
            Self::SailRequested => Some(RunEvent::SailRequested),
            Self::SailCreated => Some(RunEvent::SailCreated),
            Self::SailAnswered => Some(RunEvent::SailAnswered),
            Self::RunnerStarted => Some(RunEvent::RunnerStarted),
            Self::Succeed => Some(RunEvent::Succeed),
            Self::Fail => Some(RunEvent::Fail),
            Self::TimeOut => Some(RunEvent::TimeOut),
            Self::Cancel => Some(RunEvent::Cancel),
            Self::Cleaned => None,
        }
    }
}

/// The answer to reports: whether to go on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportsTaken {
    /// What to do with the run now.
    pub order: Order,
    /// The last report of this attempt that was taken in.
    pub last_report: u64,
}

/// `POST /agent/jobs/{job}/runs/{jobRun}/logs`: the next lines of a run's log.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogBatch {
    /// The lease's number.
    #[schema(maximum = 2_147_483_647)]
    #[garde(range(max = MAX_INT32))]
    pub attempt: u32,
    /// The number of the first line; an attempt's first line has number 0.
    #[garde(skip)]
    pub first_line: u64,
    /// Lines in order, at most 100 and 64 KiB of text.
    #[garde(length(max = MAX_LOG_LINES), dive, custom(log_bytes))]
    #[schema(max_items = 100)]
    pub lines: Vec<LogLine>,
}

/// The answer to log lines.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogTaken {
    /// The number of the line that is expected next. Lines below it were taken in before and are left out.
    pub next_line: u64,
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogLine {
    /// When it was written.
    #[garde(skip)]
    pub timestamp: Timestamp,
    /// Who wrote it.
    #[garde(skip)]
    pub source: LogSource,
    /// Where to.
    #[garde(skip)]
    pub stream: LogStream,
    /// The text, without its line end.
    #[garde(length(bytes, max = MAX_LOG_LINE_BYTES))]
    #[schema(max_length = 8192)]
    pub message: String,
}

/// Who writes log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The engine.
    Sail,
    /// The job's code, and the runner around it.
    Runner,
}

/// Where a log line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// `PUT /agent/jobs/{job}/runs/{jobRun}/results`: the first rows of a run's result.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultsReport {
    /// The lease's number.
    #[schema(maximum = 2_147_483_647)]
    #[garde(range(max = MAX_INT32))]
    pub attempt: u32,
    /// The preview.
    #[garde(dive, custom(preview_bytes), custom(preview_width))]
    pub preview: ResultPreview,
}

/// The first rows of a run's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultPreview {
    /// The columns, in order.
    #[garde(length(max = 10_000), dive)]
    #[schema(max_items = 10_000)]
    pub columns: Vec<ResultColumn>,
    /// At most 100 rows; each has a value for every column. Values that JSON cannot hold are texts.
    #[schema(value_type = Vec<Vec<serde_json::Value>>, max_items = 100)]
    #[garde(length(max = PREVIEW_ROWS))]
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Whether the result has more rows, or longer values, than are shown.
    #[garde(skip)]
    pub truncated: bool,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultColumn {
    /// Its name.
    #[garde(skip)]
    pub name: String,
    /// Its Spark SQL type, such as `bigint` or `array<string>`.
    #[serde(rename = "type")]
    #[garde(skip)]
    pub data_type: String,
}

fn log_bytes(lines: &[LogLine], _: &()) -> garde::Result {
    let bytes: usize = lines.iter().map(|line| line.message.len()).sum();
    if bytes > MAX_LOG_BYTES { Err(garde::Error::new("must not be longer than 64 KiB in all")) } else { Ok(()) }
}

fn preview_width(preview: &ResultPreview, _: &()) -> garde::Result {
    let fits = preview.rows.iter().all(|row| row.len() == preview.columns.len());
    if fits { Ok(()) } else { Err(garde::Error::new("must have a value for every column in every row")) }
}

fn preview_bytes(preview: &ResultPreview, _: &()) -> garde::Result {
    let bytes = serde_json::to_vec(preview).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_PREVIEW_BYTES { Err(garde::Error::new("must not be longer than 64 KiB as JSON")) } else { Ok(()) }
}
