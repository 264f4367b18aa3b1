//! Follows one run from its lease to its clean-up.
//!
//! Everything that matters is on disk before it is acted on, so this can be dropped or killed at any moment and begun
//! again from the run's directory.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainsheet_core::Clock;
use mainsheet_core::agent_protocol::{HeldRun, LogBatch, Order, ReportedEvent, ResultsReport, RunReport, RunReports};
use mainsheet_core::job_run::ResourceCleanupMode;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::backend::{self, Backend, BackendError, Outcome, Remains, RunnerStatus, SailStatus};
use crate::client::{CallError, ControlPlane, persist};
use crate::log_journal::{LogJournal, SAIL_LOG, STDERR_LOG, tail};
use crate::process_backend::unfinished_results;
use crate::report_journal::ReportJournal;
use crate::run_directory::{Assignment, RunDirectory};

/// How often files and processes are looked at.
const POLL: Duration = Duration::from_millis(100);
/// How often log lines are sent.
const SEND_INTERVAL: Duration = Duration::from_secs(1);
/// How long the runner has to notice itself that its Sail server is gone.
const SAIL_LOSS_GRACE: Duration = Duration::from_secs(3);
/// How long to wait after the file system refused something.
const DISK_RETRY: Duration = Duration::from_secs(5);
const MAX_MESSAGE_BYTES: usize = 4096;
const TAIL_BYTES: u64 = 2048;
const STOP_FILE: &str = "stop.json";

/// Why a run has to stop before its code ends. Later ones outrank earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Somebody asked for it.
    Cancel,
    /// It is no longer this agent's, or has ended.
    Abandon,
    /// The agent is nobody to the control plane any more.
    Revoked,
}

/// Lets the agent stop a run.
pub(crate) type StopSwitch = watch::Sender<Option<Stop>>;

/// Orders a run to stop; an order that was given before, or a weaker one, changes nothing.
pub(crate) fn order_stop(switch: &StopSwitch, stop: Stop) {
    switch.send_if_modified(|current| {
        let stronger = *current < Some(stop);
        if stronger {
            *current = Some(stop);
        }
        stronger
    });
}

/// How a run ended.
#[derive(Debug, Clone)]
enum Ending {
    Succeeded(Outcome),
    Failed { message: String, execution_time_us: Option<u64> },
    Stopped(StopReason),
}

impl Ending {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), execution_time_us: None }
    }
}

/// Why the agent stopped a run; on disk before its processes are ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StopReason {
    Cancel,
    TimeOut,
}

/// Why a run is not gone on with as usual.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Follows one attempt of a run.
pub(crate) struct Supervisor {
    assignment: Assignment,
    directory: RunDirectory,
    backend: Arc<dyn Backend>,
    control_plane: ControlPlane,
    clock: Clock,
    reports: Mutex<ReportJournal>,
    logs: Mutex<LogJournal>,
    /// Wakes the courier when there is a new report.
    news: Notify,
    stop: StopSwitch,
}

impl Supervisor {
    /// For a run with a directory, new or found again.
    ///
    /// # Errors
    /// When the directory cannot be read or is damaged.
    pub(crate) fn new(
        (directory, assignment): (RunDirectory, Assignment),
        backend: Arc<dyn Backend>,
        control_plane: ControlPlane,
        clock: Clock,
        stop: StopSwitch,
    ) -> io::Result<Self> {
        let reports = Mutex::new(ReportJournal::open(&directory.reports())?);
        let logs = Mutex::new(LogJournal::open(directory.root(), clock.clone())?);
        let news = Notify::new();
        Ok(Self { assignment, directory, backend, control_plane, clock, reports, logs, news, stop })
    }

    /// Whether its end has been reported and taken in, so that only cleaning up is left.
    pub(crate) fn has_reported_its_end(&self) -> bool {
        let reports = self.reports();
        reports.ending().is_some() && reports.waiting().iter().all(|report| report.event == ReportedEvent::Cleaned)
    }

    /// Follows the run to its very end. `released` is called once the run needs no lease any more. Gives an error only
    /// when this agent's credentials are revoked; the run is abandoned then.
    ///
    /// # Errors
    /// [`CallError::Revoked`].
    pub(crate) async fn follow(&self, released: &(dyn Fn() + Send + Sync)) -> Result<(), CallError> {
        loop {
            let interruption = tokio::select! {
                biased;
                () = self.abandoned() => CallError::Lost("ordered to abandon it".to_owned()).into(),
                followed = self.go_on(released) => match followed {
                    Ok(()) => return Ok(()),
                    Err(interruption) => interruption,
                },
            };
            match interruption {
                Interruption::Disk(error) => {
                    tracing::error!(%error, "the run's directory cannot be used; trying again");
                    sleep(DISK_RETRY).await;
                }
                Interruption::Backend(error) => {
                    tracing::error!(%error, "the run cannot be cleaned up; trying again");
                    sleep(DISK_RETRY).await;
                }
                Interruption::Call(error) => return self.give_up(error, released).await,
            }
        }
    }

