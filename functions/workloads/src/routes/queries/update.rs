//! `PATCH /workloads/queries/{query}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Result, Tagged, text};
use mainsheet_auth::needs::CanManageQueries;
use mainsheet_core::CatalogId;
use mainsheet_core::query::Query;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::QueryFor;

/// What to change of a saved query. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QueryUpdate {
    /// Its name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// What it is for.
    #[garde(inner(length(chars, max = 1023)), custom(text::optional_lines))]
    #[schema(max_length = 1023)]
    description: Option<String>,
    /// The schema that unqualified table names mean.
    #[serde(rename = "catalog_schema")]
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    catalog_schema: Option<String>,
    /// The catalog that unqualified schema names mean; shared with one of the query's teams.
    #[garde(skip)]
    catalog_id: Option<CatalogId>,
    /// The SQL text. Jobs that run the query take it up at their next run.
    #[garde(inner(length(chars, min = 1, max = 8191)), custom(text::optional_lines))]
    #[schema(min_length = 1, max_length = 8191)]
    query_text: Option<String>,
    /// Words to find it by.
    #[garde(inner(length(max = 50), inner(length(chars, min = 1, max = 64), custom(text::line))))]
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
}

/// Change a saved query
#[utoipa::path(
    patch, path = "/workloads/queries/{query}", operation_id = "updateQuery", tag = "queries",
    params(("query" = mainsheet_core::QueryId, Path, description = "The query."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = QueryUpdate,
    responses((status = 200, description = "The changed query.", body = Query, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageQueries")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    query: QueryFor<CanManageQueries>,
    if_match: IfMatch,
    Body(body): Body<QueryUpdate>,
) -> Result<Tagged<Query>> {
    let (caller, row) = (&query.caller, &query.row);
    if_match.check(row.version)?;
    let change = app.store.change(caller.audit("query.update", &row.value.query.id));
    let mut saved = row.value.clone();
    let query = &mut saved.query;
    query.name = body.name.unwrap_or_else(|| query.name.clone());
    query.description = body.description.or_else(|| query.description.clone());
    query.catalog_schema = body.catalog_schema.or_else(|| query.catalog_schema.clone());
    let names_catalog = body.catalog_id.is_some();
    query.catalog_id = body.catalog_id.or_else(|| query.catalog_id.clone());
    query.query_text = body.query_text.unwrap_or_else(|| query.query_text.clone());
    query.tags = body.tags.unwrap_or_else(|| query.tags.clone());
    query.updated_at = change.now();
    query.updated_by = caller.member_id().clone();
    let change = if names_catalog { change.require_catalog_of_query(caller.tenant(), &saved) } else { change };
    change.replace_query(caller.tenant(), row, &saved).commit().await?;
    Ok(Tagged { body: saved.query, version: row.version + 1 })
}
