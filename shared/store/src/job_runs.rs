//! Runs: their rows, their place in their cluster's inbox, their leases.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use futures::future::try_join_all;
use mainsheet_core::agent_protocol::{HeldRun, LEASE};
use mainsheet_core::cluster::Agent;
use mainsheet_core::job::{Job, JobVersion};
use mainsheet_core::job_run::{JobRun, RunStatus, Waiting};
use mainsheet_core::measurement::Measurement;
use mainsheet_core::{Error, JobId, JobRunId, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile, due_shard, update_of};
use crate::clusters::{InboxEntry, InboxKind, inbox_key};
use crate::jobs::{LATEST_MOMENT, LATEST_RUN, LIVE_RUNS, RUNS, job_key, latest_run, version_key};
use crate::key::tenant_partition;
use crate::outbox::Event;
use crate::page::MAX_LIMIT;
use crate::row::attribute;
use crate::schema::{BY_NAME, BY_TIME, DUE_AT, DUE_SHARD};
use crate::{Batch, Change, Entity, Item, KeptBy, Key, Listing, Page, PageRequest, Row, Store, Tenant};

impl Entity for JobRun {
    const KIND: &'static str = "job_run";

    /// Sparse orders of a job's runs: those that have not ended by their ids, those that succeeded by their moments.
    fn order(&self) -> Vec<(&'static str, String)> {
        match self.status {
            RunStatus::Succeeded => vec![(BY_TIME, self.moment().to_string())],
            status if status.is_terminal() => Vec::new(),
            _ => vec![(BY_NAME, self.id.to_string())],
        }
    }
}

pub(crate) fn runs_partition(tenant: &Tenant, job: &JobId) -> String {
    tenant_partition(tenant, format!("JOB#{job}#RUNS"))
}

/// A run among all runs of its organization. Its sort key is the run's id, so they sort by age.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunOfTenant {
    job_id: JobId,
    job_run_id: JobRunId,
}

impl Entity for RunOfTenant {
    const KIND: &'static str = "run_of_tenant";
}

fn run_of_tenant_key(tenant: &Tenant, run: &JobRunId) -> Key {
    Key::of_tenant(tenant, "RUNS", run.as_str())
}

pub(crate) fn run_key(tenant: &Tenant, job: &JobId, run: &JobRunId) -> Key {
    Key::global(runs_partition(tenant, job), run.as_str())
}

/// A run that waits for the success of a job. Its key begins with that job's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingRun {
    /// The job of the run that waits.
    pub job_id: JobId,
    /// The run that waits.
    pub job_run_id: JobRunId,
}

impl Entity for WaitingRun {
    const KIND: &'static str = "waiting_run";
}

fn waiting_partition(tenant: &Tenant, job_key: &str) -> String {
    tenant_partition(tenant, format!("JOB_KEY#{job_key}#WAITING"))
}

/// A job that a run waits for.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The key that it is named by.
    pub job_key: String,
    /// Its id; `None` when no job has that key.
    pub job_id: Option<JobId>,
    /// Its newest run that succeeded, if that is new enough.
    pub success: Option<JobRun>,
}

/// A job and its latest run, if it ever ran.
#[derive(Debug, Clone)]
pub struct LatestRun {
    /// The job.
    pub job: Job,
    /// Its latest run.
    pub run: Option<JobRun>,
}

/// A run and what it is a run of.
#[derive(Debug, Clone)]
pub struct RunOfJob {
    /// The run.
    pub run: Row<JobRun>,
    /// Its job.
    pub job: Row<Job>,
    /// The version that it is pinned to.
    pub version: JobVersion,
}

/// Runs, and the jobs they are runs of.
#[derive(Default)]
struct RunsAndJobs {
    runs: Batch,
    jobs: HashMap<JobId, Job>,
}

impl RunsAndJobs {
    /// A run whose job is kept; `None` when it is not, or one of the two is gone.
    fn take_run(
        &mut self,
        tenant: &Tenant,
        link: &RunOfTenant,
        keep: impl Fn(&Job) -> bool,
    ) -> Result<Option<Row<JobRun>>> {
        match self.jobs.get(&link.job_id) {
            Some(job) if keep(job) => self.runs.take(&run_key(tenant, &link.job_id, &link.job_run_id)),
            _ => Ok(None),
        }
    }
}

