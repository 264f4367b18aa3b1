//! The tick: runs whose lease ended, whose time is up or who did not stop as asked; jobs whose schedule asks for a run. It
//! costs what is due, not what exists.

mod jobs;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use mainsheet_core::job_run::{JobRun, RunEvent};
use mainsheet_core::measurement::Measurement;
use mainsheet_core::{Error, JobId, Result, Timestamp};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::scheduler::DueRun;

/// How often EventBridge sends a tick.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Looks at the due index that one tick takes at most; what is left is the next tick's.
const MAX_LOOKS: usize = 20;
/// Jobs that are worked on at once: the table answers while others wait.
const AT_ONCE: usize = 32;

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Runs that ended or were queued again.
    pub settled: usize,
    /// Runs that got another lease because the control plane had been away.
    pub extended: usize,
    /// Runs that schedules asked for.
    pub scheduled: usize,
    /// How long ago the first job was due of those that it acted on; zero when none was.
    pub lateness: Duration,
    /// Records of audit trails that were sealed.
    pub sealed: usize,
}

impl std::ops::AddAssign for Ticked {
    fn add_assign(&mut self, other: Self) {
        self.settled += other.settled;
        self.extended += other.extended;
        self.scheduled += other.scheduled;
        self.sealed += other.sealed;
    }
}

/// Does what is due. `interval` is how often ticks come: when the last one is longer ago than twice that, nobody could renew a
/// lease meanwhile, and agents get a lease more before they count as lost.
///
/// # Errors
/// When the table does not answer; the next tick goes on.
pub async fn tick(store: &Store, interval: Duration) -> Result<Ticked> {
    let now = store.now();
    let in_grace = store.note_tick(now, interval * 2).await?.is_some();
    let mut ticked = Ticked::default();
    let settled = settle_due(store, in_grace, now, &mut ticked).await;
    // Runs that ended just now make room for those that schedules ask for.
    let scheduled = jobs::schedule(store, now).await.map(|scheduled| {
        (ticked.scheduled, ticked.lateness) = (scheduled.runs, scheduled.lateness);
    });
    let sealed = seal(store, now).await.map(|sealed| ticked.sealed = sealed);
    let Ticked { scheduled: runs, settled: ended, lateness, .. } = ticked;
    store.measure(&Measurement::Tick { scheduled: runs, settled: ended, lateness });
    settled.and(scheduled).and(sealed)?;
    Ok(ticked)
}

/// Settles the runs that are due, those of several jobs at once.
///
/// # Errors
/// The first that came up; a run that cannot be settled does not keep the others from it.
async fn settle_due(store: &Store, in_grace: bool, now: Timestamp, ticked: &mut Ticked) -> Result<()> {
    let mut settled = Ok(());
    for _ in 0..MAX_LOOKS {
        let due = match store.due_runs(now).await {
            Ok(due) => due,
            Err(error) => return settled.and(Err(error)),
        };
        let before = *ticked;
        let of_jobs = by_job(due).into_values();
        let mut work =
            stream::iter(of_jobs).map(|runs| settle_runs(store, runs, in_grace, now)).buffer_unordered(AT_ONCE);
        while let Some((done, result)) = work.next().await {
            *ticked += done;
            settled = settled.and(result);
        }
        if *ticked == before {
            break;
        }
    }
    settled
}

fn by_job(due: Vec<DueRun>) -> BTreeMap<JobId, Vec<DueRun>> {
    due.into_iter().fold(BTreeMap::new(), |mut of_jobs: BTreeMap<_, Vec<_>>, run| {
        of_jobs.entry(run.row.value.job_id.clone()).or_default().push(run);
        of_jobs
    })
}

/// Settles runs of one job, one after the other: each of them changes what the job counts.
async fn settle_runs(store: &Store, runs: Vec<DueRun>, in_grace: bool, now: Timestamp) -> (Ticked, Result<()>) {
    let (mut ticked, mut settled) = (Ticked::default(), Ok(()));
    for run in runs {
        let extend = in_grace && lease_ended_unseen(&run.row.value, now);
        let done = if extend { store.extend_lease(&run, now).await } else { settle(store, &run, now).await };
        match once(done) {
            Ok(count) if extend => ticked.extended += count,
            Ok(count) => ticked.settled += count,
            Err(error) => settled = settled.and(Err(error)),
        }
    }
    (ticked, settled)
}

/// Seals what was written to audit trails. Runs come first: theirs are the moments that somebody waits for.
async fn seal(store: &Store, now: Timestamp) -> Result<usize> {
    let mut sealed = 0;
    for _ in 0..MAX_LOOKS {
        match store.seal_audit(now).await? {
            0 => break,
            count => sealed += count,
        }
    }
    Ok(sealed)
}

/// 1 when it was done, 0 when the run moved on by itself meanwhile.
fn once(result: Result<()>) -> Result<usize> {
    match result {
        Ok(()) => Ok(1),
        Err(Error::NotFound | Error::Conflict { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}

fn lease_ended_unseen(run: &JobRun, now: Timestamp) -> bool {
    run.cancel_requested_at.is_none() && run.deadline().is_none_or(|deadline| deadline > now)
}

async fn settle(store: &Store, due: &DueRun, now: Timestamp) -> Result<()> {
    let mut run = due.row.value.clone();
    let (event, message) = outcome(&mut run, now);
    run.apply(event, now).map_err(Error::internal)?;
    run.status_message = Some(message);
    run.updated_by = None;
    let audit = Audit {
        scope: Scope::Tenant(due.tenant.clone()),
        actor: Actor::Platform,
        origin: Origin::default(),
        action: "job_run.settle",
        target: run.id.to_string(),
    };
    store.change(audit).settle_due_run(due, &run).commit().await
}

fn outcome(run: &mut JobRun, now: Timestamp) -> (RunEvent, String) {
    if run.deadline().is_some_and(|deadline| deadline <= now) {
        return (RunEvent::TimeOut, format!("It took longer than {} seconds.", run.timeout_seconds));
    }
    if run.cancel_requested_at.is_some() {
        return (RunEvent::Cancel, "It was cancelled; its agent did not confirm in time.".to_owned());
    }
    if run.retries_left > 0 {
        run.retries_left -= 1;
        return (
            RunEvent::Requeue,
            format!("agent_lost: its agent was lost; {} more tries are left.", run.retries_left),
        );
    }
    (RunEvent::Fail, "agent_lost: its agent did not renew the lease for 60 seconds.".to_owned())
}
