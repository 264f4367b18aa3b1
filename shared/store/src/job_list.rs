//! The list of an organization's jobs in which people find theirs: a small row for each job, with the teams that it is shared with
//! and its places in three orders. Passing over a job that somebody does not see costs some 200 bytes; the jobs themselves are read
//! for those alone that are shown.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::job::Job;
use mainsheet_core::job_run::JobRun;
use mainsheet_core::{Error, JobId, Result, TeamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{changed_meanwhile, update_of};
use crate::key::tenant_partition;
use crate::page::Room;
use crate::row::{DATA, VERSION, attribute};
use crate::schema::{BY_NAME, BY_TIME};
use crate::{Change, Entity, Item, KeptBy, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// What decides who sees a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedJob {
    team_ids: Vec<TeamId>,
}

impl ListedJob {
    fn of(job: &Job) -> Self {
        Self { team_ids: job.team_ids.clone() }
    }
}

impl Entity for ListedJob {
    const KIND: &'static str = "listed_job";
}

/// What jobs are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOrder {
    /// Their keys.
    Key,
    /// When they were created.
    Creation,
    /// When they were run last; when they were created, for those that never were.
    LatestRun,
}

fn listed_key(tenant: &Tenant, job: &JobId) -> Key {
    Key::of_tenant(tenant, "JOB_LIST", job.as_str())
}

fn by_time(moment: Timestamp) -> (String, AttributeValue) {
    (BY_TIME.to_owned(), AttributeValue::S(moment.to_string()))
}

fn by_name(job: &Job) -> (String, AttributeValue) {
    (BY_NAME.to_owned(), AttributeValue::S(job.job_key.clone()))
}

impl Store {
    /// A page of those jobs that are shared with the right teams, in an order: one query, one more for each megabyte of the list that
    /// is passed over, and one batch read. `one_in` is how many jobs there may be for each that is right; it bounds what the first
    /// query reads. `kept_by` is what the right teams are for markers.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn jobs_shared(
        &self,
        tenant: &Tenant,
        (order, descending): (JobOrder, bool),
        request: &PageRequest,
        one_in: u32,
        kept_by: KeptBy<'_>,
        is_right: impl Fn(&[TeamId]) -> bool,
    ) -> Result<Page<Row<Job>>> {
        let listing = Listing::of(tenant_partition(tenant, "JOB_LIST")).descending(descending).kept_by(kept_by);
        let listing = match order {
            JobOrder::Creation => listing,
            JobOrder::Key => listing.ordered_by(BY_NAME),
            JobOrder::LatestRun => listing.ordered_by(BY_TIME),
        };
        let keep = |row: &Row<ListedJob>| is_right(&row.value.team_ids);
        let listed = self.page_where(&listing, request, one_in, keep).await?;
        let keys: Vec<Key> = listed.rows.iter().map(|row| Key::of_tenant(tenant, "JOBS", &row.key.sk)).collect();
        let mut batch = self.get_batch(keys.iter().cloned()).await?;
        let (mut rows, mut room) = (Vec::with_capacity(keys.len()), Room::of_a_page());
        for (index, key) in keys.iter().enumerate() {
            let Some(item) = batch.take_item(key) else { continue };
            if !room.takes_item(&item, rows.len()) {
                let last = listed.rows[..index].last().map(Row::attributes);
                return Ok(Page::of(rows, self.cut_off(&listing, request, last).await?));
            }
            let row: Row<Job> = Row::of_item(item)?;
            if is_right(&row.value.team_ids) {
                rows.push(row);
            }
        }
        Ok(listed.with_rows(rows))
    }
}

impl Change<'_> {
    /// A new job stands in the list.
    pub(crate) fn list_job(self, tenant: &Tenant, job: &Job) -> Self {
        let used = Error::internal("a job id that was used before");
        let places = Item::from([by_name(job), by_time(job.created_at)]);
        self.create_with(&listed_key(tenant, &job.id), &ListedJob::of(job), places, used)
    }

    /// A job that changed stands there with its teams and its key.
    pub(crate) fn relist_job(self, tenant: &Tenant, before: &Job, job: &Job) -> Self {
        if (&before.job_key, &before.team_ids) == (&job.job_key, &job.team_ids) {
            return self;
        }
        let data = match attribute(&ListedJob::of(job)) {
            Ok(data) => data,
            Err(error) => return self.with_defect(error),
        };
        let sets = vec![by_name(job), (DATA.to_owned(), data)];
        let update = update_of(&listed_key(tenant, &job.id), sets, &[], &[(VERSION, 1)]);
        self.update(update.condition_expression("attribute_exists(pk)"), changed_meanwhile())
    }

    /// A run was created: its job is the first among those that ran.
    pub(crate) fn list_first(self, tenant: &Tenant, run: &JobRun) -> Self {
        let places = Item::from([by_time(run.created_at)]);
        self.annotate(&listed_key(tenant, &run.job_id), places, &[], changed_meanwhile())
    }

    /// A job that is gone stands there no more.
    pub(crate) fn unlist_job(self, tenant: &Tenant, job: &JobId) -> Self {
        self.remove(&listed_key(tenant, job))
    }
}