impl Store {
    /// A run and its job: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such run.
    pub async fn job_and_run(&self, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<(Row<Job>, Row<JobRun>)> {
        let (job_key, run_key) = (job_key(tenant, job), run_key(tenant, job, run));
        let mut batch = self.get_batch([job_key.clone(), run_key.clone()]).await?;
        let job = batch.take(&job_key)?.ok_or(Error::NotFound)?;
        Ok((job, batch.take(&run_key)?.ok_or(Error::NotFound)?))
    }

    /// A run.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such run.
    pub async fn job_run(&self, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<Row<JobRun>> {
        self.get(&run_key(tenant, job, run)).await?.ok_or(Error::NotFound)
    }

    /// A page of a job's runs, newest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn job_runs(&self, tenant: &Tenant, job: &JobId, request: &PageRequest) -> Result<Page<Row<JobRun>>> {
        self.page(&Listing::of(runs_partition(tenant, job)).descending(true), request).await
    }

    /// A page of a job's runs that have not ended, oldest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn live_runs(&self, tenant: &Tenant, job: &JobId, request: &PageRequest) -> Result<Page<Row<JobRun>>> {
        self.page(&Listing::of(runs_partition(tenant, job)).ordered_by(BY_NAME), request).await
    }

    /// A page of the runs that wait for the success of the job with a key, oldest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn waiting_runs(&self, tenant: &Tenant, key: &str, request: &PageRequest) -> Result<Page<WaitingRun>> {
        let page: Page<Row<WaitingRun>> = self.page(&Listing::of(waiting_partition(tenant, key)), request).await?;
        Ok(page.map(|row| row.value))
    }

    /// The jobs that a run waits for, in the order that it names them: one round trip, and one more for each of them, side by side.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn awaited(&self, tenant: &Tenant, waiting: &Waiting) -> Result<Vec<Dependency>> {
        let ids = self.job_ids_by_keys(tenant, &waiting.jobs).await?;
        let dependencies = waiting.jobs.iter().zip(ids).map(|(key, job_id)| async move {
            let newest = match &job_id {
                Some(job) => self.newest_success(tenant, job).await?,
                None => None,
            };
            let success = newest.filter(|run| waiting.since.is_none_or(|since| run.moment() > since));
            Ok(Dependency { job_key: key.clone(), job_id, success })
        });
        try_join_all(dependencies).await
    }

    /// Jobs and their latest runs: two round trips for every 100 of them. Absent ones are left out.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn latest_runs(
        &self,
        tenant: &Tenant,
        jobs: impl Iterator<Item = JobId>,
    ) -> Result<HashMap<JobId, LatestRun>> {
        let keys: Vec<Key> = jobs.map(|job| job_key(tenant, &job)).collect();
        let mut batch = self.get_batch(keys.iter().cloned()).await?;
        let jobs: Vec<Row<Job>> = keys.iter().filter_map(|key| batch.take(key).transpose()).collect::<Result<_>>()?;
        let run_key = |row: &Row<Job>| Some(run_key(tenant, &row.value.id, &latest_run(row)?));
        let mut batch = self.get_batch(jobs.iter().filter_map(run_key)).await?;
        let with_run = |row: Row<Job>| {
            let run = run_key(&row).map(|key| batch.take::<JobRun>(&key)).transpose()?.flatten();
            Ok((row.value.id.clone(), LatestRun { job: row.value, run: run.map(|row| row.value) }))
        };
        jobs.into_iter().map(with_run).collect()
    }

    async fn newest_success(&self, tenant: &Tenant, job: &JobId) -> Result<Option<JobRun>> {
        let listing = Listing::of(runs_partition(tenant, job)).ordered_by(BY_TIME).descending(true);
        let page: Page<Row<JobRun>> = self.page(&listing, &PageRequest { limit: 1, ..PageRequest::default() }).await?;
        Ok(page.rows.into_iter().next().map(|row| row.value))
    }

    /// A page of the organization's runs, newest first, of those jobs that `keep` keeps: one query, and one batch read of up
    /// to 200 rows, for each hundred that it looks at. `kept_by` is what that is for markers.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn runs_where(
        &self,
        tenant: &Tenant,
        request: &PageRequest,
        kept_by: KeptBy<'_>,
        keep: impl Fn(&Job) -> bool,
    ) -> Result<Page<Row<JobRun>>> {
        let listing = Listing::of(tenant_partition(tenant, "RUNS")).descending(true).kept_by(kept_by);
        let wanted = request.limit as usize;
        let mut request = PageRequest { limit: if wanted == 0 { 0 } else { MAX_LIMIT }, ..request.clone() };
        let mut rows = Vec::with_capacity(wanted);
        loop {
            let links: Page<Row<RunOfTenant>> = self.page(&listing, &request).await?;
            let mut batch = self.runs_and_jobs(tenant, &links.rows).await?;
            for (index, link) in links.rows.iter().enumerate() {
                let Some(run) = batch.take_run(tenant, &link.value, &keep)? else { continue };
                rows.push(run);
                if rows.len() == wanted {
                    let more = index + 1 < links.rows.len() || links.marker.is_some();
                    let marker = if more { Some(self.marker(&listing, &link.key.to_item()).await?) } else { None };
                    return Ok(Page::of(rows, marker));
                }
            }
            request.marker = links.marker;
            if request.marker.is_none() {
                return Ok(Page::of(rows, None));
            }
        }
    }

    async fn runs_and_jobs(&self, tenant: &Tenant, links: &[Row<RunOfTenant>]) -> Result<RunsAndJobs> {
        if links.is_empty() {
            return Ok(RunsAndJobs::default());
        }
        let runs = links.iter().map(|row| run_key(tenant, &row.value.job_id, &row.value.job_run_id));
        let jobs: HashSet<&JobId> = links.iter().map(|row| &row.value.job_id).collect();
        let job_keys: Vec<Key> = jobs.into_iter().map(|job| job_key(tenant, job)).collect();
        let mut batch = self.get_batch(runs.chain(job_keys.iter().cloned())).await?;
        let jobs = job_keys.iter().filter_map(|key| batch.take::<Job>(key).transpose());
        let jobs = jobs.map(|row| row.map(|row| (row.value.id.clone(), row.value))).collect::<Result<_>>()?;
        Ok(RunsAndJobs { runs: batch, jobs })
    }

    /// The newest run of a job but one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn newest_run_but(&self, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<Option<JobRunId>> {
        let request = PageRequest { limit: 2, ..PageRequest::default() };
        let page = self.job_runs(tenant, job, &request).await?;
        Ok(page.rows.into_iter().map(|row| row.value.id).find(|newest| newest != run))
    }

    /// The runs that an agent holds: one round trip. Absent ones are left out.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn held_runs(&self, tenant: &Tenant, held: &[HeldRun]) -> Result<HashMap<JobRunId, Row<JobRun>>> {
        let keys: Vec<Key> = held.iter().map(|held| run_key(tenant, &held.job_id, &held.job_run_id)).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        let rows = keys.iter().filter_map(|key| batch.take::<JobRun>(key).transpose());
        rows.map(|row| row.map(|row| (row.value.id.clone(), row))).collect()
    }

    /// A run that waits in an inbox with all that is needed to execute it; `None` when it is gone, or its job is.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn run_of_job(&self, tenant: &Tenant, entry: &InboxEntry) -> Result<Option<RunOfJob>> {
        let run_key = run_key(tenant, &entry.job_id, &entry.job_run_id);
        let job_key = job_key(tenant, &entry.job_id);
        let mut batch = self.get_batch([run_key.clone(), job_key.clone()]).await?;
        let (Some(run), Some(job)) = (batch.take::<JobRun>(&run_key)?, batch.take::<Job>(&job_key)?) else {
            return Ok(None);
        };
        let version = if job.value.current.number == run.value.job_version {
            job.value.current.clone()
        } else {
            let key = version_key(tenant, &entry.job_id, run.value.job_version);
            let missing = || Error::internal(format!("run {} is pinned to a version that is gone", run.value.id));
            self.get::<JobVersion>(&key).await?.ok_or_else(missing)?.value
        };
        Ok(Some(RunOfJob { run, job, version }))
    }

    /// Renews an agent's lease of a run. It makes no new version of the run and is not audited.
    ///
    /// # Errors
    /// The conflict of a race when the agent does not hold that lease any more, or the run was asked to stop meanwhile: what is
    /// due then is not for a renewal to put off.
    pub async fn renew_lease(&self, run: &Row<JobRun>, agent: &Agent) -> Result<()> {
        let due_at = run.value.due_at(self.now() + LEASE);
        let sets = vec![
            (DUE_AT.to_owned(), AttributeValue::S(due_at.to_string())),
            (DUE_SHARD.to_owned(), AttributeValue::S(due_shard(&run.key))),
        ];
        let update = update_of(&run.key, sets, &[], &[])
            .condition_expression(
                "#data.attempt = :attempt AND #data.leasedBy = :agent AND #data.cancelRequestedAt = :cancelled",
            )
            .expression_attribute_names("#data", crate::row::DATA)
            .expression_attribute_values(":attempt", AttributeValue::N(run.value.attempt.to_string()))
            .expression_attribute_values(":agent", AttributeValue::S(agent.id.to_string()))
            .expression_attribute_values(":cancelled", attribute(&run.value.cancel_requested_at)?);
        self.telemetry().update(update, changed_meanwhile()).commit().await
    }
}

