//! When jobs run by themselves: the moment that each is due at, and the ledger of what became of its ticks.
//!
//! A job with a schedule that counts stands in the due index by its next tick. Every change of the job moves or removes it there
//! in its own transaction; the scheduler moves it on in the transaction that enters what became of the tick in the ledger. That
//! entry can be made once only, whoever else acts on the same tick.

use std::iter::successors;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use mainsheet_core::job::{Job, JobStatus};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::schedule::{ClockChange, Schedule};
use mainsheet_core::tick::{Owed, Stretch, Tick, TickOutcome, TickReason};
use mainsheet_core::{Error, JobId, Result, Timestamp};

use crate::change::{Due, changed_meanwhile, update_of};
use crate::job_runs::{ONE_RUN_MORE, latest_of};
use crate::jobs::{LATEST_MOMENT, LIVE_RUNS, job_key, latest_moment, live_runs};
use crate::key::{shard_of, tenant_partition};
use crate::page::{Listing, MAX_LIMIT};
use crate::scheduler::tenant_of;
use crate::schema::{BY_NAME, DUE_AT, DUE_SHARD};
use crate::{Change, Entity, Item, Key, Page, PageRequest, Row, Store, Tenant};

/// How many shards of the due index hold jobs. One partition of an index takes 1,000 writes a second; each tick writes twice.
/// Eight take 4,000 ticks a second, of which ten thousand in a minute are a twentieth, and cost eight queries a minute when
/// nothing is due.
pub const JOB_SHARDS: u8 = 8;
/// Keys that one query of a shard answers at most. They are small; the jobs that they belong to are not.
const PER_QUERY: i32 = 500;
/// Jobs that are read at once: of 80 KiB each they come to 64 MB.
const READ_AT_ONCE: usize = 800;
/// How long the ledger is kept.
pub const LEDGER_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Beside a job: the last tick that a run was created for.
const LAST_SCHEDULED_AT: &str = "last_scheduled_at";
/// Beside a job: since when its schedule counts. The tick that it is due at may be of the schedule before.
const COUNTS_SINCE: &str = "schedule_counts_since";
/// Beside a job that is paused, or was: since when.
const PAUSED_SINCE: &str = "paused_since";

/// The code of a change that lost against another scheduler on the same tick.
pub const TICK_DECIDED: &str = "tick_decided";

impl Entity for Tick {
    const KIND: &'static str = "tick";

    fn order(&self) -> Vec<(&'static str, String)> {
        vec![(BY_NAME, format!("{}#{}#", outcome(self.outcome), self.scheduled_at))]
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.decided_at + LEDGER_KEPT)
    }
}

fn outcome(outcome: TickOutcome) -> &'static str {
    match outcome {
        TickOutcome::Ran => "RAN",
        TickOutcome::Skipped => "SKIPPED",
        TickOutcome::Missed => "MISSED",
        TickOutcome::Replaced => "REPLACED",
    }
}

fn ledger_partition(tenant: &Tenant, job: &JobId) -> String {
    tenant_partition(tenant, format!("JOB#{job}#TICKS"))
}

/// A pause can begin at the very moment of a tick.
fn tick_key(tenant: &Tenant, job: &JobId, tick: &Tick) -> Key {
    if tick.reason == TickReason::Paused {
        return Key::global(ledger_partition(tenant, job), format!("{}#PAUSE", tick.scheduled_at));
    }
    due_key(tenant, job, tick.scheduled_at)
}

/// The entry of a tick that was due.
fn due_key(tenant: &Tenant, job: &JobId, scheduled_at: Timestamp) -> Key {
    Key::global(ledger_partition(tenant, job), format!("{scheduled_at}#TICK"))
}

/// The shard of the due index that a job belongs to, always the same.
fn job_shard(job: &JobId) -> String {
    format!("TICK#{}", shard_of(job.as_str(), JOB_SHARDS))
}

/// When a job runs next by itself; a moment that has passed when its tick is due. `None` while its schedule does not count.
#[must_use]
pub fn next_run_at(row: &Row<Job>) -> Option<Timestamp> {
    row.text(DUE_AT)?.parse().ok()
}

