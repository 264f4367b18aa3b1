//! Saved queries.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use mainsheet_core::catalog::Catalog;
use mainsheet_core::job::Job;
use mainsheet_core::query::{MAX_JOBS, SavedQuery};
use mainsheet_core::team::Team;
use mainsheet_core::{Error, JobId, QueryId, Result};

use crate::catalogs::catalog_key;
use crate::change::{Due, update_of};
use crate::jobs::job_key;
use crate::key::tenant_partition;
use crate::row::{DATA, VERSION};
use crate::schema::{BY_NAME, BY_TIME};
use crate::teams::{take_teams, team_key};
use crate::{Change, Entity, Item, KeptBy, Key, Listing, Page, PageRequest, Row, Store, Tenant};

impl Entity for SavedQuery {
    const KIND: &'static str = "query";

    fn order(&self) -> Vec<(&'static str, String)> {
        // A sort key holds 1,024 bytes; 200 characters take 800 at most.
        let name: String = self.query.name.to_lowercase().chars().take(200).collect();
        vec![(BY_NAME, format!("{name}#{}", self.query.id)), (BY_TIME, self.query.updated_at.to_string())]
    }
}

/// The condition that a query is there and can serve one more job.
const HAS_ROOM: &str = "attribute_exists(pk) AND size(#data.jobIds) < :most";

/// The most jobs that a page of queries points at, unless its first query alone has more.
const MAX_LINKED_JOBS: usize = 200;

fn weight(query: &SavedQuery) -> usize {
    query.job_ids.len()
}

/// What queries are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryOrder {
    /// When they were created.
    Creation,
    /// Their names.
    Name,
    /// When they last changed.
    Change,
}

pub(crate) fn query_key(tenant: &Tenant, query: &QueryId) -> Key {
    Key::of_tenant(tenant, "QUERIES", query.as_str())
}

fn count_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#QUERIES")
}

/// What queries point at.
#[derive(Debug, Default)]
pub struct QueryLinks {
    /// Teams that some of them are shared with.
    pub teams: Vec<Row<Team>>,
    /// Jobs that run some of them.
    pub jobs: Vec<Row<Job>>,
    /// Catalogs that some of them name.
    pub catalogs: Vec<Row<Catalog>>,
    /// How many queries there are in all.
    pub total: u64,
}

impl Store {
    /// A saved query.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such query.
    pub async fn query_saved(&self, tenant: &Tenant, query: &QueryId) -> Result<Row<SavedQuery>> {
        self.get(&query_key(tenant, query)).await?.ok_or(Error::NotFound)
    }

    /// A page of the queries, oldest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn queries(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<SavedQuery>>> {
        let listing = Listing::of(tenant_partition(tenant, "QUERIES"));
        let page = self.page(&listing, request).await?;
        self.cut(&listing, request, page, MAX_LINKED_JOBS, weight).await
    }

    /// A page of those queries that `keep` keeps, in an order. It costs what it passes over, too. `kept_by` is what that is for
    /// markers.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn queries_where(
        &self,
        tenant: &Tenant,
        order: QueryOrder,
        descending: bool,
        request: &PageRequest,
        kept_by: KeptBy<'_>,
        keep: impl Fn(&SavedQuery) -> bool,
    ) -> Result<Page<Row<SavedQuery>>> {
        let listing = Listing::of(tenant_partition(tenant, "QUERIES")).descending(descending).kept_by(kept_by);
        let listing = match order {
            QueryOrder::Creation => listing,
            QueryOrder::Name => listing.ordered_by(BY_NAME),
            QueryOrder::Change => listing.ordered_by(BY_TIME),
        };
        let page = self.page_where(&listing, request, 1, |row: &Row<SavedQuery>| keep(&row.value)).await?;
        self.cut(&listing, request, page, MAX_LINKED_JOBS, weight).await
    }

    /// What queries point at: one round trip for every 100 of it.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn links_of_queries(&self, tenant: &Tenant, queries: &[Row<SavedQuery>]) -> Result<QueryLinks> {
        let saved = || queries.iter().map(|row| &row.value);
        let teams: Vec<Key> = saved().flat_map(|query| &query.team_ids).map(|team| team_key(tenant, team)).collect();
        let jobs: Vec<Key> = saved().flat_map(|query| &query.job_ids).map(|job| job_key(tenant, job)).collect();
        let catalogs: Vec<Key> =
            saved().filter_map(|query| query.query.catalog_id.as_ref()).map(|id| catalog_key(tenant, id)).collect();
        let count_key = count_key(tenant);
        let keys = teams.iter().chain(&jobs).chain(&catalogs).chain([&count_key]);
        let mut batch = self.get_batch(keys.cloned()).await?;
        let total = batch.count(&count_key, "n");
        let teams = take_teams(&mut batch, &teams)?;
        let jobs = jobs.iter().filter_map(|key| batch.take(key).transpose()).collect::<Result<_>>()?;
        let catalogs = catalogs.iter().filter_map(|key| batch.take(key).transpose()).collect::<Result<_>>()?;
        Ok(QueryLinks { teams, jobs, catalogs, total })
    }
}

