//! Catalogs as the contract shows them: ids in `items`, each entity once in `included`.

use std::collections::BTreeSet;

use mainsheet_api::provisioned::ProvisionedCatalogView;
use mainsheet_api::{App, PageQuery, Result, SortDirection};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::catalog::{Catalog, CatalogConfig, CatalogProvider};
use mainsheet_core::team::TeamWithCount;
use mainsheet_core::{CatalogId, MemberId, TeamId, Timestamp};
use mainsheet_store::Row;
use mainsheet_store::teams::with_count;
use serde::Serialize;
use utoipa::ToSchema;

/// A catalog.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Catalog)]
pub(crate) struct CatalogView {
    id: CatalogId,
    /// What SQL calls it.
    #[schema(min_length = 1, max_length = 255, examples("sales-catalog"))]
    name: String,
    provider: CatalogProvider,
    /// Its settings, without what it is opened with.
    config: CatalogConfig,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl From<&Catalog> for CatalogView {
    fn from(catalog: &Catalog) -> Self {
        let provider = catalog.settings.provider();
        let token_set = provider.takes_token().then_some(catalog.token.is_some());
        Self {
            id: catalog.id.clone(),
            name: catalog.name.clone(),
            provider,
            config: CatalogConfig { token_set, ..catalog.settings.config() },
            created_at: catalog.created_at,
            created_by: catalog.created_by.clone(),
            updated_at: catalog.updated_at,
            updated_by: catalog.updated_by.clone(),
        }
    }
}

/// A catalog's place in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CatalogItem {
    catalog_id: CatalogId,
    team_ids: Vec<TeamId>,
    /// The provisioned catalog behind it, if there is one.
    external_catalog_ids: Vec<CatalogId>,
}

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CatalogIncluded {
    catalogs: Vec<CatalogView>,
    teams: Vec<TeamWithCount>,
    /// For those who may see every catalog.
    external_catalogs: Vec<ProvisionedCatalogView>,
}

/// Some of the catalogs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogPage {
    /// How many there are in all.
    total: u64,
    items: Vec<CatalogItem>,
    included: CatalogIncluded,
}

/// What catalogs can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SortBy {
    /// Their names, whatever their case.
    #[default]
    Name,
    /// When they last changed.
    UpdatedAt,
}

/// Puts catalogs in order.
pub(crate) fn sort(rows: &mut [Row<Catalog>], by: SortBy, direction: SortDirection) {
    match by {
        SortBy::Name => rows.sort_by_cached_key(|row| (row.value.name.to_lowercase(), row.value.id.clone())),
        SortBy::UpdatedAt => rows.sort_by_key(|row| (row.value.updated_at, row.value.id.clone())),
    }
    if direction == SortDirection::Desc {
        rows.reverse();
    }
}

/// The wanted part of some catalogs with the teams that they are shared with and what is behind them: one round trip.
pub(crate) async fn page(app: &App, caller: &Caller, rows: &[Row<Catalog>], query: &PageQuery) -> Result<CatalogPage> {
    let shown: Vec<&Catalog> = query.cut(rows.iter()).map(|row| &row.value).collect();
    let teams: BTreeSet<&TeamId> = shown.iter().flat_map(|catalog| catalog.teams.keys()).collect();
    let mut behind: Vec<&CatalogId> = Vec::new();
    if caller.may(Relation::CanViewCatalogs) {
        behind.extend(shown.iter().filter(|catalog| catalog.provisioned).map(|catalog| &catalog.id));
    }
    let links = app.store.links_of_catalogs(caller.tenant(), teams, behind).await?;
    let item = |catalog: &&Catalog| CatalogItem {
        catalog_id: catalog.id.clone(),
        team_ids: catalog.teams.keys().cloned().collect(),
        external_catalog_ids: catalog.provisioned.then(|| catalog.id.clone()).into_iter().collect(),
    };
    let items = shown.iter().map(item).collect();
    let included = CatalogIncluded {
        catalogs: shown.into_iter().map(CatalogView::from).collect(),
        teams: links.teams.into_iter().map(with_count).collect(),
        external_catalogs: links.provisioned.iter().map(|row| ProvisionedCatalogView::from(&row.value)).collect(),
    };
    Ok(CatalogPage { total: rows.len() as u64, items, included })
}

/// Whether somebody may see a catalog.
pub(crate) fn sees(caller: &Caller, catalog: &Catalog) -> bool {
    caller.may(Relation::CanViewCatalogs)
        || catalog.teams.keys().any(|team| caller.may_in(Relation::CanViewCatalogs, team))
}