impl Change<'_> {
    /// A new run of a job that is there, of a version that is published, on a cluster that can be used.
    pub fn create_run(self, tenant: &Tenant, run: &JobRun) -> Self {
        let unpublished = Error::invalid("jobVersion", "is no published version of this job");
        let latest = latest_of(run, run.moment()).into_iter().collect();
        self.annotate(&job_key(tenant, &run.job_id), latest, &ONE_RUN_MORE, Error::NotFound)
            .require(&version_key(tenant, &run.job_id, run.job_version), unpublished)
            .add_run(tenant, run)
    }

    /// The rows of a new run, beside what its job says of it. One that is ready enters the inbox of its cluster; one that is
    /// pending is looked at when the event is heard.
    pub(crate) fn add_run(self, tenant: &Tenant, run: &JobRun) -> Self {
        let link = RunOfTenant { job_id: run.job_id.clone(), job_run_id: run.id.clone() };
        let used = || Error::internal("a run id that was used before");
        let change = self
            .create(&run_key(tenant, &run.job_id, &run.id), run, used())
            .create(&run_of_tenant_key(tenant, &run.id), &link, used())
            .list_first(tenant, run);
        if run.status == RunStatus::Ready {
            let (key, entry) = entry(tenant, InboxKind::Ready, run);
            return change.overwrite(&key, &entry);
        }
        let waiting = WaitingRun { job_id: run.job_id.clone(), job_run_id: run.id.clone() };
        waiting_keys(tenant, run)
            .iter()
            .fold(change, |change, key| change.create(key, &waiting, used()))
            .emit(Event::JobRunPending { job_id: run.job_id.clone(), job_run_id: run.id.clone() })
    }

    /// The run has to be held still under the lease that was read; a conflict when it is not.
    pub(crate) fn require_lease(self, row: &Row<JobRun>) -> Self {
        let holder = row.value.leased_by.as_ref().map(ToString::to_string).unwrap_or_default();
        let check = ConditionCheck::builder()
            .set_key(Some(row.key.to_item()))
            .condition_expression("#data.attempt = :attempt AND #data.leasedBy = :holder")
            .expression_attribute_names("#data", crate::row::DATA)
            .expression_attribute_values(":attempt", AttributeValue::N(row.value.attempt.to_string()))
            .expression_attribute_values(":holder", AttributeValue::S(holder));
        self.check(check, Error::conflict("lease_lost", "The run is held under this lease no more. Abandon it."))
    }

    /// The run has to have ended as it was read, and not be tried again; a conflict when it is not.
    pub(crate) fn require_ended(self, row: &Row<JobRun>) -> Self {
        let finished_at = match attribute(&row.value.finished_at) {
            Ok(finished_at) => finished_at,
            Err(error) => return self.with_defect(error),
        };
        let check = ConditionCheck::builder()
            .set_key(Some(row.key.to_item()))
            .condition_expression("#data.attempt = :attempt AND #data.finishedAt = :finished")
            .expression_attribute_names("#data", crate::row::DATA)
            .expression_attribute_values(":attempt", AttributeValue::N(row.value.attempt.to_string()))
            .expression_attribute_values(":finished", finished_at);
        self.check(check, Error::conflict("lease_lost", "The run is tried again. Abandon this attempt."))
    }

    /// A run's new state, with its place in the inbox of its cluster and in the due index.
    pub fn replace_run(self, tenant: &Tenant, row: &Row<JobRun>, run: &JobRun) -> Self {
        let due = match (row.value.status.is_active(), run.status.is_active()) {
            (false, true) => Due::At(run.due_at(self.now() + LEASE)),
            (true, false) => Due::Never,
            _ => Due::Keep,
        };
        self.replace(row, run, due).follow(tenant, &row.value, run)
    }

    /// What became of a run that was due, unless it was renewed meanwhile.
    pub(crate) fn replace_due_run(self, tenant: &Tenant, row: &Row<JobRun>, run: &JobRun) -> Self {
        self.replace(row, run, Due::Over).follow(tenant, &row.value, run)
    }

    /// What a run's new state means to its cluster's inbox, to its job and to those that wait.
    fn follow(self, tenant: &Tenant, before: &JobRun, after: &JobRun) -> Self {
        self.move_in_inbox(tenant, before, after).stop_waiting(tenant, before, after).count_live(tenant, before, after)
    }

    /// A run that is pending no more waits for no job.
    fn stop_waiting(self, tenant: &Tenant, before: &JobRun, after: &JobRun) -> Self {
        if before.status != RunStatus::Pending || after.status == RunStatus::Pending {
            return self;
        }
        waiting_keys(tenant, before).iter().fold(self, Change::remove)
    }

    /// The job counts its runs that have not ended; others may wait for the end of this one.
    fn count_live(self, tenant: &Tenant, before: &JobRun, after: &JobRun) -> Self {
        let key = job_key(tenant, &after.job_id);
        match (before.status.is_terminal(), after.status.is_terminal()) {
            (true, false) => self.annotate(&key, Item::new(), &[(LIVE_RUNS, 1)], Error::NotFound),
            (false, true) => {
                let change = self.annotate(&key, Item::new(), &[(LIVE_RUNS, -1)], Error::NotFound);
                let change = change.measure(Measurement::RunEnded { status: after.status });
                // An older run gave way to one that was to replace it and itself; now it is its turn again.
                let was_to_replace = before.replaces();
                if after.status != RunStatus::Succeeded && after.replaced_by.is_none() && !was_to_replace {
                    return change;
                }
                change.emit(Event::JobRunEnded { job_id: after.job_id.clone(), job_run_id: after.id.clone() })
            }
            _ => self,
        }
    }

    /// A run that is active has to stop: the agent finds the order in its inbox, and the due index sees to it.
    pub fn order_cancel(self, tenant: &Tenant, row: &Row<JobRun>, run: &JobRun) -> Self {
        let due = Due::At(run.due_at(self.now() + LEASE));
        let (key, entry) = entry(tenant, InboxKind::Cancel, run);
        self.replace(row, run, due).overwrite(&key, &entry)
    }

    /// The end of a run's record; its log goes when the event is heard.
    pub fn erase_run(self, tenant: &Tenant, row: &Row<JobRun>) -> Self {
        let run = &row.value;
        let change = self.delete(row).remove(&run_of_tenant_key(tenant, &run.id));
        let change = match run.status {
            RunStatus::Pending => waiting_keys(tenant, run).iter().fold(change, Change::remove),
            _ => change,
        };
        change.emit(Event::JobRunDeleted { job_run_id: run.id.clone() }).leave_inbox(tenant, run)
    }

    /// The end of the record of a run that has ended, while its job goes on. `newest` is the job's newest run but this one.
    pub fn delete_run(self, tenant: &Tenant, job: &Row<Job>, row: &Row<JobRun>, newest: Option<&JobRunId>) -> Self {
        let job_key = job_key(tenant, &job.value.id);
        let change = self.erase_run(tenant, row);
        if latest_run(job).as_ref() != Some(&row.value.id) {
            return change.annotate(&job_key, Item::new(), &[(RUNS, -1)], Error::NotFound);
        }
        let (sets, removes) = match newest {
            Some(newest) => (vec![(LATEST_RUN.to_owned(), AttributeValue::S(newest.to_string()))], Vec::new()),
            None => (Vec::new(), vec![LATEST_RUN]),
        };
        let update = update_of(&job_key, sets, &removes, &[(RUNS, -1)])
            .condition_expression("#latest = :latest")
            .expression_attribute_names("#latest", LATEST_RUN)
            .expression_attribute_values(":latest", AttributeValue::S(row.value.id.to_string()));
        // A run that was created at the same moment is the latest now.
        change.update(update, changed_meanwhile())
    }

    fn move_in_inbox(self, tenant: &Tenant, before: &JobRun, after: &JobRun) -> Self {
        let place = |run: &JobRun| (run.status == RunStatus::Ready, run.status.is_active(), run.attempt);
        if place(before) == place(after) {
            return self;
        }
        let change = self.leave_inbox(tenant, before);
        let kind = match after.status {
            RunStatus::Ready => InboxKind::Ready,
            status if status.is_active() => InboxKind::Leased,
            _ => return change,
        };
        let (key, entry) = entry(tenant, kind, after);
        change.overwrite(&key, &entry)
    }

    fn leave_inbox(self, tenant: &Tenant, run: &JobRun) -> Self {
        match run.status {
            RunStatus::Ready => self.remove(&entry(tenant, InboxKind::Ready, run).0),
            status if status.is_active() => {
                self.remove(&entry(tenant, InboxKind::Leased, run).0).remove(&entry(tenant, InboxKind::Cancel, run).0)
            }
            _ => self,
        }
    }
}

