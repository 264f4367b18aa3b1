//! `GET /workloads/catalogs/{catalog}/teams`: the teams that may use a catalog.

use axum::Json;
use mainsheet_api::Result;
use mainsheet_auth::needs::CanViewCatalogs;

use super::add::CatalogTeamList;
use crate::access::CatalogFor;

/// List the teams of a catalog
///
/// In the order of their ids.
#[utoipa::path(
    get, path = "/workloads/catalogs/{catalog}/teams", operation_id = "listCatalogTeams", tag = "catalogs",
    params(("catalog" = mainsheet_core::CatalogId, Path, description = "The catalog.")),
    responses((status = 200, description = "All of its teams.", body = CatalogTeamList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewCatalogs")))
)]
pub(crate) async fn list(catalog: CatalogFor<CanViewCatalogs>) -> Result<Json<CatalogTeamList>> {
    let catalog = &catalog.row.value;
    Ok(Json(CatalogTeamList::of(catalog, catalog.teams.keys())))
}
