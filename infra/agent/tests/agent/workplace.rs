//! Agents under test: as programs of their own, with a control plane and a data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mainsheet_core::JobRunId;
use mainsheet_core::agent_protocol::{LeasedSource, ReportedEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::control_plane::{ControlPlane, Run, TOKEN};

/// How long anything may take. The first test waits for the Python environment, too.
const PATIENCE: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(20);

/// Where all tests share one Python environment.
pub(crate) fn environment_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("spark-environment")
}

/// A control plane and an agent's data directory; the agent comes and goes. Cleans up after itself.
pub(crate) struct Workplace {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) folder: tempfile::TempDir,
    agent: Option<Child>,
}

impl Workplace {
    pub(crate) async fn new() -> Self {
        let plane = ControlPlane::start().await;
        Self { plane, folder: tempfile::tempdir().unwrap(), agent: None }
    }

    /// With an agent that works.
    pub(crate) async fn with_agent() -> Self {
        let mut this = Self::new().await;
        this.start_agent();
        this
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("data")
    }

    pub(crate) fn start_agent(&mut self) {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.folder.path().join("agent.log")).unwrap();
        let agent = Command::new(env!("CARGO_BIN_EXE_mainsheet-agent"))
            .args(["--url", &self.plane.url, "--registration-token", TOKEN, "--capacity", "3"])
            .arg("--data-dir")
            .arg(self.data_dir())
            .env("MAINSHEET_ENVIRONMENT_DIR", environment_dir())
            .env("RUST_LOG", "debug,hyper=info,reqwest=info")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.agent = Some(agent);
    }

    /// `kill -9`.
    pub(crate) fn kill_agent(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    pub(crate) fn terminate_agent(&mut self) {
        let agent = self.agent.as_mut().unwrap();
        kill(Pid::from_raw(agent.id().cast_signed()), Signal::SIGTERM).unwrap();
    }

    /// Waits until the agent has ended by itself, and says whether that was a success.
    pub(crate) async fn agent_ended(&mut self) -> bool {
        let mut agent = self.agent.take().unwrap();
        until("the agent ends", || agent.try_wait().unwrap()).await.success()
    }

    /// A run of SQL text with the usual settings.
    pub(crate) fn sql(&self, text: &str) -> JobRunId {
        self.plane.add(LeasedSource::Sql { text: text.to_owned() }, |_| {})
    }

    /// Waits for a run's end and clean-up, and checks what holds for every run.
    pub(crate) async fn finished(&self, id: &JobRunId) -> Run {
        let done = || Some(self.plane.run(id)).filter(|run| run.ended() && run.cleaned);
        let run = until("the run ends and is cleaned up", done).await;
        until("its directory goes", || self.run_directories().is_empty().then_some(())).await;
        self.all_is_well().await;
        run
    }

    /// Waits until this was reported of a run.
    pub(crate) async fn reported(&self, id: &JobRunId, event: ReportedEvent) {
        until(&format!("{event:?}"), || self.plane.run(id).events().contains(&event).then_some(())).await;
    }

    /// Waits until this file is in a run's directory.
    pub(crate) async fn file(&self, id: &JobRunId, name: &str) {
        let path = self.data_dir().join("runs").join(format!("{id}-1")).join(name);
        until(name, || path.exists().then_some(())).await;
    }

    /// No process of a run lives, and the agent did nothing wrong.
    pub(crate) async fn all_is_well(&self) {
        until("no process is left", || self.processes(None).is_empty().then_some(())).await;
        assert_eq!(self.plane.violations(), Vec::<String>::new());
    }

    pub(crate) fn run_directories(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.data_dir().join("runs")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The runs' processes, all or those of a role.
    pub(crate) fn processes(&self, role: Option<&str>) -> Vec<Pid> {
        let runs = format!("MAINSHEET_RUN={}", self.data_dir().display());
        let role = role.map(|role| format!("MAINSHEET_ROLE={role}\0"));
        let ours = |pid: i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment);
            environment.contains(&runs) && role.as_ref().is_none_or(|role| environment.contains(role))
        };
        let entries = fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| ours(*pid)).map(Pid::from_raw).collect()
    }

    pub(crate) fn agent_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        for process in self.processes(None) {
            let _ = kill(process, Signal::SIGKILL);
        }
        if std::thread::panicking() {
            let log = self.agent_log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the agent's log ends:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Waits until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// The environment's Python, for looking into results.
pub(crate) fn python(script: &str, argument: &str) -> String {
    let environments = fs::read_dir(environment_dir()).unwrap().map(|entry| entry.unwrap().path());
    let environment = environments.into_iter().find(|path| path.join("ready").exists()).unwrap();
    let output = Command::new(environment.join("bin/python")).args(["-c", script, argument]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether the control plane is to be reached.
pub(crate) fn set_down(plane: &ControlPlane, down: bool) {
    plane.is_down.store(down, Ordering::SeqCst);
}
