//! Executes a run as processes on this machine: a Sail server of its own, and a runner that speaks Spark Connect to it.
//!
//! Both are independent of the agent and write what they have to say into the run's directory, so that they live on when
//! the agent is killed and are found again when it is back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainsheet_core::agent_protocol::{LeasedSource, ResultPreview};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::environment::Environment;
use crate::log_journal::{SAIL_LOG, STDERR_LOG, STDOUT_LOG};
use crate::process::{self, ProcessIdentity, ROLE_VARIABLE, RUN_VARIABLE};
use crate::run_directory::{Assignment, RunDirectory};
use crate::sail_catalogs;

/// The Python files of a run's processes.
const PROGRAMS: [(&str, &str); 5] = [
    ("run_files.py", include_str!("../python/run_files.py")),
    ("sail_server.py", include_str!("../python/sail_server.py")),
    ("runner.py", include_str!("../python/runner.py")),
    ("sql_job.py", include_str!("../python/sql_job.py")),
    ("preview.py", include_str!("../python/preview.py")),
];
const SAIL: &str = "sail";
const RUNNER: &str = "runner";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What a Sail server leaves word of once it listens.
#[derive(Deserialize)]
struct SailFile {
    process: ProcessIdentity,
    port: u16,
}

/// What the runner needs to know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    source: &'a LeasedSource,
    output_uri: &'a str,
}

/// How the job's code ended, as the runner's last act tells.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) message: Option<String>,
    pub(crate) execution_time_us: u64,
}

/// Where a run's Sail server stands.
pub(crate) enum SailStatus {
    /// There is none.
    Absent,
    /// It is coming up.
    Starting,
    /// It takes connections at this port.
    Answers(u16),
}

/// Where a run's runner stands.
pub(crate) enum RunnerStatus {
    /// None was started.
    Absent,
    /// It has not come to the job's code yet.
    Starting,
    /// It executes the job's code.
    Executes,
    /// The job's code has ended.
    Ended(Outcome),
    /// It began to execute the job's code and is gone without a word.
    Lost,
}

/// The processes of one attempt of a run.
pub(crate) struct ProcessBackend {
    directory: RunDirectory,
    environment: Arc<Environment>,
    sail: OwnChild,
    runner: OwnChild,
}

/// The process that this agent has started in a role, if it was this one and not the one before it.
#[derive(Default)]
struct OwnChild(Mutex<Option<Child>>);

