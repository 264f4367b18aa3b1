//! `GET /me/catalogs`: the catalogs that the caller reaches through teams.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, PageQuery, Query, Result};

use crate::catalog_view::{self, CatalogPage, SortBy};

/// The order of the list.
pub(crate) type Order = mainsheet_api::Order<SortBy>;

/// List my catalogs
///
/// Those that one of the caller's teams may use.
#[utoipa::path(
    get, path = "/me/catalogs", operation_id = "listMyCatalogs", tag = "catalogs",
    params(PageQuery, Order),
    responses((status = 200, description = "Some of the catalogs.", body = CatalogPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn mine(
    State(app): State<App>,
    Member(caller): Member,
    Query(query): Query<PageQuery>,
    Query(order): Query<Order>,
) -> Result<Json<CatalogPage>> {
    let mut rows = app.store.catalogs(caller.tenant()).await?;
    rows.retain(|row| row.value.teams.keys().any(|team| caller.sits_in(team)));
    catalog_view::sort(&mut rows, order.sort_by, order.sort_direction);
    Ok(Json(catalog_view::page(&app, &caller, &rows, &query).await?))
}
