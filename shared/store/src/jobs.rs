//! Jobs, their published versions, their draft. The job's own row is what all changes of versions meet at: each replaces the
//! row that it read, so of several at once one wins.

use std::collections::HashMap;

use mainsheet_core::cluster::Cluster;
use mainsheet_core::job::{Job, JobDraft, JobStatus, JobVersion};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::query::SavedQuery;
use mainsheet_core::team::Team;
use mainsheet_core::{ClusterId, Error, JobId, JobRunId, QueryId, Result, TeamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile};
use crate::clusters::cluster_key;
use crate::job_runs::run_key;
use crate::key::tenant_partition;
use crate::outbox::Event;
use crate::queries::query_key;
use crate::teams::{take_teams, team_key};
use crate::{Change, Entity, KeptBy, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// Beside a job: its latest run.
pub(crate) const LATEST_RUN: &str = "latest_run_id";
/// Beside a job: the latest moment of its runs, which the runs that it depends on are measured by.
pub(crate) const LATEST_MOMENT: &str = "latest_run_moment";
/// Beside a job: how many of its runs have not ended.
pub(crate) const LIVE_RUNS: &str = "live_runs";
/// Beside a job: how many runs it has.
pub(crate) const RUNS: &str = "runs";

impl Entity for Job {
    const KIND: &'static str = "job";
}

impl Entity for JobVersion {
    const KIND: &'static str = "job_version";
}

impl Entity for JobDraft {
    const KIND: &'static str = "job_draft";
}

/// A key that belongs to a job of the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobKeyClaim {
    pub(crate) job_id: JobId,
}

impl Entity for JobKeyClaim {
    const KIND: &'static str = "job_key";
}

pub(crate) fn job_key(tenant: &Tenant, job: &JobId) -> Key {
    Key::of_tenant(tenant, "JOBS", job.as_str())
}

pub(crate) fn claim_key(tenant: &Tenant, key: &str) -> Key {
    Key::of_tenant(tenant, "JOB_KEYS", key)
}

fn versions_partition(tenant: &Tenant, job: &JobId) -> String {
    tenant_partition(tenant, format!("JOB#{job}#VERSIONS"))
}

pub(crate) fn version_key(tenant: &Tenant, job: &JobId, number: u32) -> Key {
    Key::global(versions_partition(tenant, job), format!("{number:08}"))
}

fn draft_key(tenant: &Tenant, job: &JobId) -> Key {
    Key::of_tenant(tenant, format!("JOB#{job}"), "DRAFT")
}

fn count_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#JOBS")
}

/// A job's latest run.
#[must_use]
pub fn latest_run(row: &Row<Job>) -> Option<JobRunId> {
    row.text(LATEST_RUN)?.parse().ok()
}

/// The latest moment of the runs that a job ever had, also when that run was deleted.
#[must_use]
pub fn latest_moment(row: &Row<Job>) -> Option<Timestamp> {
    row.text(LATEST_MOMENT)?.parse().ok()
}

/// How many runs of a job have not ended.
#[must_use]
pub fn live_runs(row: &Row<Job>) -> u64 {
    row.count(LIVE_RUNS)
}

/// How many runs a job has.
#[must_use]
pub fn run_count(row: &Row<Job>) -> u64 {
    row.count(RUNS)
}

/// What jobs point at.
#[derive(Debug, Default)]
pub struct JobLinks {
    /// Teams that some of them are shared with.
    pub teams: Vec<Row<Team>>,
    /// The latest run of each that has one.
    pub latest_runs: Vec<Row<JobRun>>,
    /// How many jobs there are in all.
    pub total: u64,
}

/// What a new job points at.
#[derive(Debug, Default)]
pub struct JobPrerequisites {
    /// Its cluster.
    pub cluster: Option<Row<Cluster>>,
    /// Those of its teams that there are.
    pub teams: HashMap<TeamId, Row<Team>>,
    /// Its saved query.
    pub query: Option<Row<SavedQuery>>,
}

impl Store {
    /// A job.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such job.
    pub async fn job(&self, tenant: &Tenant, job: &JobId) -> Result<Row<Job>> {
        self.get(&job_key(tenant, job)).await?.ok_or(Error::NotFound)
    }