/// The last tick that a run of a job was created for.
#[must_use]
pub fn last_scheduled_at(row: &Row<Job>) -> Option<Timestamp> {
    row.text(LAST_SCHEDULED_AT)?.parse().ok()
}

/// A job's schedule, if it has one and it counts.
///
/// # Errors
/// [`Error::Internal`] when what was checked as it was written cannot be read any more.
pub fn schedule_of(job: &Job) -> Result<Option<Schedule>> {
    let Some(expression) = job.current.schedule.cron_expression.as_deref().filter(|_| job.status == JobStatus::Active)
    else {
        return Ok(None);
    };
    let unreadable = |error| Error::internal(format!("the schedule of job {}: {error}", job.id));
    Schedule::parse(expression, &job.current.schedule.cron_timezone).map(Some).map_err(unreadable)
}

/// What a change of a job does to its ticks.
struct Rescheduled {
    /// Its place in the due index.
    place: Due,
    /// When it is due then.
    next: Option<Timestamp>,
    beside: Item,
    /// New entries of the ledger.
    entries: Vec<Tick>,
    /// The entry of a pause that ends.
    resumed: Option<Tick>,
}

impl Rescheduled {
    /// A job that is new.
    fn new(job: &Job, now: Timestamp) -> Result<Self> {
        let next = schedule_of(job)?.and_then(|schedule| schedule.next_after(now));
        let mut this = Self::due_as_it_was(None);
        this.move_to(next);
        this.counts_since(now);
        if job.status == JobStatus::Paused {
            this.pause(job.current.number, now);
        }
        Ok(this)
    }

    /// What it means to the ticks of a job that it becomes another one at `now`. A schedule that stays goes on; another one
    /// counts from now on. The newest tick that is due already stays due; of one that ends none does.
    fn of(row: &Row<Job>, job: &Job, now: Timestamp) -> Result<Self> {
        let (before, after) = (schedule_of(&row.value)?, schedule_of(job)?);
        let due_at = next_run_at(row);
        let timing =
            |job: &Job| (job.current.schedule.cron_expression.clone(), job.current.schedule.cron_timezone.clone());
        let stays = timing(&row.value) == timing(job) && before.is_some() && after.is_some();
        let mut this = Self::due_as_it_was(due_at);
        if !(stays && due_at.is_some()) {
            let owed = match &before {
                Some(before) => owed(row, before, now),
                None => Owed::default(),
            };
            let version = row.value.current.number;
            let entry = |ticks: Stretch, reason| ticks.entry(reason, version, now);
            match after {
                Some(after) => {
                    this.move_to(owed.last().or_else(|| after.next_after(now)));
                    this.entries.extend(owed.all_but(1).map(|ticks| entry(ticks, TickReason::ScheduleChanged)));
                    this.counts_since(now);
                }
                None => {
                    this.move_to(None);
                    let reason = match job.status {
                        JobStatus::Active => TickReason::Unscheduled,
                        JobStatus::Paused => TickReason::PausedBefore,
                    };
                    this.entries.extend(owed.all_but(0).map(|ticks| entry(ticks, reason)));
                }
            }
        }
        match (row.value.status, job.status) {
            (JobStatus::Active, JobStatus::Paused) => this.pause(row.value.current.number, now),
            (JobStatus::Paused, JobStatus::Active) => this.resumed = pause_that_ends(row, now),
            (JobStatus::Active, JobStatus::Active) | (JobStatus::Paused, JobStatus::Paused) => {}
        }
        Ok(this)
    }

    fn due_as_it_was(next: Option<Timestamp>) -> Self {
        Self { place: Due::Keep, next, beside: Item::new(), entries: Vec::new(), resumed: None }
    }

    fn move_to(&mut self, next: Option<Timestamp>) {
        self.place = next.map_or(Due::Never, Due::At);
        self.next = next;
    }

    fn counts_since(&mut self, now: Timestamp) {
        self.beside.insert(COUNTS_SINCE.to_owned(), text(now));
    }

    fn pause(&mut self, version: u32, now: Timestamp) {
        self.beside.insert(PAUSED_SINCE.to_owned(), text(now));
        self.entries.push(Stretch::pause(now).entry(TickReason::Paused, version, now));
    }
}