    async fn give_up(&self, error: CallError, released: &(dyn Fn() + Send + Sync)) -> Result<(), CallError> {
        tracing::warn!(%error, "abandoning the run");
        self.backend.end().await;
        self.remove_unfinished_results();
        let remains = match &error {
            // Kept as the reminder that this must not be executed again, should it be handed out again.
            CallError::Refused(_) => Remains::Keep,
            _ if self.reports().ending().is_some() => self.remains(),
            _ => Remains::Remove,
        };
        if let Err(error) = self.dispose(remains).await {
            tracing::warn!(%error, "cannot clean up");
        }
        released();
        if matches!(error, CallError::Revoked) { Err(error) } else { Ok(()) }
    }

    async fn go_on(&self, released: &(dyn Fn() + Send + Sync)) -> Result<(), Interruption> {
        let ended = self.reports().ending();
        if ended.is_none() {
            let ending = self.work().await?;
            self.backend.end().await;
            self.conclude(ending).await?;
        }
        self.deliver_reports().await?;
        released();
        self.clean_up().await
    }

    /// Executes the run until it ends in one way or another, telling about it meanwhile.
    async fn work(&self) -> Result<Ending, Interruption> {
        if let Some(reason) = self.directory.read(STOP_FILE)? {
            return Ok(Ending::Stopped(reason));
        }
        tokio::select! {
            ending = self.execute() => Ok(ending),
            reason = self.must_stop() => {
                self.directory.write(STOP_FILE, &reason)?;
                Ok(Ending::Stopped(reason))
            }
            error = self.carry() => match error {
                Interruption::Call(CallError::Refused(why)) => Ok(Ending::failed(refused(&why))),
                error => Err(error),
            },
            error = self.take_in_logs() => Err(error.into()),
            error = self.backend.bring_logs() => Err(error.into()),
        }
    }

    async fn execute(&self) -> Ending {
        match self.try_execute().await {
            Ok(ending) => ending,
            Err(error) => Ending::failed(error.to_string()),
        }
    }

    async fn try_execute(&self) -> backend::Result<Ending> {
        if matches!(self.backend.runner().await?, RunnerStatus::Absent | RunnerStatus::Starting(_)) {
            let sail = match self.bring_up_sail().await? {
                Ok(sail) => sail,
                Err(message) => return Ok(Ending::failed(message)),
            };
            if let Err(message) = self.bring_up_runner(&sail).await? {
                return Ok(Ending::failed(message));
            }
        }
        self.note(ReportedEvent::RunnerStarted)?;
        self.await_outcome().await
    }

    /// Brings up the run's Sail server, or finds it again; gives its host and port, or why there is none.
    async fn bring_up_sail(&self) -> backend::Result<Result<String, String>> {
        self.note(ReportedEvent::SailRequested)?;
        if matches!(self.backend.sail().await?, SailStatus::Absent) {
            self.backend.start_sail(&self.assignment).await?;
        }
        self.note(ReportedEvent::SailCreated)?;
        let begun = Instant::now();
        loop {
            match self.backend.sail().await? {
                SailStatus::Answers(sail) => {
                    self.note(ReportedEvent::SailAnswered)?;
                    return Ok(Ok(sail));
                }
                SailStatus::Absent => return Ok(Err(self.with_tail("the Sail server could not start", SAIL_LOG))),
                SailStatus::Gone(why) => return Ok(Err(self.with_tail(&why, SAIL_LOG))),
                SailStatus::Starting(why) if begun.elapsed() >= self.backend.patience() => {
                    return Ok(Err(self.with_tail(&self.too_slow("the Sail server did not answer", why), SAIL_LOG)));
                }
                SailStatus::Starting(_) => sleep(POLL).await,
            }
        }
    }

    /// Brings up the runner, or finds it again, until it executes the job's code; else says why it does not.
    async fn bring_up_runner(&self, sail: &str) -> backend::Result<Result<(), String>> {
        if matches!(self.backend.runner().await?, RunnerStatus::Absent) {
            self.backend.start_runner(&self.assignment, sail).await?;
        }
        let begun = Instant::now();
        loop {
            match self.backend.runner().await? {
                RunnerStatus::Absent => return Ok(Err(self.with_tail("the runner could not start", STDERR_LOG))),
                RunnerStatus::Starting(why) if begun.elapsed() >= self.backend.patience() => {
                    return Ok(Err(self.with_tail(&self.too_slow("the runner did not start", why), STDERR_LOG)));
                }
                RunnerStatus::Starting(_) => {}
                _ => return Ok(Ok(())),
            }
            if let Some(why) = self.backend.sail_lost().await? {
                return Ok(Err(self.with_tail(&why, SAIL_LOG)));
            }
            sleep(POLL).await;
        }
    }

