//! `DELETE /infra/connections/{connection}/catalogs/{catalog}`: tear a catalog down.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::{CatalogId, ConnectionId};

use super::CatalogPath;
use crate::provisioned::{Accepted, Start};
use crate::view::operation::OperationView;

/// Destroy a catalog
///
/// The logical catalog in front of it goes with it; its record stays.
#[utoipa::path(
    delete, path = "/infra/connections/{connection}/catalogs/{catalog}", operation_id = "destroyProvisionedCatalog", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("catalog" = CatalogId, Path, description = "The catalog.")),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn destroy(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(path): Path<CatalogPath>,
) -> Result<Accepted> {
    let start = Start::<ProvisionedCatalog> {
        connection: &path.connection,
        id: &path.catalog,
        kind: OperationKind::CatalogDestroy,
        idempotent: None,
    };
    start.answer(&app, &caller, |_| Ok(())).await
}
