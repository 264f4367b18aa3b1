//! The agent itself: what it holds, and its conversation with the control plane.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainsheet_core::Clock;
use mainsheet_core::agent_protocol::{
    HEARTBEAT_INTERVAL, Heartbeat, HeldRun, LeaseAnswer, LeaseRequest, LeasedRun, MAX_HELD_RUNS, MAX_WAIT, Order,
    RunOrder, Utilization,
};
use mainsheet_core::job_run::JobRunResults;
use reqwest::Url;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use crate::client::{Backoff, CallError, ControlPlane};
use crate::credentials::Credentials;
use crate::execution::Execution;
use crate::run_directory::{Assignment, RunDirectory};
use crate::supervisor::{Stop, StopSwitch, Supervisor, order_stop};
use crate::utilization::UtilizationMeter;

/// Where an agent keeps its runs, in its data directory.
const RUNS: &str = "runs";
/// The most runs that one request may ask for.
const MAX_LEASES: usize = 10;
/// The longest that a control plane may ask an agent to stay away.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Written with every heartbeat, whatever becomes of it.
const ALIVE_FILE: &str = "alive";
/// How long to leave a control plane alone that hands out what this agent has.
const REPEATED_LEASE_PAUSE: Duration = Duration::from_secs(2);

/// What an agent needs to work.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The control plane's address with its base path, such as `http://127.0.0.1:8080/api/v1`.
    pub api_url: String,
    /// Who the agent is.
    pub credentials: Credentials,
    /// Where it keeps its runs; nobody else's at the same time.
    pub data_dir: PathBuf,
    /// Below which URI results go: `file://` for processes, where `None` means the folder `output` in `data_dir`; `s3://`
    /// for pods.
    pub output_base: Option<String>,
    /// How many runs it executes at once; `None` means one a processor, or 20 as pods.
    pub capacity: Option<u32>,
    /// How it executes them.
    pub execution: Execution,
    /// What time it is.
    pub clock: Clock,
}

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its data directory cannot be used.
    #[error("{path}: {error}")]
    DataDir {
        /// The directory or a file in it.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// Another agent works with the same data directory.
    #[error("another agent uses {0}")]
    InUse(PathBuf),
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
}

/// Why an agent has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEnd {
    /// It was told to.
    Shutdown,
    /// Its credentials were revoked. Its runs were stopped and removed.
    Revoked,
}

/// An agent's entry point.
#[derive(Debug)]
pub struct Agent;

/// A working agent. Dropping it is like [`AgentHandle::shutdown`] without waiting.
#[derive(Debug)]
pub struct AgentHandle {
    inner: Arc<Inner>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<AgentEnd>,
}

impl Agent {
    /// Whether an agent was ever started on a data directory.
    #[must_use]
    pub fn has_worked_in(data_dir: &Path) -> bool {
        data_dir.join(RUNS).exists()
    }

