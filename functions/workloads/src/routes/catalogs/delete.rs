//! `DELETE /workloads/catalogs/{catalog}`: disconnect a catalog.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::CatalogId;

/// Disconnect a catalog
///
/// The record and its teams go; the service behind it and its tables stay. Runs of jobs that name it fail from now on.
#[utoipa::path(
    delete, path = "/workloads/catalogs/{catalog}", operation_id = "deleteCatalog", tag = "catalogs",
    params(("catalog" = CatalogId, Path, description = "The catalog."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(id): Path<CatalogId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let row = app.store.catalog(caller.tenant(), &id).await?;
    if_match.check(row.version)?;
    row.value.require_own()?;
    app.store.change(caller.audit("catalog.delete", &id)).delete_catalog(caller.tenant(), &row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
