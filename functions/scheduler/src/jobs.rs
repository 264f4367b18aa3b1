//! Jobs whose ticks are due: what becomes of each tick, and the runs that come of them.
//!
//! One transaction decides about the oldest ticks of a job up to the first that a run comes of, and moves the job on. So whoever
//! is killed between two of them has decided about some ticks, and the next one goes on with the others.

use std::ops::ControlFlow;
use std::time::Duration;

use futures::{StreamExt, stream};
use mainsheet_core::job::ConcurrencyPolicy;
use mainsheet_core::job_run::{JobRun, RunEvent, RunTrigger, Waiting};
use mainsheet_core::tick::{Tick, TickOutcome, TickReason, Verdict, decide};
use mainsheet_core::{Error, Result, Timestamp};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::jobs::{latest_moment, live_runs};
use mainsheet_store::ticks::{DueJob, TICK_DECIDED, next_run_at};

use crate::AT_ONCE;

/// Entries of the ledger in one transaction. With the job, a cluster, an audit record, an event and the rows of a run that waits for
/// 50 jobs they come to 97 of the 100 actions that DynamoDB takes.
const ENTRIES: usize = 40;
/// How often a job that changes meanwhile is read in one tick.
const TURNS: usize = 4;

/// What came of the ticks that were due.
#[derive(Debug, Default)]
pub(crate) struct Scheduled {
    /// Runs.
    pub(crate) runs: usize,
    /// How long ago the first of them was due.
    pub(crate) lateness: Duration,
}

/// Acts on every tick that is due by `now`.
///
/// # Errors
/// The last job's that could not be acted on; one does not keep the others from it.
pub(crate) async fn schedule(store: &Store, now: Timestamp) -> Result<Scheduled> {
    let mut due = store.due_jobs(now);
    let (mut scheduled, mut failed) = (Scheduled::default(), Ok(()));
    while let Some(jobs) = due.next().await? {
        let moments = jobs.iter().filter_map(|job| next_run_at(&job.row));
        scheduled.lateness = moments.map(|due_at| now.since(due_at)).fold(scheduled.lateness, Duration::max);
        let mut work = stream::iter(jobs).map(|job| act(store, job, now)).buffer_unordered(AT_ONCE);
        while let Some(acted) = work.next().await {
            match acted {
                Ok(created) => scheduled.runs += created,
                Err(error) => failed = Err(error),
            }
        }
    }
    failed.map(|()| scheduled)
}

/// Acts on the ticks that a job owes, and answers how many runs came of it. A job that changes meanwhile is read again; one that
/// does not stop changing has its turn with the next tick.
async fn act(store: &Store, job: DueJob, now: Timestamp) -> Result<usize> {
    let (mut job, mut runs) = (job, 0);
    for _ in 0..TURNS {
        let settled = settle(store, &mut job, &mut runs, now).await?;
        if settled.is_continue() {
            break;
        }
        match store.due_job(&job.row.key, now).await? {
            Some(as_it_is) => job = as_it_is,
            None => break,
        }
    }
    Ok(runs)
}

/// What came of ticks that were written down.
enum Carried {
    /// No run, and none was to come of them.
    NoRun,
    /// A run.
    Run(Box<JobRun>),
    /// No run: its cluster is gone.
    ClusterGone,
}

/// Decides about all ticks that a job owes; breaks off when it is not as it was read.
async fn settle(store: &Store, job: &mut DueJob, runs: &mut usize, now: Timestamp) -> Result<ControlFlow<()>> {
    let mut verdicts = decide(&job.owed(now), &job.row.value.current.schedule, live_runs(&job.row), now);
    while !verdicts.is_empty() {
        let mut rest = verdicts.split_off(through_first_run(&verdicts));
        let next = match (rest.first(), verdicts.last()) {
            (Some(verdict), _) => Some(verdict.ticks.first),
            (None, last) => last.and_then(|verdict| job.next_after(verdict.ticks.last)),
        };
        let ControlFlow::Continue(carried) = carry_out(store, job, &verdicts, next, now).await? else {
            return Ok(ControlFlow::Break(()));
        };
        let run = match carried {
            Carried::NoRun => None,
            Carried::Run(run) => Some(run),
            Carried::ClusterGone => {
                // No run takes the others' room.
                rest = rest.into_iter().map(without_cluster).collect();
                None
            }
        };
        *runs += usize::from(run.is_some());
        job.advance(run.as_deref(), next);
        verdicts = rest;
    }
    Ok(ControlFlow::Continue(()))
}

/// How many of them go into one transaction.
fn through_first_run(verdicts: &[Verdict]) -> usize {
    let run = verdicts.iter().position(|verdict| verdict.reason.outcome() == TickOutcome::Ran);
    run.map_or(verdicts.len(), |index| index + 1).min(ENTRIES)
}