    /// Starts an agent: it prepares its environment, goes on with the runs in its data directory and takes new ones.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(config: AgentConfig) -> Result<AgentHandle, StartError> {
        let runs = config.data_dir.join(RUNS);
        fs::create_dir_all(&runs).map_err(|error| StartError::DataDir { path: runs.clone(), error })?;
        // Runs find their processes by this path, so it must be the same one at every start.
        let data_dir = fs::canonicalize(&config.data_dir)
            .map_err(|error| StartError::DataDir { path: config.data_dir.clone(), error })?;
        let lock = lock(&data_dir)?;
        let inner = Arc::new(Inner {
            control_plane: ControlPlane::new(&config.api_url, Some(&config.credentials))
                .map_err(StartError::Setting)?,
            output_base: config.execution.output_base(config.output_base.as_deref(), &data_dir)?,
            runs: data_dir.join(RUNS),
            capacity: capacity(config.capacity, &config.execution),
            execution: config.execution,
            clock: config.clock,
            held: Mutex::default(),
            tasks: Mutex::default(),
            slots: Notify::new(),
            revoked: watch::Sender::new(false),
            meter: Mutex::default(),
        });
        let found = RunDirectory::scan(&inner.runs);
        let found = found.map_err(|error| StartError::DataDir { path: inner.runs.clone(), error })?;
        inner.execution.prepare(&inner.runs);
        for run in found {
            tracing::info!(run = %run.1.lease.run.job_run_id, "going on with a run");
            let (directory, run_id) = (run.0.clone(), run.1.lease.run.job_run_id.clone());
            if let Err(error) = inner.follow(run) {
                let path = directory.root().display();
                tracing::error!(run = %run_id, %path, %error, "a run's directory is damaged; leaving it alone");
            }
        }
        let shutdown = watch::Sender::new(false);
        let (shared, stopped) = (Arc::clone(&inner), shutdown.subscribe());
        let span = tracing::info_span!("agent", id = %config.credentials.agent_id());
        let task = tokio::spawn(async move { shared.work(stopped, lock).await }.instrument(span));
        Ok(AgentHandle { inner, shutdown, task })
    }
}

impl AgentHandle {
    /// Stops taking work and lets go of the runs at hand: their processes go on, and the next agent with the same data
    /// directory goes on with them.
    pub async fn shutdown(self) {
        self.shutdown.send_replace(true);
        // A panic was reported when it happened.
        let _ = self.task.await;
    }

    /// Sends a heartbeat at once and carries out what the control plane answers. Says whether it got through.
    pub async fn heartbeat_now(&self) -> bool {
        let sent = self.inner.heartbeat().await;
        if matches!(sent, Err(CallError::Revoked)) {
            self.inner.revoked.send_replace(true);
        }
        sent.is_ok()
    }

    /// Waits until the agent has ended by itself.
    pub async fn ended(&mut self) -> AgentEnd {
        (&mut self.task).await.unwrap_or(AgentEnd::Shutdown)
    }
}

struct Inner {
    control_plane: ControlPlane,
    output_base: Url,
    runs: PathBuf,
    capacity: usize,
    execution: Execution,
    clock: Clock,
    /// The runs that this agent has a lease on, and how to stop them.
    held: Mutex<BTreeMap<HeldRun, StopSwitch>>,
    tasks: Mutex<JoinSet<()>>,
    /// Wakes the lease loop when a run needs its lease no longer.
    slots: Notify,
    revoked: watch::Sender<bool>,
    meter: Mutex<UtilizationMeter>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inner").field("runs", &self.runs).finish_non_exhaustive()
    }
}

impl Inner {
    async fn work(self: Arc<Self>, mut shutdown: watch::Receiver<bool>, _lock: File) -> AgentEnd {
        let mut revoked = self.revoked.subscribe();
        let end = tokio::select! {
            // An error means that the handle was dropped, which is an order to stop, too.
            _ = shutdown.wait_for(|stop| *stop) => AgentEnd::Shutdown,
            _ = revoked.wait_for(|revoked| *revoked) => AgentEnd::Revoked,
            () = self.send_heartbeats() => AgentEnd::Revoked,
            () = self.take_leases() => AgentEnd::Revoked,
        };
        let mut tasks = std::mem::take(&mut *locked(&self.tasks));
        if end == AgentEnd::Shutdown {
            tasks.shutdown().await;
        } else {
            tracing::error!("the control plane refuses this agent's credentials: its cluster was retired");
            locked(&self.held).values().for_each(|switch| order_stop(switch, Stop::Revoked));
            while tasks.join_next().await.is_some() {}
        }
        end
    }

