//! `POST /infra/connections/{connection}/catalogs/{catalog}/provision`: build a catalog.

use axum::extract::State;
use mainsheet_api::{App, Command, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::{CatalogId, ConnectionId};

use super::CatalogPath;
use crate::plan::{self, ProvisionRequest};
use crate::provisioned::{Accepted, Start};
use crate::view::operation::OperationView;

/// Provision a catalog
///
/// Answers at once; `GET /operations/{operationId}` tells how far it is. With `planHash` it is refused when the plan has changed.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/catalogs/{catalog}/provision", operation_id = "provisionCatalog", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("catalog" = CatalogId, Path, description = "The catalog.")),
    request_body(content = ProvisionRequest, description = "May be absent."),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn provision(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(path): Path<CatalogPath>,
    Command { body, idempotent }: Command<ProvisionRequest>,
) -> Result<Accepted> {
    let start = Start::<ProvisionedCatalog> {
        connection: &path.connection,
        id: &path.catalog,
        kind: OperationKind::CatalogProvision,
        idempotent: Some(&idempotent),
    };
    start.answer(&app, &caller, |catalog| body.require_current(&plan::of_catalog(catalog))).await
}
