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

use async_trait::async_trait;
use reqwest::Url;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::backend::{
    Backend, BackendError, Job, OUTCOME_FILE, PROGRAMS, Remains, Result, RunnerStatus, SESSION_TIMEOUT, SailStatus,
};
use crate::environment::Environment;
use crate::log_journal::{SAIL_LOG, STDERR_LOG, STDOUT_LOG};
use crate::process::{self, ProcessIdentity, ROLE_VARIABLE, RUN_VARIABLE};
use crate::run_directory::{Assignment, RunDirectory};
use crate::sail_catalogs;

const SAIL: &str = "sail";
const RUNNER: &str = "runner";
const PACKAGES: &str = "packages";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a Sail server or a runner may take to come up.
const START: Duration = Duration::from_secs(60);
/// Where the packages of a run are, once they are installed.
const SITE: &str = "site";
/// Of the agent's own variables, those by which packages are found and fetched.
const FETCH_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
];

/// What a Sail server leaves word of once it listens.
#[derive(Deserialize)]
struct SailFile {
    process: ProcessIdentity,
    port: u16,
}

/// What `packages.py` leaves word of: why packages could not be installed.
#[derive(Deserialize)]
struct PackagesFile {
    message: Option<String>,
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

    /// Installs what the run's code needs besides the environment. Done before, it is done quickly.
    async fn install_packages(&self, assignment: &Assignment) -> Result<()> {
        let mut command = self.command(PACKAGES, "packages.py", assignment).await?;
        let own = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("PIP_") || FETCH_VARIABLES.contains(&name.as_ref())
        });
        command
            .envs(own)
            .env("MAINSHEET_LAYERS", self.environment.layers())
            .stdout(self.log(STDOUT_LOG)?)
            .stderr(self.log(STDERR_LOG)?)
            .kill_on_drop(true);
        let status = command.status().await?;
        let told = self.directory.read::<PackagesFile>("packages.json")?.and_then(|file| file.message);
        match told {
            None if status.success() => Ok(()),
            Some(message) => Err(BackendError::Refused(message)),
            None => Err(BackendError::Refused(format!("the packages cannot be installed: pip ended with {status}"))),
        }
    }

    fn started(&self) -> io::Result<Option<ProcessIdentity>> {
        self.directory.read("started.json")
    }

    fn started_runner(&self, runner: &ProcessIdentity) -> io::Result<RunnerStatus> {
        // In this order: its outcome is the last thing that it does.
        let lives = runner.lives();
        Ok(match self.directory.read(OUTCOME_FILE)? {
            Some(outcome) => RunnerStatus::Ended(outcome),
            None if lives => RunnerStatus::Executes,
            None => RunnerStatus::Lost("the runner ended without leaving an outcome".to_owned()),
        })
    }

    /// Whether a process in this role executes that has left no word of itself yet. To be asked before looking for that
    /// word: it may leave it and end in between.
    fn comes(&self, child: &OwnChild, role: &str) -> bool {
        // A process that was started a moment ago shows no variables yet: only one of an agent before is looked for.
        child.lives().unwrap_or_else(|| process::has_role(self.directory.root(), role))
    }

    /// A Python program of ours, as a process group of its own, in an environment that holds nothing of the agent's.
    async fn command(&self, role: &str, program: &str, assignment: &Assignment) -> io::Result<Command> {
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
            .envs(&assignment.lease.environment)
            .stdin(Stdio::null())
            .process_group(0);
        if self.directory.path(SITE).exists() {
            command.env("PYTHONPATH", self.directory.path(SITE));
        }
        Ok(command)
    }

    fn log(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(self.directory.path(name))
    }
}

#[async_trait]
impl Backend for ProcessBackend {
    fn patience(&self) -> Duration {
        START
    }

    async fn sail(&self) -> Result<SailStatus> {
        let comes = self.comes(&self.sail, SAIL);
        match self.directory.read::<SailFile>("sail.json")? {
            Some(sail) if sail.process.lives() => {
                let connect = TcpStream::connect((Ipv4Addr::LOCALHOST, sail.port));
                Ok(match timeout(CONNECT_TIMEOUT, connect).await {
                    Ok(Ok(_)) => SailStatus::Answers(format!("{}:{}", Ipv4Addr::LOCALHOST, sail.port)),
                    _ => SailStatus::Starting(None),
                })
            }
            _ if comes => Ok(SailStatus::Starting(None)),
            _ => Ok(SailStatus::Absent),
        }
    }

    /// Its own file tells the port that it took.
    async fn start_sail(&self, assignment: &Assignment) -> Result<()> {
        self.directory.write("job.json", &Job::of(assignment))?;
        if assignment.lease.needs_packages() {
            self.install_packages(assignment).await?;
        }
        let mode = match assignment.lease.engine.get("executionMode").map(String::as_str) {
            Some("cluster") => "local-cluster",
            _ => "local",
        };
        let mut command = self.command(SAIL, "sail_server.py", assignment).await?;
        let log = self.log(SAIL_LOG)?;
        let (name, value) = SESSION_TIMEOUT;
        command.env("SAIL_MODE", mode).env(name, value).stdout(log.try_clone()?).stderr(log);
        if let Some(catalogs) = &assignment.lease.catalogs {
            command.envs(sail_catalogs::environment(catalogs));
        }
        self.sail.keep(command.spawn()?);
        Ok(())
    }

    async fn sail_lost(&self) -> Result<Option<String>> {
        let lives = self.directory.read::<SailFile>("sail.json")?.is_some_and(|sail| sail.process.lives());
        Ok((!lives).then(|| "the Sail server ended while the job was running".to_owned()))
    }

    async fn runner(&self) -> Result<RunnerStatus> {
        if let Some(started) = self.started()? {
            return Ok(self.started_runner(&started)?);
        }
        let comes = self.comes(&self.runner, RUNNER);
        // Once more, because it may have been quick.
        match self.started()? {
            Some(started) => Ok(self.started_runner(&started)?),
            None if comes => Ok(RunnerStatus::Starting(None)),
            None => Ok(RunnerStatus::Absent),
        }
    }

    /// Of several runners only the first to claim the run executes it, whatever happens in between: see `runner.py`.
    async fn start_runner(&self, assignment: &Assignment, sail: &str) -> Result<()> {
        let mut command = self.command(RUNNER, "runner.py", assignment).await?;
        command.env("SPARK_REMOTE", format!("sc://{sail}")).stdout(self.log(STDOUT_LOG)?).stderr(self.log(STDERR_LOG)?);
        self.runner.keep(command.spawn()?);
        Ok(())
    }

    /// Ends every process of the run, within 5 seconds even those that do not want to.
    async fn end(&self) {
        let sail = self.directory.read::<SailFile>("sail.json").ok().flatten().map(|sail| sail.process);
        let runner = self.started().ok().flatten();
        // Started a moment ago, they may have left no word and show no variables yet.
        let own = [self.sail.identity(), self.runner.identity()].into_iter().flatten();
        let leaders: Vec<ProcessIdentity> = sail.into_iter().chain(runner).chain(own).collect();
        process::end_all(self.directory.root(), &leaders).await;
    }

    async fn clean_up(&self, _: Remains) -> Result<()> {
        // All of it is in the run's directory.
        Ok(())
    }
}

/// The folder in which results are made before they appear, when they go to this machine. Left behind by a runner that
/// was killed.
pub(crate) fn unfinished_results(output_path: &str) -> Option<PathBuf> {
    let folder = Url::parse(output_path).ok()?.to_file_path().ok()?;
    Some(folder.with_file_name(format!(".{}.partial", folder.file_name()?.to_str()?)))
}
