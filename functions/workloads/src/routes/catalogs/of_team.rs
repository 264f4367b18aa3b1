//! `GET /workloads/teams/{team}/catalogs`: the catalogs that a team may use.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, PageQuery, Path, Query, Result, SortDirection};
use mainsheet_auth::Relation;
use mainsheet_core::{Error, TeamId};

use crate::catalog_view::{self, CatalogPage, SortBy};

/// List the catalogs of a team
///
/// By name. For those who sit in the team or may see all of the organization's catalogs.
#[utoipa::path(
    get, path = "/workloads/teams/{team}/catalogs", operation_id = "listTeamCatalogs", tag = "catalogs",
    params(("team" = TeamId, Path, description = "The team."), PageQuery),
    responses((status = 200, description = "Some of the catalogs.", body = CatalogPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewCatalogs")))
)]
pub(crate) async fn of_team(
    State(app): State<App>,
    Member(caller): Member,
    Path(team): Path<TeamId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<CatalogPage>> {
    if !caller.may_in(Relation::CanViewCatalogs, &team) {
        return Err(Error::NotFound.into());
    }
    let mut rows = app.store.catalogs(caller.tenant()).await?;
    rows.retain(|row| row.value.teams.contains_key(&team));
    if rows.is_empty() {
        // There may be no such team.
        let _ = app.store.team(caller.tenant(), &team).await?;
    }
    catalog_view::sort(&mut rows, SortBy::Name, SortDirection::Asc);
    Ok(Json(catalog_view::page(&app, &caller, &rows, &query).await?))
}