/// The entry of a pause that ends now.
fn pause_that_ends(row: &Row<Job>, now: Timestamp) -> Option<Tick> {
    let since = row.text(PAUSED_SINCE)?.parse().ok()?;
    let entry = Stretch::pause(since).entry(TickReason::Paused, row.value.current.number, now);
    Some(Tick { through: Some(now), ..entry })
}

/// When a job runs next, as it is after a change at `now`: what the change itself writes.
///
/// # Errors
/// [`Error::Internal`] when the schedule cannot be read.
pub fn next_run_after(before: Option<&Row<Job>>, job: &Job, now: Timestamp) -> Result<Option<Timestamp>> {
    let rescheduled = match before {
        Some(row) => Rescheduled::of(row, job, now),
        None => Rescheduled::new(job, now),
    };
    Ok(rescheduled?.next)
}

/// The ticks of a job that are due by `now`: the one that it stands in the index by, and those of its schedule that follow.
fn owed(row: &Row<Job>, schedule: &Schedule, now: Timestamp) -> Owed {
    let next = |tick: &Timestamp| next_after(row, schedule, *tick);
    let first = next_run_at(row).filter(|due_at| *due_at <= now);
    successors(first, next).take_while(|tick| *tick <= now).collect()
}

/// The tick that follows another one; ticks from before the schedule counted are of another schedule.
fn next_after(row: &Row<Job>, schedule: &Schedule, tick: Timestamp) -> Option<Timestamp> {
    schedule.next_after(counts_since(row).map_or(tick, |since| since.max(tick)))
}

fn counts_since(row: &Row<Job>) -> Option<Timestamp> {
    row.text(COUNTS_SINCE)?.parse().ok()
}

/// A job that is due, and whose it is.
#[derive(Debug, Clone)]
pub struct DueJob {
    /// Its organization: the job's own key says so.
    pub tenant: Tenant,
    /// The job as the table has it.
    pub row: Row<Job>,
    schedule: Schedule,
}

impl DueJob {
    /// The job of a row that the index answered; `None` when it is due no longer.
    fn of(row: Row<Job>, now: Timestamp) -> Result<Option<Self>> {
        let Some(tenant) = tenant_of(&row.key) else { return Ok(None) };
        if next_run_at(&row).is_none_or(|due_at| due_at > now) {
            return Ok(None);
        }
        let Some(schedule) = schedule_of(&row.value)? else { return Ok(None) };
        Ok(Some(Self { tenant, row, schedule }))
    }

    /// Its ticks that are due by `now`.
    #[must_use]
    pub fn owed(&self, now: Timestamp) -> Owed {
        owed(&self.row, &self.schedule, now)
    }

    /// Its oldest ticks were decided about: it is due at `next` now, and has a run more.
    pub fn advance(&mut self, run: Option<&JobRun>, next: Option<Timestamp>) {
        let latest = run.map(|run| latest_of(run, self.latest_moment_with(run)));
        for (attribute, value) in latest.into_iter().flatten() {
            self.row.note(attribute, value);
        }
        if let Some(tick) = run.and_then(|run| run.scheduled_at) {
            self.row.note(LAST_SCHEDULED_AT, text(tick));
        }
        let live = live_runs(&self.row) + u64::from(run.is_some());
        self.row.note(LIVE_RUNS, AttributeValue::N(live.to_string()));
        if let Some(next) = next {
            self.row.note(DUE_AT, text(next));
        }
    }

    /// The latest moment of its runs when it has another one. That of a tick may come after one that somebody asked for since.
    fn latest_moment_with(&self, run: &JobRun) -> Timestamp {
        latest_moment(&self.row).map_or(run.moment(), |latest| latest.max(run.moment()))
    }

    /// What a change of the clock did to a tick; nothing to one that is of the schedule before.
    #[must_use]
    pub fn clock_change(&self, tick: Timestamp) -> Option<ClockChange> {
        let is_own = counts_since(&self.row).is_none_or(|since| since < tick);
        is_own.then(|| self.schedule.occurrence(tick).clock_change).flatten()
    }

