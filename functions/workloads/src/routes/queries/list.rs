//! `GET /workloads/queries`: all saved queries of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewQueries;

use crate::view::QueryPage;

/// List saved queries
///
/// Oldest first.
#[utoipa::path(
    get, path = "/workloads/queries", operation_id = "listQueries", tag = "queries",
    params(ListQuery),
    responses((status = 200, description = "Some of the queries.", body = QueryPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewQueries")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewQueries>,
    Query(query): Query<ListQuery>,
) -> Result<Json<QueryPage>> {
    let page = app.store.queries(caller.tenant(), &query.request()?).await?;
    let links = app.store.links_of_queries(caller.tenant(), &page.rows).await?;
    let total = Some(links.total);
    Ok(Json(QueryPage::of(&caller, page, links, total)))
}