    /// A page of the jobs, oldest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn jobs(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<Job>>> {
        self.page(&Listing::of(tenant_partition(tenant, "JOBS")), request).await
    }

    /// A page of those jobs that `keep` keeps, oldest first. It costs what it passes over, too. `kept_by` is what that is for
    /// markers.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn jobs_where(
        &self,
        tenant: &Tenant,
        request: &PageRequest,
        kept_by: KeptBy<'_>,
        keep: impl Fn(&Job) -> bool,
    ) -> Result<Page<Row<Job>>> {
        let listing = Listing::of(tenant_partition(tenant, "JOBS")).kept_by(kept_by);
        self.page_where(&listing, request, 1, |row: &Row<Job>| keep(&row.value)).await
    }

    /// The job that has a key, if any: two round trips.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn job_by_key(&self, tenant: &Tenant, key: &str) -> Result<Option<Row<Job>>> {
        let claim: Option<Row<JobKeyClaim>> = self.get(&claim_key(tenant, key)).await?;
        let Some(claim) = claim else { return Ok(None) };
        self.get(&job_key(tenant, &claim.value.job_id)).await
    }

    /// The ids of the jobs that have keys, in the order of these: one round trip. `None` for a key that no job has.
    pub(crate) async fn job_ids_by_keys(&self, tenant: &Tenant, keys: &[String]) -> Result<Vec<Option<JobId>>> {
        let claims: Vec<Key> = keys.iter().map(|key| claim_key(tenant, key)).collect();
        let mut batch = self.get_batch(claims.iter().cloned()).await?;
        let id = |key: &Key| Ok(batch.take::<JobKeyClaim>(key)?.map(|claim| claim.value.job_id));
        claims.iter().map(id).collect()
    }

    /// A job and its draft, if it has one: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such job.
    pub async fn job_and_draft(&self, tenant: &Tenant, job: &JobId) -> Result<(Row<Job>, Option<Row<JobDraft>>)> {
        let (job_key, draft_key) = (job_key(tenant, job), draft_key(tenant, job));
        let mut batch = self.get_batch([job_key.clone(), draft_key.clone()]).await?;
        let job = batch.take(&job_key)?.ok_or(Error::NotFound)?;
        Ok((job, batch.take(&draft_key)?))
    }

    /// A published version.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the job has no such version.
    pub async fn job_version(&self, tenant: &Tenant, job: &JobId, number: u32) -> Result<JobVersion> {
        let row: Option<Row<JobVersion>> = self.get(&version_key(tenant, job, number)).await?;
        Ok(row.ok_or(Error::NotFound)?.value)
    }

    /// A page of a job's published versions by number.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn job_versions(&self, tenant: &Tenant, job: &JobId, request: &PageRequest) -> Result<Page<JobVersion>> {
        let listing = Listing::of(versions_partition(tenant, job));
        Ok(self.page(&listing, request).await?.map(|row: Row<JobVersion>| row.value))
    }

    /// The saved query of a version, unless it is gone: a paused job does not keep its query from being deleted.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn query_of(&self, tenant: &Tenant, version: &JobVersion) -> Result<Option<Row<SavedQuery>>> {
        match version.query_id() {
            Some(query) => self.get(&query_key(tenant, query)).await,
            None => Ok(None),
        }
    }

    /// What jobs point at: one round trip for every 100 of it.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn links_of_jobs(&self, tenant: &Tenant, jobs: &[Row<Job>]) -> Result<JobLinks> {
        let teams: Vec<Key> =
            jobs.iter().flat_map(|row| &row.value.team_ids).map(|team| team_key(tenant, team)).collect();
        let runs: Vec<Key> =
            jobs.iter().filter_map(|row| Some(run_key(tenant, &row.value.id, &latest_run(row)?))).collect();
        let count_key = count_key(tenant);
        let mut batch = self.get_batch(teams.iter().chain(&runs).chain([&count_key]).cloned()).await?;
        let total = batch.count(&count_key, "n");
        let teams = take_teams(&mut batch, &teams)?;
        let latest_runs = runs.iter().filter_map(|key| batch.take(key).transpose()).collect::<Result<_>>()?;
        Ok(JobLinks { teams, latest_runs, total })
    }

    /// What a new job points at: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn job_prerequisites(
        &self,
        tenant: &Tenant,
        cluster: &ClusterId,
        teams: &[TeamId],
        query: Option<&QueryId>,
    ) -> Result<JobPrerequisites> {
        let cluster_key = cluster_key(tenant, cluster);
        let team_keys: Vec<Key> = teams.iter().map(|team| team_key(tenant, team)).collect();
        let query_key = query.map(|query| query_key(tenant, query));
        let keys = team_keys.iter().chain([&cluster_key]).chain(query_key.as_ref()).cloned();
        let mut batch = self.get_batch(keys).await?;
        let query = query_key.map(|key| batch.take(&key)).transpose()?.flatten();
        let teams = take_teams(&mut batch, &team_keys)?.into_iter().map(|row| (row.value.id.clone(), row)).collect();
        Ok(JobPrerequisites { cluster: batch.take(&cluster_key)?, teams, query })
    }

    /// Removes the versions of a job that is gone, in steps that can be repeated. True when nothing is left.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn erase_versions(&self, tenant: &Tenant, job: &JobId) -> Result<bool> {
        let request = PageRequest { limit: 90, ..PageRequest::default() };
        let page: Page<Row<JobVersion>> = self.page(&Listing::of(versions_partition(tenant, job)), &request).await?;
        if !page.rows.is_empty() {
            page.rows.iter().fold(self.telemetry(), |change, row| change.remove(&row.key)).commit().await?;
        }
        Ok(page.marker.is_none())
    }
}