/// Writes what is to become of ticks, and answers what came of it.
async fn carry_out(
    store: &Store,
    job: &DueJob,
    verdicts: &[Verdict],
    next: Option<Timestamp>,
    now: Timestamp,
) -> Result<ControlFlow<(), Carried>> {
    let ticks =
        |run: Option<&JobRun>| -> Vec<Tick> { verdicts.iter().map(|verdict| entry(job, verdict, run, now)).collect() };
    let ran = verdicts.iter().find(|verdict| verdict.reason.outcome() == TickOutcome::Ran);
    let run = match ran {
        Some(verdict) => Some(run_of(store, job, verdict.ticks.first, now).await?),
        None => None,
    };
    match write(store, job, &ticks(run.as_ref()), run.as_ref(), next).await {
        Err(Error::NotFound) => {
            // No agent will ever ask for a run of a cluster that is gone.
            let skipped = verdicts.iter().map(|verdict| without_cluster(*verdict));
            let ticks: Vec<Tick> = skipped.map(|verdict| entry(job, &verdict, None, now)).collect();
            unless_lost(write(store, job, &ticks, None, next).await, Carried::ClusterGone)
        }
        Err(Error::Conflict { code: TICK_DECIDED, .. }) => pass_over(store, job, &ticks(None)).await,
        written => unless_lost(written, run.map_or(Carried::NoRun, |run| Carried::Run(Box::new(run)))),
    }
}

/// The ledger has an entry of one of these ticks already: somebody whose clock is behind made the job due at it again. What is there
/// stays. The ticks before it are entered, and those after it are decided about anew: what was decided about it did not come to be.
async fn pass_over(store: &Store, job: &DueJob, ticks: &[Tick]) -> Result<ControlFlow<(), Carried>> {
    let Some(decided) = store.first_decided(job, ticks).await? else { return Ok(ControlFlow::Break(())) };
    let before: Vec<Tick> = ticks.iter().take_while(|tick| tick.scheduled_at < decided.scheduled_at).cloned().collect();
    let next = job.next_after(decided.through.unwrap_or(decided.scheduled_at));
    unless_lost(write(store, job, &before, None, next).await, ()).map(|_| ControlFlow::Break(()))
}

/// What came of a write, unless it lost against another one of the job.
fn unless_lost<T>(written: Result<()>, came: T) -> Result<ControlFlow<(), T>> {
    match written {
        Ok(()) => Ok(ControlFlow::Continue(came)),
        Err(Error::Conflict { .. } | Error::NotFound) => Ok(ControlFlow::Break(())),
        Err(error) => Err(error),
    }
}

async fn write(
    store: &Store,
    job: &DueJob,
    ticks: &[Tick],
    run: Option<&JobRun>,
    next: Option<Timestamp>,
) -> Result<()> {
    let change = match run {
        None => store.note_ticks(),
        Some(run) => store.change(Audit {
            scope: Scope::Tenant(job.tenant.clone()),
            actor: Actor::Platform,
            origin: Origin::default(),
            action: "job_run.create",
            target: run.id.to_string(),
        }),
    };
    change.decide_ticks(job, ticks, run, next).commit().await
}

/// What the ledger says.
fn entry(job: &DueJob, verdict: &Verdict, run: Option<&JobRun>, now: Timestamp) -> Tick {
    let entry = verdict.ticks.entry(verdict.reason, job.row.value.current.number, now);
    let run = run.filter(|_| entry.outcome == TickOutcome::Ran);
    let clock_change = if entry.ticks == 1 { job.clock_change(entry.scheduled_at) } else { None };
    Tick { job_run_id: run.map(|run| run.id.clone()), clock_change, ..entry }
}

/// What becomes of a tick while the cluster is gone: it is skipped for that, if it was acted on.
fn without_cluster(verdict: Verdict) -> Verdict {
    use TickReason::{AtCap, CaughtUp, ClusterGone, Due, RunNotEnded};
    match verdict.reason {
        Due | CaughtUp | RunNotEnded | AtCap => Verdict { reason: ClusterGone, ..verdict },
        _ => verdict,
    }
}

/// The run of a tick: ready, unless it waits for other jobs or for the end of the runs that it replaces. It is a run of whoever
/// published the version in force.
async fn run_of(store: &Store, job: &DueJob, tick: Timestamp, now: Timestamp) -> Result<JobRun> {
    let row = &job.row;
    let version = &row.value.current;
    // Somebody may have asked for a run since the scheduler began. One that was there when the job was read is older.
    let now = latest_moment(row).map_or(now, |latest| latest.max(now));
    let mut run = JobRun::of(&row.value.id, version, RunTrigger::Schedule, &version.created_by, now);
    run.scheduled_at = Some(tick);
    let replaces = version.schedule.concurrency_policy == ConcurrencyPolicy::Replace && live_runs(row) > 0;
    if replaces || !version.depends_on.is_empty() {
        let jobs = version.depends_on.iter().map(|dependency| dependency.job_key.clone()).collect();
        let since = store.moment_before(job, tick).await?;
        run.waiting = Some(Waiting { jobs, since, replaces });
    } else {
        run.apply(RunEvent::Release, now).map_err(Error::internal)?;
    }
    Ok(run)
}