    /// Sends heartbeats until the credentials are revoked.
    async fn send_heartbeats(&self) {
        let mut backoff = Backoff::default();
        let mut reachable = true;
        loop {
            self.give_sign_of_life();
            match self.heartbeat().await {
                Ok(()) => {
                    if !std::mem::replace(&mut reachable, true) {
                        tracing::info!("the control plane is reached again");
                    }
                    backoff.reset();
                    self.pause_between_heartbeats().await;
                }
                Err(CallError::Revoked) => return,
                Err(error) => {
                    if std::mem::replace(&mut reachable, false) {
                        tracing::warn!(%error, "a heartbeat did not get through; trying again");
                    }
                    backoff.pause(retry_after(&error)).await;
                }
            }
        }
    }

    /// For whoever looks after this program; whether the control plane can be reached is not its concern.
    fn give_sign_of_life(&self) {
        if let Err(error) = fs::write(self.runs.with_file_name(ALIVE_FILE), "") {
            tracing::warn!(%error, "the data directory cannot be written");
        }
    }

    /// Waits for the next heartbeat's time, which comes early when the environment is ready.
    async fn pause_between_heartbeats(&self) {
        if self.execution.message().is_some() {
            let _ = timeout(HEARTBEAT_INTERVAL, self.execution.ready()).await;
        } else {
            sleep(HEARTBEAT_INTERVAL).await;
        }
    }

    async fn heartbeat(&self) -> Result<(), CallError> {
        let capacity = u32::try_from(self.capacity).unwrap_or(u32::MAX);
        let utilization = match self.execution.is_on_this_machine() {
            true => locked(&self.meter).measure(capacity),
            false => Utilization { capacity, ..Utilization::default() },
        };
        let heartbeat = Heartbeat { holding: self.holding(), utilization, message: self.execution.message() };
        let answer = self.control_plane.heartbeat(&heartbeat).await?;
        self.obey(&answer.runs);
        Ok(())
    }

    /// Asks for work until the credentials are revoked.
    async fn take_leases(self: &Arc<Self>) {
        self.execution.ready().await;
        let mut backoff = Backoff::default();
        loop {
            let holding = self.holding();
            let free = self.capacity.saturating_sub(holding.len());
            let request = LeaseRequest {
                holding,
                capacity: u32::try_from(free.min(MAX_LEASES)).unwrap_or_default(),
                wait_seconds: u32::try_from(MAX_WAIT.as_secs()).unwrap_or_default(),
            };
            let answer = tokio::select! {
                answer = self.control_plane.lease(&request) => answer,
                // Work that is in an answer which nobody reads any more is handed out again.
                () = self.slots.notified(), if free == 0 => continue,
            };
            match answer {
                Ok(answer) => {
                    backoff.reset();
                    let pause = pause_after(&answer);
                    self.take(answer).await;
                    sleep(pause).await;
                }
                Err(CallError::Revoked) => return,
                Err(error) => {
                    tracing::debug!(%error, "cannot ask for work; trying again");
                    backoff.pause(retry_after(&error)).await;
                }
            }
        }
    }

    async fn take(self: &Arc<Self>, answer: LeaseAnswer) {
        self.obey(&answer.orders);
        for lease in answer.runs {
            let run = lease.run.clone();
            match self.begin(self.assignment(lease)) {
                Ok(()) => tracing::info!(run = %run.job_run_id, attempt = run.attempt, "taking a run"),
                Err(error) => {
                    // It was not begun, so it is handed out again; or it is known here already.
                    tracing::error!(run = %run.job_run_id, attempt = run.attempt, %error, "cannot take a run");
                    sleep(REPEATED_LEASE_PAUSE).await;
                }
            }
        }
    }

    /// A run that cannot be followed leaves no directory: it would be known here for ever, and done by nobody.
    fn begin(self: &Arc<Self>, assignment: Assignment) -> io::Result<()> {
        let directory = RunDirectory::create(&self.runs, &assignment)?;
        self.follow((directory.clone(), assignment)).or_else(|error| directory.remove().and(Err(error)))
    }

    fn assignment(&self, lease: LeasedRun) -> Assignment {
        let output_path = output_path(&self.output_base, &lease);
        Assignment { lease, leased_at: self.clock.now(), results: JobRunResults { output_path } }
    }

