//! Catalogs, and which saved queries name them.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use mainsheet_core::catalog::{Catalog, CatalogSettings, CatalogTeam};
use mainsheet_core::job::JobConfig;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::query::SavedQuery;
use mainsheet_core::team::Team;
use mainsheet_core::{CatalogId, Error, QueryId, Result, TeamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::change::{Due, changed_meanwhile, retry_races, update_of};
use crate::key::tenant_partition;
use crate::provisioned::provisioned_key;
use crate::queries::query_key;
use crate::row::DATA;
use crate::teams::{take_teams, team_key};
use crate::{Change, Entity, Key, Listing, Row, Store, Tenant};

/// The most catalogs that an organization can have. Lists of them are read whole.
pub const MAX_CATALOGS: u64 = 100;

impl Entity for Catalog {
    const KIND: &'static str = "catalog";
}

/// A name that belongs to a catalog of the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameClaim {
    catalog_id: CatalogId,
}

impl Entity for NameClaim {
    const KIND: &'static str = "catalog_name";
}

/// A saved query that names a catalog, and the teams that it is shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogQuery {
    /// The query.
    pub query_id: QueryId,
    /// As the query itself has them.
    pub team_ids: Vec<TeamId>,
}

impl Entity for CatalogQuery {
    const KIND: &'static str = "catalog_query";
}

/// What catalogs point at.
#[derive(Debug, Default)]
pub struct CatalogLinks {
    /// Teams that some of them are shared with.
    pub teams: Vec<Row<Team>>,
    /// The provisioned catalogs behind some of them.
    pub provisioned: Vec<Row<ProvisionedCatalog>>,
}

pub(crate) fn catalog_key(tenant: &Tenant, catalog: &CatalogId) -> Key {
    Key::of_tenant(tenant, "CATALOGS", catalog.as_str())
}

fn name_key(tenant: &Tenant, name: &str) -> Key {
    Key::of_tenant(tenant, "CATALOG_NAMES", name.to_lowercase())
}

fn count_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#CATALOGS")
}

fn queries_partition(tenant: &Tenant, catalog: &CatalogId) -> String {
    tenant_partition(tenant, format!("CATALOG#{catalog}#QUERIES"))
}

fn link_key(tenant: &Tenant, catalog: &CatalogId, query: &QueryId) -> Key {
    Key::global(queries_partition(tenant, catalog), query.as_str())
}

impl Store {
    /// A catalog.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such catalog.
    pub async fn catalog(&self, tenant: &Tenant, catalog: &CatalogId) -> Result<Row<Catalog>> {
        self.get(&catalog_key(tenant, catalog)).await?.ok_or(Error::NotFound)
    }

    /// All catalogs of the tenant, at most [`MAX_CATALOGS`].
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn catalogs(&self, tenant: &Tenant) -> Result<Vec<Row<Catalog>>> {
        self.whole(&Listing::of(tenant_partition(tenant, "CATALOGS"))).await
    }