    fn too_slow(&self, what: &str, why: Option<String>) -> String {
        let seconds = self.backend.patience().as_secs();
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{what} within {seconds} s{why}")
    }

    async fn await_outcome(&self) -> backend::Result<Ending> {
        let mut sail_lost = None;
        loop {
            match self.backend.runner().await? {
                RunnerStatus::Ended(outcome) if outcome.succeeded => return Ok(Ending::Succeeded(outcome)),
                RunnerStatus::Ended(outcome) => {
                    return Ok(Ending::Failed {
                        message: outcome.message.unwrap_or_else(|| "the job failed without a word".to_owned()),
                        execution_time_us: Some(outcome.execution_time_us),
                    });
                }
                RunnerStatus::Lost(why) => return Ok(Ending::failed(self.with_tail(&why, STDERR_LOG))),
                RunnerStatus::Absent | RunnerStatus::Starting(_) => {
                    return Ok(Ending::failed(self.with_tail("the runner is gone", STDERR_LOG)));
                }
                RunnerStatus::Executes => {}
            }
            match self.backend.sail_lost().await? {
                None => sail_lost = None,
                Some(why) if sail_lost.get_or_insert_with(Instant::now).elapsed() >= SAIL_LOSS_GRACE => {
                    return Ok(Ending::failed(self.with_tail(&why, SAIL_LOG)));
                }
                Some(_) => {}
            }
            sleep(POLL).await;
        }
    }

    /// Waits until the run has to stop, as ordered or because its time is up.
    async fn must_stop(&self) -> StopReason {
        let deadline = self
            .assignment
            .lease
            .timeout_seconds
            .filter(|seconds| *seconds > 0)
            .map(|seconds| self.assignment.leased_at + Duration::from_secs(seconds.into()));
        loop {
            if self.stop.borrow().is_some() {
                return StopReason::Cancel;
            }
            // Asked again and again, because the clock may be moved.
            if deadline.is_some_and(|deadline| self.clock.now() >= deadline) {
                return StopReason::TimeOut;
            }
            sleep(POLL).await;
        }
    }