    /// Follows a run in the background, up to its clean-up.
    ///
    /// # Errors
    /// When its directory cannot be used.
    fn follow(self: &Arc<Self>, run: (RunDirectory, Assignment)) -> io::Result<()> {
        let held = run.1.lease.run.clone();
        let stop = watch::Sender::new(None);
        let backend = self.execution.backend(&run.0)?;
        let supervisor = Supervisor::new(run, backend, self.control_plane.clone(), self.clock.clone(), stop.clone())?;
        if !supervisor.has_reported_its_end() {
            locked(&self.held).insert(held.clone(), stop);
        }
        let this = Arc::clone(self);
        let span = tracing::info_span!("run", id = %held.job_run_id, attempt = held.attempt);
        let follow = async move {
            let released = || {
                locked(&this.held).remove(&held);
                this.slots.notify_one();
            };
            if supervisor.follow(&released).await.is_err() {
                this.revoked.send_replace(true);
            }
        };
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(follow.instrument(span));
        Ok(())
    }

    fn obey(&self, orders: &[RunOrder]) {
        let held = locked(&self.held);
        for RunOrder { run, order } in orders {
            let Some(switch) = held.get(run) else { continue };
            match order {
                Order::Continue => {}
                Order::Cancel => order_stop(switch, Stop::Cancel),
                Order::Abandon => order_stop(switch, Stop::Abandon),
            }
        }
    }

    fn holding(&self) -> Vec<HeldRun> {
        locked(&self.held).keys().cloned().collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait before asking for work again: not at all after an answer that held some.
fn pause_after(answer: &LeaseAnswer) -> Duration {
    let is_empty = answer.runs.is_empty() && answer.orders.is_empty();
    if is_empty { Duration::from_millis(answer.ask_again_after_ms.into()).min(LONGEST_PAUSE) } else { Duration::ZERO }
}

fn retry_after(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Unavailable { retry_after, .. } => *retry_after,
        _ => None,
    }
}

fn capacity(asked: Option<u32>, execution: &Execution) -> usize {
    let asked = asked.map(|asked| usize::try_from(asked).unwrap_or(MAX_HELD_RUNS));
    asked.unwrap_or_else(|| execution.usual_capacity()).clamp(1, MAX_HELD_RUNS)
}

fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path = data_dir.join("agent.lock");
    let lock = File::create(&path).map_err(|error| StartError::DataDir { path: path.clone(), error })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::InUse(data_dir.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(StartError::DataDir { path, error }),
    }
}

/// Where an attempt's results go: a place of its own, so that an attempt that has lost its lease unknowingly cannot
/// touch a newer one's results.
fn output_path(base: &Url, lease: &LeasedRun) -> String {
    let run = &lease.run;
    let key: String = lease.job_key.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    let attempt = if run.attempt > 1 { format!("-attempt-{}", run.attempt) } else { String::new() };
    format!("{base}jobs/{}/runs/{}{attempt}/", key.trim_start_matches('.'), run.job_run_id)
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ask_again_after_ms: u32, orders: Vec<RunOrder>) -> LeaseAnswer {
        LeaseAnswer { runs: Vec::new(), orders, ask_again_after_ms }
    }

    #[test]
    fn an_agent_stays_away_as_long_as_it_is_asked_to_unless_there_is_work() {
        assert_eq!(pause_after(&answer(1700, Vec::new())), Duration::from_millis(1700));
        assert_eq!(pause_after(&answer(0, Vec::new())), Duration::ZERO);
        assert_eq!(pause_after(&answer(u32::MAX, Vec::new())), LONGEST_PAUSE);
        let run = HeldRun { job_id: "JOB".parse().unwrap(), job_run_id: "RUN".parse().unwrap(), attempt: 1 };
        assert_eq!(pause_after(&answer(1700, vec![RunOrder { run, order: Order::Cancel }])), Duration::ZERO);
    }
}
