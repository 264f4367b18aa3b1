//! `GET /workloads/catalogs/{catalog}/queries`: the saved queries that name a catalog.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, PageQuery, Query, Result};
use mainsheet_auth::Relation;
use mainsheet_auth::needs::CanViewQueries;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::CatalogFor;
use crate::view::{self, QueryIncluded, QueryItem};

/// Some of a catalog's queries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogQueryPage {
    /// How many of them the caller may see in all.
    total: u64,
    items: Vec<QueryItem>,
    included: QueryIncluded,
}

/// List the queries of a catalog
///
/// Those that name it as their catalog and that the caller may see, oldest first.
#[utoipa::path(
    get, path = "/workloads/catalogs/{catalog}/queries", operation_id = "listCatalogQueries", tag = "catalogs",
    params(("catalog" = mainsheet_core::CatalogId, Path, description = "The catalog."), PageQuery),
    responses((status = 200, description = "Some of the queries.", body = CatalogQueryPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewQueries")))
)]
pub(crate) async fn queries(
    State(app): State<App>,
    catalog: CatalogFor<CanViewQueries>,
    Query(query): Query<PageQuery>,
) -> Result<Json<CatalogQueryPage>> {
    let caller = &catalog.caller;
    let mut links = app.store.queries_of_catalog(caller.tenant(), &catalog.row.value.id).await?;
    links.retain(|link| caller.may_in_any(Relation::CanViewQueries, &link.team_ids));
    let shown = query.cut(links.iter().map(|link| &link.query_id));
    let rows = app.store.queries_named(caller.tenant(), shown).await?;
    let found = app.store.links_of_queries(caller.tenant(), &rows).await?;
    let (items, included) = view::queries(caller, rows, found);
    Ok(Json(CatalogQueryPage { total: links.len() as u64, items, included }))
}
