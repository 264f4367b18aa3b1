//! `GET /workloads/queries`: all saved queries of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewQueries;
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::{self, QueryIncluded, QueryItem};

/// Some of the saved queries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueryPage {
    /// How many there are in all.
    total: u64,
    items: Vec<QueryItem>,
    included: QueryIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

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
    let total = links.total;
    let (items, included) = view::queries(&caller, page.rows, links);
    Ok(Json(QueryPage { total, items, included, marker: page.marker }))
}