    /// The tick that follows another one.
    #[must_use]
    pub fn next_after(&self, tick: Timestamp) -> Option<Timestamp> {
        next_after(&self.row, &self.schedule, tick)
    }
}

/// Jobs that are due, page by page.
#[derive(Debug)]
pub struct DueJobs<'s> {
    store: &'s Store,
    now: Timestamp,
    /// The shards that have more, and where each goes on.
    shards: Vec<(String, Option<Item>)>,
    /// Those that are found and not read.
    found: Vec<Key>,
}

impl DueJobs<'_> {
    /// The next of them: one query for each shard that has more, side by side, for every 500 jobs of it, and one batch read for
    /// every 100 jobs. `None` when there are no more.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn next(&mut self) -> Result<Option<Vec<DueJob>>> {
        if self.found.is_empty() {
            self.find().await?;
        }
        let keys: Vec<Key> = self.found.drain(..self.found.len().min(READ_AT_ONCE)).collect();
        if keys.is_empty() && self.shards.is_empty() {
            return Ok(None);
        }
        let mut batch = self.store.get_batch(keys.iter().cloned()).await?;
        let mut due = Vec::with_capacity(keys.len());
        for key in &keys {
            let job = batch.take::<Job>(key).and_then(|row| row.map_or(Ok(None), |row| DueJob::of(row, self.now)));
            match job {
                Ok(job) => due.extend(job),
                Err(error) => tracing::error!(%error, "a job that is due cannot be read"),
            }
        }
        Ok(Some(due))
    }

    /// Those that the shards have next. A page may be empty although the shard has more.
    async fn find(&mut self) -> Result<()> {
        let asked = std::mem::take(&mut self.shards).into_iter();
        let pages = try_join_all(asked.map(|(shard, start)| self.store.due_job_keys(shard, start, self.now))).await?;
        for (shard, found, next) in pages {
            self.found.extend(found);
            self.shards.extend(next.map(|next| (shard, Some(next))));
        }
        Ok(())
    }
}

impl Store {
    /// A due job as it is by now; `None` when it is due no longer.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn due_job(&self, key: &Key, now: Timestamp) -> Result<Option<DueJob>> {
        self.get(key).await?.map_or(Ok(None), |row| DueJob::of(row, now))
    }
}

/// What of a job's ledger is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TickFilter {
    /// What became of them.
    pub outcome: Option<TickOutcome>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
}

impl TickFilter {
    /// The entries, newest first.
    fn listing(&self, tenant: &Tenant, job: &JobId) -> Listing {
        let all = Listing::of(ledger_partition(tenant, job)).descending(true);
        let first = self.from.map_or_else(|| "0".to_owned(), |from| from.to_string());
        // A tilde sorts after every digit, so that no year is past the end.
        let last = self.to.map_or_else(|| "~".to_owned(), |to| to.to_string());
        match self.outcome {
            None => all.between(first, last),
            Some(wanted) => {
                let wanted = outcome(wanted);
                all.ordered_by(BY_NAME).between(format!("{wanted}#{first}"), format!("{wanted}#{last}"))
            }
        }
    }
}

