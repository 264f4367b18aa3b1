//! `GET /workloads/queries/{query}`: one query with its teams and jobs.

use axum::extract::State;
use mainsheet_api::{App, Result, Tagged};
use mainsheet_auth::needs::CanViewQueries;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::QueryFor;
use crate::view::{self, QueryIncluded, QueryItem};

/// One saved query.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueryDetail {
    item: Option<QueryItem>,
    included: QueryIncluded,
}

/// Show a saved query
#[utoipa::path(
    get, path = "/workloads/queries/{query}", operation_id = "getQuery", tag = "queries",
    params(("query" = mainsheet_core::QueryId, Path, description = "The query.")),
    responses((status = 200, description = "The query.", body = QueryDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewQueries")))
)]
pub(crate) async fn get(State(app): State<App>, query: QueryFor<CanViewQueries>) -> Result<Tagged<QueryDetail>> {
    let version = query.row.version;
    let rows = vec![query.row];
    let links = app.store.links_of_queries(query.caller.tenant(), &rows).await?;
    let (mut items, included) = view::queries(&query.caller, rows, links);
    Ok(Tagged { body: QueryDetail { item: items.pop(), included }, version })
}
