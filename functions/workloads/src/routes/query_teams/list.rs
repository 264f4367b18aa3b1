//! `GET /workloads/queries/{query}/teams`: the teams that a saved query is shared with.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, PageOf, PageQuery, Query, Result};
use mainsheet_auth::needs::CanViewQueries;
use mainsheet_core::team::TeamWithCount;
use mainsheet_store::teams::with_count;

use crate::access::QueryFor;

/// List the teams of a saved query
///
/// In the order in which it was shared with them.
#[utoipa::path(
    get, path = "/workloads/queries/{query}/teams", operation_id = "listQueryTeams", tag = "queries",
    params(("query" = mainsheet_core::QueryId, Path, description = "The query."), PageQuery),
    responses((status = 200, description = "Some of the teams.", body = PageOf<TeamWithCount>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewQueries")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    saved: QueryFor<CanViewQueries>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageOf<TeamWithCount>>> {
    let teams = app.store.teams_named(saved.caller.tenant(), &saved.row.value.team_ids).await?;
    let total = teams.len() as u64;
    let items = query.cut(teams.into_iter()).map(with_count).collect();
    Ok(Json(PageOf { total, items, marker: None }))
}
