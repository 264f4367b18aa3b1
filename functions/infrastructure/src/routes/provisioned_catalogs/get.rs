//! `GET /infra/connections/{connection}/catalogs/{catalog}`: one provisioned catalog.

use axum::extract::State;
use mainsheet_api::provisioned::ProvisionedCatalogView;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanViewCatalogs;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::{CatalogId, ConnectionId};

use super::CatalogPath;

/// Show a provisioned catalog
#[utoipa::path(
    get, path = "/infra/connections/{connection}/catalogs/{catalog}", operation_id = "getProvisionedCatalog", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("catalog" = CatalogId, Path, description = "The catalog.")),
    responses((status = 200, description = "The catalog.", body = ProvisionedCatalogView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewCatalogs")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanViewCatalogs>,
    Path(path): Path<CatalogPath>,
) -> Result<Tagged<ProvisionedCatalogView>> {
    let row = app.store.provisioned_in::<ProvisionedCatalog>(caller.tenant(), &path.connection, &path.catalog).await?;
    Ok(Tagged { body: ProvisionedCatalogView::from(&row.value), version: row.version })
}