impl Store {
    /// The jobs whose ticks are due by `now`.
    #[must_use]
    pub fn due_jobs(&self, now: Timestamp) -> DueJobs<'_> {
        let shards = (0..JOB_SHARDS).map(|shard| (format!("TICK#{shard}"), None)).collect();
        DueJobs { store: self, now, shards, found: Vec::new() }
    }

    async fn due_job_keys(
        &self,
        shard: String,
        start: Option<Item>,
        now: Timestamp,
    ) -> Result<(String, Vec<Key>, Option<Item>)> {
        let (keys, next) = self.due_page(&shard, (PER_QUERY, start), now).await?;
        Ok((shard, keys, next))
    }

    /// The moment of a due job's run before a tick; `None` when there was none. Runs that somebody asked for between the tick and the
    /// scheduler are none before it: where there is one, 1 query finds the latest moment before the tick among the newest hundred.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn moment_before(&self, due: &DueJob, tick: Timestamp) -> Result<Option<Timestamp>> {
        let latest = latest_moment(&due.row);
        if latest.is_none_or(|latest| latest < tick) {
            return Ok(latest);
        }
        let request = PageRequest { limit: MAX_LIMIT, ..PageRequest::default() };
        let newest = self.job_runs(&due.tenant, &due.row.value.id, &request).await?;
        let moments = newest.rows.iter().map(|row| row.value.moment()).chain(last_scheduled_at(&due.row));
        Ok(moments.filter(|moment| *moment < tick).max())
    }

    /// A page of a job's ledger, newest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn ticks(
        &self,
        tenant: &Tenant,
        job: &JobId,
        filter: &TickFilter,
        request: &PageRequest,
    ) -> Result<Page<Tick>> {
        let page: Page<Row<Tick>> = self.page(&filter.listing(tenant, job), request).await?;
        let mut page = page.map(|row| row.value);
        // DynamoDB takes days to delete what has expired.
        let now = self.now();
        page.rows.retain(|tick| tick.expires_at().is_none_or(|expires_at| now < expires_at));
        Ok(page)
    }

    /// The entry of the tick that a run was created for. `None` for a run of nobody's schedule.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn tick_of(&self, tenant: &Tenant, run: &JobRun) -> Result<Option<Tick>> {
        let Some(scheduled_at) = run.scheduled_at else { return Ok(None) };
        let entry = self.get::<Tick>(&due_key(tenant, &run.job_id, scheduled_at)).await?;
        Ok(entry.map(|row| row.value))
    }

    /// The first entry that the ledger has already of these ticks.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn first_decided(&self, due: &DueJob, ticks: &[Tick]) -> Result<Option<Tick>> {
        let keys: Vec<Key> = ticks.iter().map(|tick| tick_key(&due.tenant, &due.row.value.id, tick)).collect();
        let mut batch = self.get_batch(keys.iter().cloned()).await?;
        let first = keys.iter().find_map(|key| batch.take::<Tick>(key).transpose()).transpose()?;
        Ok(first.map(|row| row.value))
    }

    /// Begins the entry of ticks in the ledger that no run comes of. It is not audited: the ledger is the record.
    pub fn note_ticks(&self) -> Change<'_> {
        self.telemetry()
    }

    /// Removes the ledger of a job that is gone, in steps that can be repeated. True when nothing is left.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn erase_ticks(&self, tenant: &Tenant, job: &JobId) -> Result<bool> {
        let request = PageRequest { limit: 90, ..PageRequest::default() };
        let page: Page<Row<Tick>> = self.page(&Listing::of(ledger_partition(tenant, job)), &request).await?;
        if !page.rows.is_empty() {
            page.rows.iter().fold(self.telemetry(), |change, row| change.remove(&row.key)).commit().await?;
        }
        Ok(page.marker.is_none())
    }
}

