//! Runs: their rows, their place in their cluster's inbox, their leases.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use mainsheet_core::agent_protocol::{HeldRun, LEASE};
use mainsheet_core::cluster::Agent;
use mainsheet_core::job::{Job, JobVersion};
use mainsheet_core::job_run::{JobRun, RunStatus};
use mainsheet_core::{Error, JobId, JobRunId, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile, due_shard, update_of};
use crate::clusters::{InboxEntry, InboxKind, inbox_key};
use crate::jobs::{LATEST_RUN, RUNS, job_key, latest_run, version_key};
use crate::key::tenant_partition;
use crate::outbox::Event;
use crate::page::MAX_LIMIT;
use crate::row::attribute;
use crate::schema::{BY_TIME, DUE_AT, DUE_SHARD};
use crate::{Batch, Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

impl Entity for JobRun {
    const KIND: &'static str = "job_run";
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

    /// A page of the organization's runs, newest first, of those jobs that `keep` keeps: one query, and one batch read of up
    /// to 200 rows, for each hundred that it looks at.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn runs_where(
        &self,
        tenant: &Tenant,
        request: &PageRequest,
        keep: impl Fn(&Job) -> bool,
    ) -> Result<Page<Row<JobRun>>> {
        let listing = Listing::of(tenant_partition(tenant, "RUNS")).descending(true);
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
                    return Ok(Page { rows, marker });
                }
            }
            request.marker = links.marker;
            if request.marker.is_none() {
                return Ok(Page { rows, marker: None });
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
        let latest = Item::from([
            (LATEST_RUN.to_owned(), AttributeValue::S(run.id.to_string())),
            (BY_TIME.to_owned(), AttributeValue::S(run.created_at.to_string())),
        ]);
        let link = RunOfTenant { job_id: run.job_id.clone(), job_run_id: run.id.clone() };
        let used = || Error::internal("a run id that was used before");
        let unpublished = Error::invalid("jobVersion", "is no published version of this job");
        self.annotate(&job_key(tenant, &run.job_id), latest, &[(RUNS, 1)], Error::NotFound)
            .require(&version_key(tenant, &run.job_id, run.job_version), unpublished)
            .create(&run_key(tenant, &run.job_id, &run.id), run, used())
            .create(&run_of_tenant_key(tenant, &run.id), &link, used())
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
        self.replace(row, run, due).move_in_inbox(tenant, &row.value, run)
    }

    /// What became of a run that was due, unless it was renewed meanwhile.
    pub(crate) fn replace_due_run(self, tenant: &Tenant, row: &Row<JobRun>, run: &JobRun) -> Self {
        self.replace(row, run, Due::Over).move_in_inbox(tenant, &row.value, run)
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
