//! `POST /workloads/queries/{query}/teams`: share a saved query with more teams.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Command, Result};
use mainsheet_auth::Relation;
use mainsheet_auth::needs::CanManageQueries;
use mainsheet_core::job::Shared;
use mainsheet_core::query::SavedQuery;
use mainsheet_core::{QueryId, TeamId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::QueryFor;
use crate::sharing::{TeamIdsWrite, add_teams, require_added};
use crate::view::QueryTeamView;

/// The links of the named teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueryTeamList {
    items: Vec<QueryTeamView>,
}

/// Share a saved query with teams
///
/// The caller needs `CanManageQueries` over every team that is added.
#[utoipa::path(
    post, path = "/workloads/queries/{query}/teams", operation_id = "addQueryTeams", tag = "queries",
    params(("query" = QueryId, Path, description = "The query.")),
    request_body = TeamIdsWrite,
    responses((status = 201, description = "The links of the named teams.", body = QueryTeamList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageQueries")))
)]
pub(crate) async fn add(
    State(app): State<App>,
    found: QueryFor<CanManageQueries>,
    Command { body, idempotent }: Command<TeamIdsWrite>,
) -> Result<(StatusCode, Json<QueryTeamList>)> {
    let (caller, row) = (&found.caller, &found.row);
    if idempotent.earlier::<QueryId>()?.is_some() {
        return Ok((StatusCode::CREATED, Json(links(&row.value, &body.team_ids))));
    }
    let change = app.store.change(caller.audit("query.share", &row.value.query.id));
    let mut saved = row.value.clone();
    let since = Shared { created_at: change.now(), created_by: caller.member_id().clone() };
    let added = add_teams(&mut saved.team_ids, &mut saved.shared, &body.team_ids, &since)?;
    caller.require_in_all(Relation::CanManageQueries, &added)?;
    saved.query.updated_at = change.now();
    saved.query.updated_by = caller.member_id().clone();
    require_added(change, caller, &body.team_ids, &added)
        .replace_query(caller.tenant(), row, &saved)
        .idempotent(idempotent.request(), saved.query.id.as_str())
        .commit()
        .await?;
    Ok((StatusCode::CREATED, Json(links(&saved, &body.team_ids))))
}

fn links(saved: &SavedQuery, teams: &[TeamId]) -> QueryTeamList {
    let named = saved.team_ids.iter().filter(|team| teams.contains(team));
    QueryTeamList { items: named.map(|team| QueryTeamView::of(saved, team)).collect() }
}
