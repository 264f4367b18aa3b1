//! `POST /workloads/queries`: a reusable SQL text for some teams.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Member, Result, Tagged, created, text};
use mainsheet_auth::Relation;
use mainsheet_core::query::{Query, SavedQuery};
use mainsheet_core::{CatalogId, QueryId, TeamId};
use serde::Deserialize;
use utoipa::ToSchema;

/// A new saved query.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QueryCreate {
    /// Its name.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255)]
    name: String,
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
    /// The SQL text.
    #[garde(length(chars, min = 1, max = 8191), custom(text::lines))]
    #[schema(min_length = 1, max_length = 8191)]
    query_text: String,
    /// Words to find it by.
    #[serde(default)]
    #[garde(length(max = 50), inner(length(chars, min = 1, max = 64), custom(text::line)))]
    #[schema(max_items = 50)]
    tags: Vec<String>,
    /// The teams to share it with.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_items = 1, max_items = 50)]
    team_ids: Vec<TeamId>,
}

/// Create a saved query
///
/// The caller needs `CanManageQueries` over every team that it is shared with.
#[utoipa::path(
    post, path = "/workloads/queries", operation_id = "createQuery", tag = "queries",
    request_body = QueryCreate,
    responses((status = 201, description = "The new query.", body = Query, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageQueries")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    Member(caller): Member,
    Command { body, idempotent }: Command<QueryCreate>,
) -> Result<(StatusCode, Tagged<Query>)> {
    if let Some(earlier) = idempotent.earlier::<QueryId>()? {
        let row = app.store.query_saved(caller.tenant(), &earlier).await?;
        caller.require_in_any(Relation::CanViewQueries, Relation::CanViewQueries, &row.value.team_ids)?;
        return Ok(created(row.value.query, row.version));
    }
    caller.require_in_all(Relation::CanManageQueries, &body.team_ids)?;
    let id = QueryId::generate(app.now());
    let change = app.store.change(caller.audit("query.create", &id));
    let now = change.now();
    let query = Query {
        id,
        member_id: caller.member_id().clone(),
        name: body.name,
        description: body.description,
        catalog_schema: body.catalog_schema,
        catalog_id: body.catalog_id,
        query_text: body.query_text,
        tags: body.tags,
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    let saved = SavedQuery { team_ids: distinct(&body.team_ids), shared: BTreeMap::new(), job_ids: Vec::new(), query };
    change
        .require_teams(caller.tenant(), &body.team_ids)
        .require_catalog_of_query(caller.tenant(), &saved)
        .create_query(caller.tenant(), &saved)
        .idempotent(idempotent.request(), saved.query.id.as_str())
        .commit()
        .await?;
    Ok(created(saved.query, 1))
}

/// Each team once, in the order of first mention.
pub(crate) fn distinct(teams: &[TeamId]) -> Vec<TeamId> {
    let mut seen = std::collections::HashSet::new();
    teams.iter().filter(|team| seen.insert(*team)).cloned().collect()
}
