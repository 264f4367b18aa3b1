//! `POST /infra/connections/{connection}/catalogs/{catalog}/preflight`: whether the account would let a catalog be built.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Action, App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::{CatalogId, ConnectionId};

use super::CatalogPath;
use crate::cloud::Cloud;
use crate::preflight::{self, Preflight, Wanted};

/// Look whether a catalog could be built
///
/// Asks the account, and makes nothing. The connection has to be active.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/catalogs/{catalog}/preflight", operation_id = "preflightCatalog", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("catalog" = CatalogId, Path, description = "The catalog.")),
    responses((status = 200, description = "What was found.", body = Preflight)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn preflight(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanManageCatalogs>,
    Path(path): Path<CatalogPath>,
    Action(idempotent): Action,
) -> Result<Json<Preflight>> {
    let tenant = caller.tenant();
    let (row, connection) =
        app.store.provisioned_with_connection::<ProvisionedCatalog>(tenant, &path.connection, &path.catalog).await?;
    let wanted = Wanted::Catalog;
    let found = preflight::look(&cloud, &caller, &connection.value, &row.value.region, &wanted).await?;
    // Sent again, it looks again: what it remembers is that the key belongs to this request.
    if idempotent.earlier::<CatalogId>()?.is_none() {
        app.store
            .change(caller.audit("catalog.preflight", &path.catalog))
            .note_connection_use(tenant, &path.connection)
            .idempotent(idempotent.request(), path.catalog.as_str())
            .commit()
            .await?;
    }
    Ok(Json(found))
}