impl OwnChild {
    fn keep(&self, child: Child) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    /// Whether it executes; `None` when it was not this agent that started it.
    fn lives(&self) -> Option<bool> {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_mut().map(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn identity(&self) -> Option<ProcessIdentity> {
        let child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ProcessIdentity::of(child.as_ref()?.id()?)
    }
}

impl ProcessBackend {
    pub(crate) fn new(directory: RunDirectory, environment: Arc<Environment>) -> Self {
        Self { directory, environment, sail: OwnChild::default(), runner: OwnChild::default() }
    }

    /// Looks after the Sail server.
    ///
    /// # Errors
    /// When the run's directory cannot be read.
    pub(crate) async fn sail(&self) -> io::Result<SailStatus> {
        let comes = self.comes(&self.sail, SAIL);
        match self.directory.read::<SailFile>("sail.json")? {
            Some(sail) if sail.process.lives() => {
                let connect = TcpStream::connect((Ipv4Addr::LOCALHOST, sail.port));
                Ok(match timeout(CONNECT_TIMEOUT, connect).await {
                    Ok(Ok(_)) => SailStatus::Answers(sail.port),
                    _ => SailStatus::Starting,
                })
            }
            _ if comes => Ok(SailStatus::Starting),
            _ => Ok(SailStatus::Absent),
        }
    }

    /// Whether the Sail server's process executes.
    ///
    /// # Errors
    /// When the run's directory cannot be read.
    pub(crate) fn sail_lives(&self) -> io::Result<bool> {
        Ok(self.directory.read::<SailFile>("sail.json")?.is_some_and(|sail| sail.process.lives()))
    }

    /// Starts a Sail server. Its own file tells the port that it took.
    ///
    /// # Errors
    /// When the file system or the operating system refuses.
    pub(crate) async fn start_sail(&self, assignment: &Assignment) -> io::Result<()> {
        let mode = match assignment.lease.engine.get("executionMode").map(String::as_str) {
            Some("cluster") => "local-cluster",
            _ => "local",
        };
        let mut command = self.command(SAIL, "sail_server.py").await?;
        let log = self.log(SAIL_LOG)?;
        command.env("SAIL_MODE", mode).stdout(log.try_clone()?).stderr(log);
        if let Some(catalogs) = &assignment.lease.catalogs {
            command.envs(sail_catalogs::environment(catalogs));
        }
        self.sail.keep(command.spawn()?);
        Ok(())
    }

    /// Looks after the runner.
    ///
    /// # Errors
    /// When the run's directory cannot be read.
    pub(crate) fn runner(&self) -> io::Result<RunnerStatus> {
        if let Some(started) = self.started()? {
            return self.started_runner(&started);
        }
        let comes = self.comes(&self.runner, RUNNER);
        // Once more, because it may have been quick.
        match self.started()? {
            Some(started) => self.started_runner(&started),
            None if comes => Ok(RunnerStatus::Starting),
            None => Ok(RunnerStatus::Absent),
        }
    }

    fn started(&self) -> io::Result<Option<ProcessIdentity>> {
        self.directory.read("started.json")
    }

    fn started_runner(&self, runner: &ProcessIdentity) -> io::Result<RunnerStatus> {
        // In this order: its outcome is the last thing that it does.
        let lives = runner.lives();
        Ok(match self.directory.read("outcome.json")? {
            Some(outcome) => RunnerStatus::Ended(outcome),
            None if lives => RunnerStatus::Executes,
            None => RunnerStatus::Lost,
        })
    }

    /// Starts a runner that talks to the Sail server at `port`. Of several runners only the first to claim the run
    /// executes it, whatever happens in between: see `runner.py`.
    ///
    /// # Errors
    /// When the file system or the operating system refuses.
    pub(crate) async fn start_runner(&self, assignment: &Assignment, port: u16) -> io::Result<()> {
        let job = Job { source: &assignment.lease.source, output_uri: &assignment.results.output_path };
        self.directory.write("job.json", &job)?;
        let mut command = self.command(RUNNER, "runner.py").await?;
        command
            .env("SPARK_REMOTE", format!("sc://{}:{port}", Ipv4Addr::LOCALHOST))
            .stdout(self.log(STDOUT_LOG)?)
            .stderr(self.log(STDERR_LOG)?);
        self.runner.keep(command.spawn()?);
        Ok(())
    }

    /// The preview that a runner left.
    ///
    /// # Errors
    /// When the run's directory cannot be read.
    pub(crate) fn preview(&self) -> io::Result<Option<ResultPreview>> {
        self.directory.read("preview.json")
    }

    /// Ends every process of the run, within 5 seconds even those that do not want to.
    pub(crate) async fn end_processes(&self) {
        let sail = self.directory.read::<SailFile>("sail.json").ok().flatten().map(|sail| sail.process);
        let runner = self.started().ok().flatten();
        // Started a moment ago, they may have left no word and show no variables yet.
        let own = [self.sail.identity(), self.runner.identity()].into_iter().flatten();
        let leaders: Vec<ProcessIdentity> = sail.into_iter().chain(runner).chain(own).collect();
        process::end_all(self.directory.root(), &leaders).await;
    }

    /// Whether a process in this role executes that has left no word of itself yet. To be asked before looking for that
    /// word: it may leave it and end in between.
    fn comes(&self, child: &OwnChild, role: &str) -> bool {
        // A process that was started a moment ago shows no variables yet: only one of an agent before is looked for.
        child.lives().unwrap_or_else(|| process::has_role(self.directory.root(), role))
    }

    /// A Python program of ours, as a process group of its own, in an environment that holds nothing of the agent's.
    async fn command(&self, role: &str, program: &str) -> io::Result<Command> {
        let python = self.environment.ready().await;
        let programs = self.directory.path("bin");
        let work = self.directory.path("work");
        let temporary = self.directory.path("tmp");
        for folder in [&programs, &work, &temporary] {
            fs::create_dir_all(folder)?;
        }
        for (name, text) in PROGRAMS {
            fs::write(programs.join(name), text)?;
        }
        let path = python.parent().unwrap_or_else(|| Path::new("/usr/bin")).display();
        let mut command = Command::new(&python);
        command
            .args(["-s", "-u"])
            .arg(programs.join(program))
            .current_dir(&work)
            .env_clear()
            .env("PATH", format!("{path}:/usr/local/bin:/usr/bin:/bin"))
            .env("HOME", &work)
            .env("TMPDIR", &temporary)
            .env("LANG", "C.UTF-8")
            // What a query answers must not depend on where it runs.
            .env("TZ", "UTC")
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(RUN_VARIABLE, self.directory.root())
            .env(ROLE_VARIABLE, role)
            .stdin(Stdio::null())
            .process_group(0);
        Ok(command)
    }

    fn log(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(self.directory.path(name))
    }
}

/// The folder in which results are made before they appear, when they go to this machine. Left behind by a runner that
/// was killed.
pub(crate) fn unfinished_results(output_path: &str) -> Option<PathBuf> {
    let folder = Url::parse(output_path).ok()?.to_file_path().ok()?;
    Some(folder.with_file_name(format!(".{}.partial", folder.file_name()?.to_str()?)))
}
