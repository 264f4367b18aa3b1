//! `GET /workloads/teams/{team}/queries`: the saved queries that are shared with a team.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Query, Result};
use mainsheet_auth::needs::CanViewQueries;
use mainsheet_core::query::SavedQuery;
use mainsheet_store::KeptBy;
use mainsheet_store::queries::QueryOrder;

use crate::access::TeamFor;
use crate::view::{QueryPage, total_of};

/// List the saved queries of a team
///
/// Oldest first.
#[utoipa::path(
    get, path = "/workloads/teams/{team}/queries", operation_id = "listTeamQueries", tag = "queries",
    params(("team" = mainsheet_core::TeamId, Path, description = "The team."), ListQuery),
    responses((status = 200, description = "Some of the queries.", body = QueryPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewQueries")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    found: TeamFor<CanViewQueries>,
    Query(query): Query<ListQuery>,
) -> Result<Json<QueryPage>> {
    let (tenant, request) = (found.caller.tenant(), query.request()?);
    let shared = |saved: &SavedQuery| saved.team_ids.contains(&found.team);
    let kept_by = KeptBy::Team(&found.team);
    let page = app.store.queries_where(tenant, QueryOrder::Creation, false, &request, kept_by, shared).await?;
    let links = app.store.links_of_queries(tenant, &page.rows).await?;
    let total = total_of(&page, &request, None);
    Ok(Json(QueryPage::of(&found.caller, page, links, total)))
}