impl Change<'_> {
    /// A new query.
    pub fn create_query(self, tenant: &Tenant, query: &SavedQuery) -> Self {
        let used = Error::internal("a query id that was used before");
        self.create(&query_key(tenant, &query.query.id), query, used).add(&count_key(tenant), "n", 1).link_catalog(
            tenant,
            None,
            Some(query),
        )
    }

    /// A query's new settings.
    pub fn replace_query(self, tenant: &Tenant, row: &Row<SavedQuery>, query: &SavedQuery) -> Self {
        self.replace(row, query, Due::Keep).link_catalog(tenant, Some(&row.value), Some(query))
    }

    /// The end of a query.
    pub fn delete_query(self, tenant: &Tenant, row: &Row<SavedQuery>) -> Self {
        self.delete(row).add(&count_key(tenant), "n", -1).link_catalog(tenant, Some(&row.value), None)
    }

    /// A query has to be there and has to have room for a job that would begin to run it.
    pub(crate) fn require_room(self, tenant: &Tenant, query: &QueryId, missing: Error) -> Self {
        let check = ConditionCheck::builder()
            .set_key(Some(query_key(tenant, query).to_item()))
            .condition_expression(HAS_ROOM)
            .expression_attribute_names("#data", DATA)
            .expression_attribute_values(":most", AttributeValue::N(MAX_JOBS.to_string()));
        self.check(check, missing)
    }

    /// A job that is active again runs a query; the query has to be there, and who is about to delete it has to look again.
    pub(crate) fn touch_query(self, tenant: &Tenant, query: &QueryId, missing: Error) -> Self {
        self.annotate(&query_key(tenant, query), Item::new(), &[(VERSION, 1)], missing)
    }

    /// A job runs a query no more.
    pub(crate) fn unlink_job(self, row: &Row<SavedQuery>, job: &JobId) -> Self {
        let mut query = row.value.clone();
        query.job_ids.retain(|linked| linked != job);
        self.replace(row, &query, Due::Keep)
    }

    /// A job begins to run a query; the query has to be there.
    pub(crate) fn link_job(self, tenant: &Tenant, query: &QueryId, job: &JobId, missing: Error) -> Self {
        let update = update_of(&query_key(tenant, query), Vec::new(), &[], &[("version", 1)])
            .update_expression("SET #data.jobIds = list_append(#data.jobIds, :job) ADD #a0 :a0")
            .condition_expression(HAS_ROOM)
            .expression_attribute_names("#data", DATA)
            .expression_attribute_values(":job", AttributeValue::L(vec![AttributeValue::S(job.to_string())]))
            .expression_attribute_values(":most", AttributeValue::N(MAX_JOBS.to_string()));
        self.update(update, missing)
    }
}
