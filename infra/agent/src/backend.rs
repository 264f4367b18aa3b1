//! What executes runs: a Sail server for each, and a runner that speaks Spark Connect to it.
//!
//! Both are independent of the agent, live on when it is killed, and are found again by the next one. What they have to
//! say comes into the run's directory: `sail.log`, `stdout.log` and `stderr.log`, then `preview.json` and `outcome.json`.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use mainsheet_core::agent_protocol::ResultPreview;
use serde::{Deserialize, Serialize};

use crate::run_directory::{Assignment, RunDirectory};

/// The Python programs of a run.
pub(crate) const PROGRAMS: [(&str, &str); 9] = [
    ("fetch.py", include_str!("../python/fetch.py")),
    ("packages.py", include_str!("../python/packages.py")),
    ("pod.py", include_str!("../python/pod.py")),
    ("preview.py", include_str!("../python/preview.py")),
    ("run_files.py", include_str!("../python/run_files.py")),
    ("runner.py", include_str!("../python/runner.py")),
    ("sail_server.py", include_str!("../python/sail_server.py")),
    ("sql_job.py", include_str!("../python/sql_job.py")),
    ("wheel_main.py", include_str!("../python/wheel_main.py")),
];

/// The first rows of the result, as a runner left them.
pub(crate) const PREVIEW_FILE: &str = "preview.json";
/// How the code ended, as a runner's last act told.
pub(crate) const OUTCOME_FILE: &str = "outcome.json";

/// How long a Sail server keeps a session that asks nothing, as its configuration has it: a year, so that a run's one session lasts
/// as long as its runner, whatever that does in between. Sail's own default is 15 minutes.
pub(crate) const SESSION_TIMEOUT: (&str, &str) = ("SAIL_SPARK__SESSION_TIMEOUT_SECS", "31536000");

/// What the programs need to know of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job<'a> {
    source: &'a mainsheet_core::agent_protocol::LeasedSource,
    output_uri: &'a str,
    libraries: &'a [mainsheet_core::job::Library],
}

impl<'a> Job<'a> {
    pub(crate) fn of(assignment: &'a Assignment) -> Self {
        Self {
            source: &assignment.lease.source,
            output_uri: &assignment.results.output_path,
            libraries: &assignment.lease.libraries,
        }
    }
}

/// How the job's code ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) message: Option<String>,
    pub(crate) execution_time_us: u64,
}

/// Where a run's Sail server stands.
#[derive(Debug)]
pub(crate) enum SailStatus {
    /// There is none.
    Absent,
    /// It is coming up; what it waits for, where that is known.
    Starting(Option<String>),
    /// It takes connections at this host and port.
    Answers(String),
    /// It was there and is not any more, or will never come up, for this reason.
    #[cfg_attr(
        not(feature = "kubernetes"),
        allow(dead_code, reason = "only pods are lost without a word of their own")
    )]
    Gone(String),
}

/// Where a run's runner stands.
#[derive(Debug)]
pub(crate) enum RunnerStatus {
    /// None was started.
    Absent,
    /// It has not come to the job's code yet; what it waits for, where that is known.
    Starting(Option<String>),
    /// It executes the job's code.
    Executes,
    /// The job's code has ended.
    Ended(Outcome),
    /// It is gone without a word, for this reason. It may have begun with the job's code.
    Lost(String),
}

/// What is to happen to what a run leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// It goes.
    Remove,
    /// It stays for people to look at, all but what is secret.
    Keep,
}

/// Why a backend cannot do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackendError {
    /// The file system or the operating system refuses.
    #[error("the agent cannot execute the run: {0}")]
    Disk(#[from] io::Error),
    /// The run cannot be executed, for this reason.
    #[error("{0}")]
    Refused(String),
}

pub(crate) type Result<T> = std::result::Result<T, BackendError>;

/// Executes one attempt of a run. Whatever can pass, such as an outage of what it calls, it waits for.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// How long a Sail server, and after it a runner, may take to come up.
    fn patience(&self) -> Duration;

    /// Looks after the Sail server.
    async fn sail(&self) -> Result<SailStatus>;

    /// Starts a Sail server. Called only when it is [`SailStatus::Absent`].
    async fn start_sail(&self, assignment: &Assignment) -> Result<()>;

    /// Why the Sail server of an executing runner is gone, or can do nothing for it any more; `None` while it can. Cheaper than
    /// [`Self::sail`].
    async fn sail_lost(&self) -> Result<Option<String>>;

    /// Looks after the runner.
    async fn runner(&self) -> Result<RunnerStatus>;

    /// Starts a runner that talks to the Sail server at this host and port. Called only when it is
    /// [`RunnerStatus::Absent`].
    async fn start_runner(&self, assignment: &Assignment, sail: &str) -> Result<()>;

    /// Brings what the run's processes write into its directory, for as long as it is asked for.
    async fn bring_logs(&self) -> io::Error {
        // They write there themselves.
        std::future::pending().await
    }

    /// Ends whatever of the run executes, and has brought its last words when it returns.
    async fn end(&self);

    /// Does away with what the run leaves behind outside its directory. Done when it returns.
    async fn clean_up(&self, remains: Remains) -> Result<()>;
}

/// The preview that a runner left.
///
/// # Errors
/// When the run's directory cannot be read.
pub(crate) fn preview(directory: &RunDirectory) -> io::Result<Option<ResultPreview>> {
    directory.read(PREVIEW_FILE)
}