    /// Those of the named catalogs that there are, in that order: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn catalogs_named<'a>(
        &self,
        tenant: &Tenant,
        catalogs: impl IntoIterator<Item = &'a CatalogId>,
    ) -> Result<Vec<Row<Catalog>>> {
        let keys: Vec<Key> = catalogs.into_iter().map(|catalog| catalog_key(tenant, catalog)).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        keys.iter().filter_map(|key| batch.take(key).transpose()).collect()
    }

    /// Those of the named teams and provisioned catalogs that there are: one round trip for every 100 of them.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn links_of_catalogs<'a>(
        &self,
        tenant: &Tenant,
        teams: impl IntoIterator<Item = &'a TeamId>,
        provisioned: impl IntoIterator<Item = &'a CatalogId>,
    ) -> Result<CatalogLinks> {
        let teams: Vec<Key> = teams.into_iter().map(|team| team_key(tenant, team)).collect();
        let provisioned: Vec<Key> =
            provisioned.into_iter().map(|id| provisioned_key::<ProvisionedCatalog>(tenant, id)).collect();
        let mut batch = self.get_batch(teams.iter().chain(&provisioned).cloned()).await?;
        let teams = take_teams(&mut batch, &teams)?;
        let provisioned = provisioned.iter().filter_map(|key| batch.take(key).transpose()).collect::<Result<_>>()?;
        Ok(CatalogLinks { teams, provisioned })
    }

    /// A provisioned catalog, and the logical one that is in front of it, if it is there: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such provisioned catalog.
    pub async fn catalog_faces(
        &self,
        tenant: &Tenant,
        catalog: &CatalogId,
    ) -> Result<(Row<ProvisionedCatalog>, Option<Row<Catalog>>)> {
        let (provisioned, logical) =
            (provisioned_key::<ProvisionedCatalog>(tenant, catalog), catalog_key(tenant, catalog));
        let mut batch = self.get_batch([provisioned.clone(), logical.clone()]).await?;
        Ok((batch.take(&provisioned)?.ok_or(Error::NotFound)?, batch.take(&logical)?))
    }

    /// A logical catalog comes to stand in front of a provisioned one. Repeated, nothing happens.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such provisioned catalog.
    pub async fn publish_provisioned_catalog(
        &self,
        tenant: &Tenant,
        catalog: &CatalogId,
        settings: &CatalogSettings,
    ) -> Result<()> {
        retry_races(|| async {
            let (provisioned, logical) = self.catalog_faces(tenant, catalog).await?;
            if logical.is_some() {
                return Ok(());
            }
            let change = self.change(Audit::of_platform(tenant, "catalog.publish", catalog));
            let logical = logical_catalog(&provisioned.value, settings, change.now());
            change.create(&catalog_key(tenant, catalog), &logical, changed_meanwhile()).commit().await
        })
        .await
    }

    /// The logical catalog in front of a provisioned one goes. Repeated, nothing happens.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn withdraw_provisioned_catalog(&self, tenant: &Tenant, catalog: &CatalogId) -> Result<()> {
        retry_races(|| async {
            let Some(row) = self.get::<Catalog>(&catalog_key(tenant, catalog)).await? else { return Ok(()) };
            self.change(Audit::of_platform(tenant, "catalog.withdraw", catalog)).delete(&row).commit().await
        })
        .await
    }

    /// The saved queries that name a catalog, oldest first: one query for every megabyte, which is several thousand of them.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn queries_of_catalog(&self, tenant: &Tenant, catalog: &CatalogId) -> Result<Vec<CatalogQuery>> {
        let rows: Vec<Row<CatalogQuery>> = self.whole(&Listing::of(queries_partition(tenant, catalog))).await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// Those of the named queries that there are, in that order: one round trip for every 100 of them.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn queries_named<'a>(
        &self,
        tenant: &Tenant,
        queries: impl IntoIterator<Item = &'a QueryId>,
    ) -> Result<Vec<Row<SavedQuery>>> {
        let keys: Vec<Key> = queries.into_iter().map(|query| query_key(tenant, query)).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        keys.iter().filter_map(|key| batch.take(key).transpose()).collect()
    }
}

/// The logical catalog in front of a provisioned one, as it begins.
fn logical_catalog(catalog: &ProvisionedCatalog, settings: &CatalogSettings, now: Timestamp) -> Catalog {
    let by = &catalog.provisioning.created_by;
    let link = CatalogTeam { created_at: now, created_by: by.clone() };
    Catalog {
        id: catalog.id.clone(),
        name: catalog.name.clone(),
        settings: settings.clone(),
        token: None,
        provisioned: true,
        teams: catalog.team_ids.iter().map(|team| (team.clone(), link.clone())).collect(),
        created_at: now,
        created_by: by.clone(),
        updated_at: now,
        updated_by: by.clone(),
    }
}

