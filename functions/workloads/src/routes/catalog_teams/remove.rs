//! `DELETE /workloads/catalogs/{catalog}/teams/{team}`: stop a team from using a catalog.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::{CatalogId, Error, TeamId};
use serde::Deserialize;

/// The parameters of the path.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkPath {
    catalog: CatalogId,
    team: TeamId,
}

/// Stop sharing a catalog with a team
///
/// A catalog may have no team at all. Runs that have begun go on; later ones of the team's jobs fail where they name it.
#[utoipa::path(
    delete, path = "/workloads/catalogs/{catalog}/teams/{team}", operation_id = "removeCatalogTeam", tag = "catalogs",
    params(("catalog" = CatalogId, Path, description = "The catalog."), ("team" = TeamId, Path, description = "The team.")),
    responses((status = 204, description = "It is shared no more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(path): Path<LinkPath>,
) -> Result<StatusCode> {
    let row = app.store.catalog(caller.tenant(), &path.catalog).await?;
    let mut catalog = row.value.clone();
    if catalog.teams.remove(&path.team).is_none() {
        return Err(Error::NotFound.into());
    }
    let change = app.store.change(caller.audit("catalog.unshare", &path.catalog));
    catalog.updated_at = change.now();
    catalog.updated_by = caller.member_id().clone();
    change.replace_catalog(caller.tenant(), &row, &catalog).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
