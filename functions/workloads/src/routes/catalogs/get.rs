//! `GET /workloads/catalogs/{catalog}`: one catalog with its settings.

use mainsheet_api::{Result, Tagged};
use mainsheet_auth::needs::CanViewCatalogs;

use crate::access::CatalogFor;
use crate::catalog_view::CatalogView;

/// Show a catalog
#[utoipa::path(
    get, path = "/workloads/catalogs/{catalog}", operation_id = "getCatalog", tag = "catalogs",
    params(("catalog" = mainsheet_core::CatalogId, Path, description = "The catalog.")),
    responses((status = 200, description = "The catalog.", body = CatalogView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewCatalogs")))
)]
pub(crate) async fn get(catalog: CatalogFor<CanViewCatalogs>) -> Result<Tagged<CatalogView>> {
    Ok(Tagged { body: CatalogView::from(&catalog.row.value), version: catalog.row.version })
}
