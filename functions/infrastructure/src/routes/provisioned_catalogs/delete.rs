//! `DELETE /infra/catalogs/{catalog}`: erase the record of a catalog that is not there.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::CatalogId;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;

use crate::provisioned::delete_record;

/// Delete a catalog's record
///
/// Of a catalog that is `pending` or `destroyed`. Parts of any other one may be in the account: destroy it first.
#[utoipa::path(
    delete, path = "/infra/catalogs/{catalog}", operation_id = "deleteProvisionedCatalogRecord", tag = "provisioned-catalogs",
    params(("catalog" = CatalogId, Path, description = "The catalog."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(catalog): Path<CatalogId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    delete_record::<ProvisionedCatalog>(&app, &caller, &catalog, &if_match, "catalog.delete").await
}
