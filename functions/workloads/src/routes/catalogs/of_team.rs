//! `GET /workloads/teams/{team}/catalogs`: the catalogs that a team may use.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, PageQuery, Query, Result, SortDirection};
use mainsheet_auth::needs::CanViewCatalogs;
use mainsheet_core::TeamId;

use crate::access::TeamFor;
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
    found: TeamFor<CanViewCatalogs>,
    Query(query): Query<PageQuery>,
) -> Result<Json<CatalogPage>> {
    let mut rows = app.store.catalogs(found.caller.tenant()).await?;
    rows.retain(|row| row.value.teams.contains_key(&found.team));
    catalog_view::sort(&mut rows, SortBy::Name, SortDirection::Asc);
    Ok(Json(catalog_view::page(&app, &found.caller, &rows, &query).await?))
}