/// What becomes of a job's saved query when the job is created or changed.
enum QueryUse<'j> {
    /// It runs the one that it ran, or none.
    AsBefore,
    /// It runs the one that it ran, and counts again after a pause: the query may be gone.
    Resumed(&'j QueryId),
    /// It did not run it before.
    Begun(&'j QueryId),
}

impl<'j> QueryUse<'j> {
    fn of(before: Option<&Job>, after: &'j Job) -> Self {
        match (before, after.query_id()) {
            (_, None) => Self::AsBefore,
            (Some(before), Some(query)) if before.query_id() == Some(query) => {
                let resumes = before.status == JobStatus::Paused && after.status == JobStatus::Active;
                if resumes { Self::Resumed(query) } else { Self::AsBefore }
            }
            (_, Some(query)) => Self::Begun(query),
        }
    }
}

impl Change<'_> {
    /// A new job with its first published version.
    pub fn create_job(self, tenant: &Tenant, job: &Job) -> Self {
        let taken = key_taken(&job.job_key);
        let used = || Error::internal("a job id that was used before");
        let claim = JobKeyClaim { job_id: job.id.clone() };
        let change = self
            .create(&claim_key(tenant, &job.job_key), &claim, taken)
            .put_scheduled_job(tenant, job, used())
            .create(&version_key(tenant, &job.id, job.current.number), &job.current, used())
            .list_job(tenant, job)
            .add(&count_key(tenant), "n", 1);
        match job.query_id() {
            Some(query) => change.link_job(tenant, query, &job.id, no_query()),
            None => change,
        }
    }

    /// A job's new settings beside its versions. What waits for a job with its new key is looked at again when the event is heard.
    pub fn replace_job(self, tenant: &Tenant, row: &Row<Job>, job: &Job) -> Self {
        let change = self.replace_scheduled_job(tenant, row, job);
        let change = if row.value.job_key == job.job_key {
            change
        } else {
            let claim = JobKeyClaim { job_id: job.id.clone() };
            change
                .create(&claim_key(tenant, &job.job_key), &claim, key_taken(&job.job_key))
                .remove(&claim_key(tenant, &row.value.job_key))
                .emit(Event::JobRenamed { job_id: job.id.clone() })
        };
        change.move_query(tenant, row, job, None, query_gone())
    }

    /// Another published version comes into force, which is there already. `left` is the query that the one before ran.
    pub fn activate_version(self, tenant: &Tenant, row: &Row<Job>, job: &Job, left: Option<&Row<SavedQuery>>) -> Self {
        self.replace_scheduled_job(tenant, row, job).move_query(tenant, row, job, left, query_gone())
    }

    /// A version is published and comes into force. `left` is the query that the one before ran.
    pub fn publish_version(self, tenant: &Tenant, row: &Row<Job>, job: &Job, left: Option<&Row<SavedQuery>>) -> Self {
        self.put_version(tenant, row, job).move_query(tenant, row, job, left, no_query())
    }

    /// A job's draft is published and comes into force. `left` is the query that the version before ran.
    pub fn publish_draft(
        self,
        tenant: &Tenant,
        (row, draft): (&Row<Job>, &Row<JobDraft>),
        job: &Job,
        left: Option<&Row<SavedQuery>>,
    ) -> Self {
        self.put_version(tenant, row, job).move_query(tenant, row, job, left, query_gone()).delete(draft)
    }

    fn put_version(self, tenant: &Tenant, row: &Row<Job>, job: &Job) -> Self {
        // A draft and its job are not read at one moment: the draft may be that of the version before.
        self.replace_scheduled_job(tenant, row, job).create(
            &version_key(tenant, &job.id, job.current.number),
            &job.current,
            changed_meanwhile(),
        )
    }

    /// The first state of a job's draft; `job` says that it has one.
    pub fn create_draft(self, tenant: &Tenant, row: &Row<Job>, job: &Job, draft: &JobDraft) -> Self {
        let used = Error::internal("a draft beside a job that has none");
        self.replace(row, job, Due::Keep).create(&draft_key(tenant, &job.id), draft, used)
    }

    /// A draft's new state.
    pub fn replace_draft(self, row: &Row<JobDraft>, draft: &JobDraft) -> Self {
        self.replace(row, draft, Due::Keep)
    }

    /// The end of a draft; `job` says that it has none.
    pub fn discard_draft(self, row: &Row<Job>, job: &Job, draft: &Row<JobDraft>) -> Self {
        self.replace(row, job, Due::Keep).delete(draft)
    }

    /// The saved queries that a job ran and runs know of it. Who is about to delete one that a job runs again has to look
    /// again.
    fn move_query(
        self,
        tenant: &Tenant,
        before: &Row<Job>,
        after: &Job,
        left: Option<&Row<SavedQuery>>,
        missing: Error,
    ) -> Self {
        let change = match left {
            Some(left) => self.unlink_job(left, &after.id),
            None => self,
        };
        match QueryUse::of(Some(&before.value), after) {
            QueryUse::AsBefore => change,
            QueryUse::Resumed(query) => change.touch_query(tenant, query, query_gone()),
            QueryUse::Begun(query) => change.link_job(tenant, query, &after.id, missing),
        }
    }

    /// What a job's creation or change asks of its saved query, where nothing is written.
    pub fn require_query(self, tenant: &Tenant, before: Option<&Job>, after: &Job) -> Self {
        match QueryUse::of(before, after) {
            QueryUse::AsBefore => self,
            QueryUse::Resumed(query) => self.require(&query_key(tenant, query), query_gone()),
            QueryUse::Begun(query) => self.require_room(tenant, query, no_query()),
        }
    }

    /// The jobs that a job depends on have to be there.
    pub fn require_job_keys<'a>(self, tenant: &Tenant, keys: impl IntoIterator<Item = &'a str>) -> Self {
        keys.into_iter()
            .enumerate()
            .fold(self, |change, (index, key)| change.require(&claim_key(tenant, key), unknown_job(index)))
    }

    /// The end of a job. Its runs and versions go when the event is heard; `query` is the saved query that it runs.
    pub fn delete_job(self, tenant: &Tenant, row: &Row<Job>, query: Option<&Row<SavedQuery>>) -> Self {
        let job = &row.value;
        let change = self
            .delete(row)
            .remove(&claim_key(tenant, &job.job_key))
            .remove(&draft_key(tenant, &job.id))
            .unlist_job(tenant, &job.id)
            .add(&count_key(tenant), "n", -1)
            .emit(Event::JobDeleted { job_id: job.id.clone() });
        match query {
            Some(query) => change.unlink_job(query, &job.id),
            None => change,
        }
    }
}

fn unknown_job(index: usize) -> Error {
    Error::invalid(format!("dependsOn[{index}].jobKey"), "is no job of this organization")
}

fn key_taken(key: &str) -> Error {
    Error::conflict("job_key_taken", format!("Another job has the key `{key}`. Choose another one."))
}

fn no_query() -> Error {
    Error::invalid("config.sql.queryId", "is no saved query that can serve one more job (100 at most)")
}

/// A version that was written before runs a saved query that it cannot run any more.
#[must_use]
pub fn query_gone() -> Error {
    let message = "The saved query of this version is gone, is not one that you can see, or serves 100 jobs. Publish a version with \
                   another source.";
    Error::conflict("query_gone", message)
}