    async fn abandoned(&self) {
        let mut orders = self.stop.subscribe();
        let counts = |stop: &Option<Stop>| match stop {
            // Of a run whose end is noted, the control plane may know the end while its answer was lost: sending the
            // report again finds out.
            Some(Stop::Abandon) => self.reports().ending().is_none(),
            Some(Stop::Revoked) => true,
            Some(Stop::Cancel) | None => false,
        };
        // The sender is ours and lives as long as we do.
        if orders.wait_for(counts).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn take_in_logs(&self) -> io::Error {
        loop {
            match self.logs().take_in(false) {
                Ok(_) => {}
                Err(error) => return error,
            }
            sleep(POLL).await;
        }
    }

    /// Sends reports at once and log lines every second, for as long as it goes well.
    async fn carry(&self) -> Interruption {
        let mut next_line = 0;
        loop {
            let sent = async {
                self.deliver_reports().await?;
                self.deliver_logs(&mut next_line).await
            };
            if let Err(interruption) = sent.await {
                return interruption;
            }
            // Whichever comes first; neither is an error.
            let _ = timeout(SEND_INTERVAL, self.news.notified()).await;
        }
    }

    /// Sends everything that belongs to the run and then notes how it ended.
    async fn conclude(&self, mut ending: Ending) -> Result<(), Interruption> {
        while self.logs().take_in(true)? {}
        if !matches!(ending, Ending::Succeeded(_)) {
            self.remove_unfinished_results();
        }
        // Steps that were not reported yet come before the logs that they explain.
        self.deliver_reports().await?;
        let mut sent = self.deliver_logs(&mut 0).await;
        if sent.is_ok() && matches!(ending, Ending::Succeeded(_)) {
            sent = self.deliver_results().await;
        }
        match sent {
            Err(Interruption::Call(CallError::Refused(why))) => ending = Ending::failed(refused(&why)),
            sent => sent?,
        }
        self.note_ending(ending)?;
        Ok(())
    }

    fn note_ending(&self, ending: Ending) -> io::Result<()> {
        let mut reports = self.reports();
        match ending {
            Ending::Succeeded(outcome) => reports.note(ReportedEvent::Succeed, |report| {
                report.runner_execution_time_us = Some(outcome.execution_time_us);
                report.results = Some(self.assignment.results.clone());
            }),
            Ending::Failed { mut message, execution_time_us } => reports.note(ReportedEvent::Fail, |report| {
                message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
                report.message = Some(message);
                report.runner_execution_time_us = execution_time_us;
            }),
            Ending::Stopped(StopReason::Cancel) => reports.note(ReportedEvent::Cancel, |_| {}),
            Ending::Stopped(StopReason::TimeOut) => reports.note(ReportedEvent::TimeOut, |report| {
                let seconds = self.assignment.lease.timeout_seconds.unwrap_or_default();
                report.message = Some(format!("it took longer than {seconds} s"));
            }),
        }
    }

    async fn deliver_reports(&self) -> Result<(), Interruption> {
        loop {
            let reports = self.reports().waiting();
            let Some(last) = reports.last().map(|report| report.sequence) else { return Ok(()) };
            let ends = reports.iter().any(is_ending);
            let message = RunReports { attempt: self.run().attempt, reports };
            let taken = persist(|| self.control_plane.report(self.run(), &message)).await?;
            self.reports().taken(taken.last_report)?;
            match taken.order {
                // Whatever is said about a run that has ended, there is nothing left to stop.
                _ if ends && taken.last_report >= last => {}
                Order::Continue => {}
                Order::Cancel => order_stop(&self.stop, Stop::Cancel),
                Order::Abandon => return Err(CallError::Lost("the control plane says so".to_owned()).into()),
            }
            if taken.last_report < last {
                // It wants them from an earlier one on, or has not taken all; not to be asked in a tight loop.
                sleep(SEND_INTERVAL).await;
            }
        }
    }

    /// Sends log lines from `next_line` on; the control plane knows best which one it wants next.
    async fn deliver_logs(&self, next_line: &mut u64) -> Result<(), Interruption> {
        loop {
            let lines = self.logs().batch(*next_line)?;
            if lines.is_empty() {
                return Ok(());
            }
            let message = LogBatch { attempt: self.run().attempt, first_line: *next_line, lines };
            *next_line = persist(|| self.control_plane.log(self.run(), &message)).await?.next_line;
        }
    }

    async fn deliver_results(&self) -> Result<(), Interruption> {
        let Some(preview) = backend::preview(&self.directory)? else { return Ok(()) };
        let message = ResultsReport { attempt: self.run().attempt, preview };
        Ok(persist(|| self.control_plane.results(self.run(), &message)).await?)
    }

    async fn clean_up(&self) -> Result<(), Interruption> {
        if self.remains() == Remains::Keep {
            return self.dispose(Remains::Keep).await;
        }
        self.backend.clean_up(Remains::Remove).await?;
        self.directory.clear()?;
        self.note(ReportedEvent::Cleaned)?;
        match self.deliver_reports().await {
            // The run was deleted or begun anew: nobody wants to know.
            Err(Interruption::Call(CallError::Lost(_) | CallError::Refused(_))) => {}
            delivered => delivered?,
        }
        Ok(self.directory.remove()?)
    }

    async fn dispose(&self, remains: Remains) -> Result<(), Interruption> {
        self.backend.clean_up(remains).await?;
        match remains {
            Remains::Keep => self.directory.keep()?,
            Remains::Remove => self.directory.remove()?,
        }
        Ok(())
    }

    /// What the run's cleanup mode says, once it has ended.
    fn remains(&self) -> Remains {
        match self.assignment.lease.resource_cleanup_mode {
            ResourceCleanupMode::Always => Remains::Remove,
            ResourceCleanupMode::OnSuccess if self.reports().ending() == Some(ReportedEvent::Succeed) => {
                Remains::Remove
            }
            ResourceCleanupMode::OnSuccess | ResourceCleanupMode::Never => Remains::Keep,
        }
    }

    fn remove_unfinished_results(&self) {
        if let Some(folder) = unfinished_results(&self.assignment.results.output_path)
            && let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %folder.display(), "cannot remove unfinished results");
        }
    }

    fn note(&self, event: ReportedEvent) -> io::Result<()> {
        self.reports().note(event, |_| {})?;
        self.news.notify_one();
        Ok(())
    }

    /// A message with the end of a log.
    fn with_tail(&self, message: &str, log: &str) -> String {
        match tail(&self.directory.path(log), TAIL_BYTES) {
            tail if tail.is_empty() => message.to_owned(),
            tail => format!("{message}: {tail}"),
        }
    }

    fn run(&self) -> &HeldRun {
        &self.assignment.lease.run
    }

    fn reports(&self) -> MutexGuard<'_, ReportJournal> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn logs(&self) -> MutexGuard<'_, LogJournal> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_ending(report: &RunReport) -> bool {
    use ReportedEvent::{Cancel, Cleaned, Fail, Succeed, TimeOut};
    matches!(report.event, Succeed | Fail | TimeOut | Cancel | Cleaned)
}

fn refused(why: &str) -> String {
    format!("the control plane does not take what the run produced: {why}")
}
