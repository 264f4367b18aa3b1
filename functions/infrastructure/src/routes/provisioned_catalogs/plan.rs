//! `GET /infra/connections/{connection}/catalogs/{catalog}/plan`: what provisioning a catalog makes, and what that costs.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanViewCatalogs;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::{CatalogId, ConnectionId};

use super::CatalogPath;
use crate::plan::{self, Plan};

/// Show a catalog's plan
///
/// Of a `pending` catalog. Nothing is asked of the account: `preflight` does that.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/catalogs/{catalog}/plan", operation_id = "planCatalog", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("catalog" = CatalogId, Path, description = "The catalog.")),
    responses((status = 200, description = "The plan.", body = Plan)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewCatalogs")))
)]
pub(crate) async fn plan(
    State(app): State<App>,
    caller: Permitted<CanViewCatalogs>,
    Path(path): Path<CatalogPath>,
) -> Result<Json<Plan>> {
    let row = app.store.provisioned_in::<ProvisionedCatalog>(caller.tenant(), &path.connection, &path.catalog).await?;
    plan::require_pending(&row.value)?;
    Ok(Json(plan::of_catalog(&row.value)))
}