impl Change<'_> {
    /// A new catalog.
    pub fn create_catalog(self, tenant: &Tenant, catalog: &Catalog) -> Self {
        let used = Error::internal("a catalog id that was used before");
        self.claim_catalog(tenant, &catalog.id, &catalog.name).create(&catalog_key(tenant, &catalog.id), catalog, used)
    }

    /// A catalog's name becomes its own, and its place among the [`MAX_CATALOGS`] of the organization.
    pub(crate) fn claim_catalog(self, tenant: &Tenant, catalog: &CatalogId, name: &str) -> Self {
        self.claim_catalog_name(tenant, catalog, name).count_catalog(tenant)
    }

    /// A catalog's name is free again, and its place.
    pub(crate) fn release_catalog(self, tenant: &Tenant, name: &str) -> Self {
        self.remove(&name_key(tenant, name)).add(&count_key(tenant), "n", -1)
    }

    /// A provisioned catalog has another name, and so has the logical one that is in front of it, if it is there.
    pub fn rename_provisioned_catalog(
        self,
        tenant: &Tenant,
        catalog: &ProvisionedCatalog,
        logical: Option<&Row<Catalog>>,
        name: &str,
    ) -> Self {
        if let Some(row) = logical {
            let renamed = Catalog { name: name.to_owned(), updated_at: self.now(), ..row.value.clone() };
            return self.replace_catalog(tenant, row, &renamed);
        }
        let (before, after) = (name_key(tenant, &catalog.name), name_key(tenant, name));
        if before == after { self } else { self.claim_catalog_name(tenant, &catalog.id, name).remove(&before) }
    }

    /// A catalog's new settings, and its new name where it has another one.
    pub fn replace_catalog(self, tenant: &Tenant, row: &Row<Catalog>, catalog: &Catalog) -> Self {
        let (before, after) = (name_key(tenant, &row.value.name), name_key(tenant, &catalog.name));
        let change = if before == after {
            self
        } else {
            self.claim_catalog_name(tenant, &catalog.id, &catalog.name).remove(&before)
        };
        change.replace(row, catalog, Due::Keep)
    }

    /// The end of a catalog. Queries that name it go on naming it.
    pub fn delete_catalog(self, tenant: &Tenant, row: &Row<Catalog>) -> Self {
        self.delete(row).release_catalog(tenant, &row.value.name)
    }

    fn claim_catalog_name(self, tenant: &Tenant, catalog: &CatalogId, name: &str) -> Self {
        let taken = Error::conflict("catalog_name_taken", "Another catalog has this name. Choose another one.");
        self.create(&name_key(tenant, name), &NameClaim { catalog_id: catalog.clone() }, taken)
    }

    fn count_catalog(self, tenant: &Tenant) -> Self {
        let update = update_of(&count_key(tenant), Vec::new(), &[], &[("n", 1)])
            .condition_expression("attribute_not_exists(n) OR n < :most")
            .expression_attribute_values(":most", AttributeValue::N(MAX_CATALOGS.to_string()));
        let full = Error::conflict("too_many_catalogs", "An organization can have 100 catalogs. Delete one first.");
        self.update(update, full)
    }

    /// The catalogs that a job's configuration names, and that of its saved query, have to be shared with one of its teams; the
    /// answer names the field that says otherwise.
    pub fn require_catalogs(
        self,
        tenant: &Tenant,
        config: &JobConfig,
        query: Option<&SavedQuery>,
        teams: &[TeamId],
    ) -> Self {
        let engine = config.lakesail.as_ref();
        let named = engine.into_iter().flat_map(|engine| &engine.catalog_ids);
        let named = named.enumerate().map(|(index, id)| (format!("config.lakesail.catalogIds[{index}]"), id));
        let default = engine.and_then(|engine| engine.default_catalog_id.as_ref());
        let default = default.map(|id| ("config.lakesail.defaultCatalogId".to_owned(), id));
        // The saved query's catalog counts only where the job has no default of its own.
        let of_query = query.and_then(|saved| saved.query.catalog_id.as_ref()).filter(|_| default.is_none());
        let of_query = of_query.map(|id| ("config.sql.queryId".to_owned(), id));
        let mut seen = Vec::new();
        named.chain(default).chain(of_query).fold(self, |change, (field, id)| {
            // A transaction touches no row twice.
            if seen.contains(&id) {
                return change;
            }
            seen.push(id);
            let refused = if field == "config.sql.queryId" {
                "names a catalog that is not shared with a team of the job"
            } else {
                "is no catalog that is shared with a team of the job"
            };
            change.require_shared_catalog(tenant, id, teams, Error::invalid(field, refused))
        })
    }

    /// A catalog that a saved query names has to be shared with one of its teams.
    pub fn require_catalog_of_query(self, tenant: &Tenant, query: &SavedQuery) -> Self {
        let Some(catalog) = &query.query.catalog_id else { return self };
        let refused = Error::invalid("catalogId", "is no catalog that is shared with a team of the query");
        self.require_shared_catalog(tenant, catalog, &query.team_ids, refused)
    }

    fn require_shared_catalog(self, tenant: &Tenant, catalog: &CatalogId, teams: &[TeamId], refused: Error) -> Self {
        let names: Vec<String> =
            (0..teams.len()).map(|index| format!("attribute_exists(#data.teams.#t{index})")).collect();
        let mut check = ConditionCheck::builder()
            .set_key(Some(catalog_key(tenant, catalog).to_item()))
            .condition_expression(names.join(" OR "))
            .expression_attribute_names("#data", DATA);
        for (index, team) in teams.iter().enumerate() {
            check = check.expression_attribute_names(format!("#t{index}"), team.as_str());
        }
        self.check(check, refused)
    }

    /// Keeps the list of a catalog's queries in step with a query: `before` and `after` are the query as it was and will be.
    pub(crate) fn link_catalog(self, tenant: &Tenant, before: Option<&SavedQuery>, after: Option<&SavedQuery>) -> Self {
        fn link(saved: &SavedQuery) -> Option<(&CatalogId, CatalogQuery)> {
            let link = CatalogQuery { query_id: saved.query.id.clone(), team_ids: saved.team_ids.clone() };
            Some((saved.query.catalog_id.as_ref()?, link))
        }
        let (before, after) = (before.and_then(link), after.and_then(link));
        if before == after {
            return self;
        }
        let change = match &before {
            Some((catalog, link)) if after.as_ref().is_none_or(|(now, _)| now != catalog) => {
                self.remove(&link_key(tenant, catalog, &link.query_id))
            }
            _ => self,
        };
        match &after {
            Some((catalog, link)) => change.overwrite(&link_key(tenant, catalog, &link.query_id), link),
            None => change,
        }
    }
}
