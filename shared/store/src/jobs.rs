//! Jobs and their published versions.

use std::collections::HashMap;

use mainsheet_core::cluster::Cluster;
use mainsheet_core::job::{Job, JobVersion};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::query::SavedQuery;
use mainsheet_core::team::Team;
use mainsheet_core::{ClusterId, Error, JobId, JobRunId, QueryId, Result, TeamId};
use serde::{Deserialize, Serialize};

use crate::change::Due;
use crate::clusters::cluster_key;
use crate::job_runs::run_key;
use crate::key::tenant_partition;
use crate::outbox::Event;
use crate::queries::query_key;
use crate::schema::BY_NAME;
use crate::teams::{take_teams, team_key};
use crate::{Change, Entity, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// Beside a job: its latest run.
pub(crate) const LATEST_RUN: &str = "latest_run_id";
/// Beside a job: how many runs it has.
pub(crate) const RUNS: &str = "runs";

impl Entity for Job {
    const KIND: &'static str = "job";

    fn order(&self) -> Vec<(&'static str, String)> {
        vec![(BY_NAME, self.job_key.clone())]
    }
}

impl Entity for JobVersion {
    const KIND: &'static str = "job_version";
}

/// A key that belongs to a job of the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobKeyClaim {
    job_id: JobId,
}

impl Entity for JobKeyClaim {
    const KIND: &'static str = "job_key";
}

pub(crate) fn job_key(tenant: &Tenant, job: &JobId) -> Key {
    Key::of_tenant(tenant, "JOBS", job.as_str())
}

fn claim_key(tenant: &Tenant, key: &str) -> Key {
    Key::of_tenant(tenant, "JOB_KEYS", key)
}

fn versions_partition(tenant: &Tenant, job: &JobId) -> String {
    tenant_partition(tenant, format!("JOB#{job}#VERSIONS"))
}

pub(crate) fn version_key(tenant: &Tenant, job: &JobId, number: u32) -> Key {
    Key::global(versions_partition(tenant, job), format!("{number:08}"))
}

fn count_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#JOBS")
}

/// A job's latest run.
#[must_use]
pub fn latest_run(row: &Row<Job>) -> Option<JobRunId> {
    row.text(LATEST_RUN)?.parse().ok()
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

impl Change<'_> {
    /// A new job with its first published version.
    pub fn create_job(self, tenant: &Tenant, job: &Job) -> Self {
        let taken =
            Error::conflict("job_key_taken", format!("Another job has the key `{}`. Choose another one.", job.job_key));
        let used = || Error::internal("a job id that was used before");
        let claim = JobKeyClaim { job_id: job.id.clone() };
        let change = self
            .create(&claim_key(tenant, &job.job_key), &claim, taken)
            .create(&job_key(tenant, &job.id), job, used())
            .create(&version_key(tenant, &job.id, job.current.number), &job.current, used())
            .add(&count_key(tenant), "n", 1);
        match job.query_id() {
            Some(query) => change.link_job(tenant, query, &job.id),
            None => change,
        }
    }

    /// The jobs that a job depends on have to be there.
    pub fn require_job_keys<'a>(self, tenant: &Tenant, keys: impl IntoIterator<Item = &'a str>) -> Self {
        keys.into_iter().enumerate().fold(self, |change, (index, key)| {
            let unknown = Error::invalid(format!("dependsOn[{index}].jobKey"), "is no job of this organization");
            change.require(&claim_key(tenant, key), unknown)
        })
    }

    /// The end of a job. Its runs and versions go when the event is heard; `query` is the saved query that it runs.
    pub fn delete_job(self, tenant: &Tenant, row: &Row<Job>, query: Option<&Row<SavedQuery>>) -> Self {
        let job = &row.value;
        let change = self
            .delete(row)
            .remove(&claim_key(tenant, &job.job_key))
            .add(&count_key(tenant), "n", -1)
            .emit(Event::JobDeleted { job_id: job.id.clone() });
        let Some(query) = query else { return change };
        let mut unlinked = query.value.clone();
        unlinked.job_ids.retain(|linked| *linked != job.id);
        change.replace(query, &unlinked, Due::Keep)
    }
}