/// A new run, in its job's counters.
pub(crate) const ONE_RUN_MORE: [(&str, i64); 2] = [(RUNS, 1), (LIVE_RUNS, 1)];

/// What a job says of its newest run, and the latest moment of its runs.
pub(crate) fn latest_of(run: &JobRun, moment: Timestamp) -> [(String, AttributeValue); 2] {
    [
        (LATEST_RUN.to_owned(), AttributeValue::S(run.id.to_string())),
        (LATEST_MOMENT.to_owned(), AttributeValue::S(moment.to_string())),
    ]
}

/// Where it is written down for which jobs a run waits.
fn waiting_keys(tenant: &Tenant, run: &JobRun) -> Vec<Key> {
    let jobs = run.waiting.iter().flat_map(|waiting| &waiting.jobs);
    jobs.map(|key| Key::global(waiting_partition(tenant, key), run.id.as_str())).collect()
}

fn entry(tenant: &Tenant, kind: InboxKind, run: &JobRun) -> (Key, InboxEntry) {
    let order = match kind {
        InboxKind::Cancel | InboxKind::Leased => run.id.to_string(),
        InboxKind::Ready => format!("{}#{}", run.ready_at.map(|at| at.to_string()).unwrap_or_default(), run.id),
    };
    let entry = InboxEntry {
        kind,
        job_id: run.job_id.clone(),
        job_run_id: run.id.clone(),
        attempt: run.attempt,
        agent_id: run.leased_by.clone(),
    };
    (inbox_key(tenant, &run.cluster_id, kind, &order), entry)
}

/// When a run that was read is due.
#[must_use]
pub fn due_at(row: &Row<JobRun>) -> Option<Timestamp> {
    row.text(DUE_AT)?.parse().ok()
}