impl Change<'_> {
    /// A new job's row, due at the first tick of its schedule, and the beginning of its ledger where it is paused.
    pub(crate) fn put_scheduled_job(self, tenant: &Tenant, job: &Job, used: Error) -> Self {
        let rescheduled = match Rescheduled::new(job, self.now()) {
            Ok(rescheduled) => rescheduled,
            Err(error) => return self.with_defect(error),
        };
        let Rescheduled { next, mut beside, entries, .. } = rescheduled;
        beside.extend(next.into_iter().flat_map(|next| due(&job.id, next)));
        self.create_with(&job_key(tenant, &job.id), job, beside, used).enter_ticks(tenant, &job.id, &entries)
    }

    /// A job's new row, due as it is to be, and its place in the list.
    pub(crate) fn replace_scheduled_job(self, tenant: &Tenant, row: &Row<Job>, job: &Job) -> Self {
        let rescheduled = match Rescheduled::of(row, job, self.now()) {
            Ok(rescheduled) => rescheduled,
            Err(error) => return self.with_defect(error),
        };
        let Rescheduled { place, mut beside, entries, resumed, .. } = rescheduled;
        // A tick may be decided about after the row was read: then its place is another one, and what was decided stays.
        let change = match place {
            Due::Keep => self.replace_with(row, job, Due::Keep, beside),
            Due::At(next) => {
                beside.extend(due(&job.id, next));
                self.replace_unmoved(row, job, Due::Keep, beside)
            }
            place => self.replace_unmoved(row, job, place, beside),
        };
        let change = change.relist_job(tenant, &row.value, job);
        let change = change.enter_ticks(tenant, &job.id, &entries);
        match resumed {
            Some(pause) => change.overwrite(&tick_key(tenant, &job.id, &pause), &pause),
            None => change,
        }
    }

    /// New entries of a job's ledger.
    fn enter_ticks(self, tenant: &Tenant, job: &JobId, ticks: &[Tick]) -> Self {
        ticks.iter().fold(self, |change, tick| change.create(&tick_key(tenant, job, tick), tick, changed_meanwhile()))
    }

    /// What became of the oldest ticks that a job owes, and the run that was created for the last of them, on a cluster that is
    /// there: also one that waits would stop others in vain. The job is due at `next` then, and not if it is another job, or due at
    /// another moment, than was read.
    pub fn decide_ticks(self, due_job: &DueJob, ticks: &[Tick], run: Option<&JobRun>, next: Option<Timestamp>) -> Self {
        let (tenant, row) = (&due_job.tenant, &due_job.row);
        let latest = run.map(|run| (run, due_job.latest_moment_with(run)));
        let mut sets: Vec<(String, AttributeValue)> =
            latest.into_iter().flat_map(|(run, moment)| latest_of(run, moment)).collect();
        sets.extend(next.into_iter().flat_map(|next| due(&row.value.id, next)));
        sets.extend(run.and_then(|run| run.scheduled_at).map(|tick| (LAST_SCHEDULED_AT.to_owned(), text(tick))));
        let removes: &[&str] = if next.is_none() { &[DUE_SHARD, DUE_AT] } else { &[] };
        let adds: &[(&str, i64)] = if run.is_some() { &ONE_RUN_MORE } else { &[] };
        // Whether a run may begin was decided by how many had not ended: there are no more of them than were counted. And none has
        // come since that is of a later moment.
        let condition = "#version = :read AND #due = :due";
        let counted = format!(
            "{condition} AND (attribute_not_exists(#live) OR #live <= :live) \
             AND (attribute_not_exists(#moment) OR #moment <= :moment)"
        );
        let mut update = update_of(&row.key, sets, removes, adds)
            .condition_expression(if run.is_some() { &counted } else { condition })
            .expression_attribute_names("#version", crate::row::VERSION)
            .expression_attribute_names("#due", DUE_AT)
            .expression_attribute_values(":read", AttributeValue::N(row.version.to_string()))
            .expression_attribute_values(":due", AttributeValue::S(row.text(DUE_AT).unwrap_or_default().to_owned()));
        if let Some((_, moment)) = latest {
            update = update
                .expression_attribute_names("#live", LIVE_RUNS)
                .expression_attribute_values(":live", AttributeValue::N(live_runs(row).to_string()))
                .expression_attribute_names("#moment", LATEST_MOMENT)
                .expression_attribute_values(":moment", text(moment));
        }
        let change = self.update(update, changed_meanwhile());
        let decided = || Error::conflict(TICK_DECIDED, "Another scheduler decided about this tick.");
        let change = ticks
            .iter()
            .fold(change, |change, tick| change.create(&tick_key(tenant, &row.value.id, tick), tick, decided()));
        match run {
            Some(run) => change.require_cluster(tenant, &run.cluster_id).add_run(tenant, run),
            None => change,
        }
    }

    /// A run that no agent has had gives way to that of a newer tick: its own tick, as [`Store::tick_of`] found it, has come to that.
    pub fn replace_tick(self, tenant: &Tenant, job: &JobId, tick: Tick) -> Self {
        let reason = TickReason::NewerTick;
        let entry = Tick { outcome: reason.outcome(), reason, decided_at: self.now(), ..tick };
        self.overwrite(&tick_key(tenant, job, &entry), &entry)
    }
}

/// A job's place in the due index.
fn due(job: &JobId, at: Timestamp) -> [(String, AttributeValue); 2] {
    [(DUE_SHARD.to_owned(), AttributeValue::S(job_shard(job))), (DUE_AT.to_owned(), text(at))]
}

fn text(moment: Timestamp) -> AttributeValue {
    AttributeValue::S(moment.to_string())
}
