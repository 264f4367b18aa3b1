//! `GET /workloads/catalogs`: all catalogs of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, PageQuery, Permitted, Query, Result, SortDirection};
use mainsheet_auth::needs::CanViewCatalogs;

use crate::catalog_view::{self, CatalogPage, SortBy};

/// List catalogs
///
/// By name.
#[utoipa::path(
    get, path = "/workloads/catalogs", operation_id = "listCatalogs", tag = "catalogs",
    params(PageQuery),
    responses((status = 200, description = "Some of the catalogs.", body = CatalogPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewCatalogs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewCatalogs>,
    Query(query): Query<PageQuery>,
) -> Result<Json<CatalogPage>> {
    let mut rows = app.store.catalogs(caller.tenant()).await?;
    catalog_view::sort(&mut rows, SortBy::Name, SortDirection::Asc);
    Ok(Json(catalog_view::page(&app, &caller, &rows, &query).await?))
}
