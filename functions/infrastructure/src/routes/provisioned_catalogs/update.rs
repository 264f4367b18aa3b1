//! `PATCH /infra/connections/{connection}/catalogs/{catalog}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::provisioned::ProvisionedCatalogView;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::provisioned_catalog::ProvisionedCatalogConfig;
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::{CatalogId, ConnectionId, Error};
use serde::Deserialize;
use utoipa::ToSchema;

use super::CatalogPath;
use super::create::unreserved;

/// What to change of a catalog. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExternalCatalogUpdate {
    /// What SQL calls the catalog. Jobs that write its old name in their SQL have to be changed with it.
    #[garde(inner(length(chars, min = 1, max = 255), custom(unreserved)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// It can be changed while the catalog is `pending`.
    #[garde(dive)]
    config: Option<ProvisionedCatalogConfig>,
}

/// Change a provisioned catalog
#[utoipa::path(
    patch, path = "/infra/connections/{connection}/catalogs/{catalog}", operation_id = "updateProvisionedCatalog", tag = "provisioned-catalogs",
    params(
        ("connection" = ConnectionId, Path, description = "The connection."),
        ("catalog" = CatalogId, Path, description = "The catalog."),
        ("If-Match" = Option<String>, Header, description = "The version to change."),
    ),
    request_body = ExternalCatalogUpdate,
    responses((status = 200, description = "The changed catalog.", body = ProvisionedCatalogView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(path): Path<CatalogPath>,
    if_match: IfMatch,
    Body(body): Body<ExternalCatalogUpdate>,
) -> Result<Tagged<ProvisionedCatalogView>> {
    let (row, logical) = app.store.catalog_faces(caller.tenant(), &path.catalog).await?;
    if row.value.connection_id != path.connection {
        return Err(Error::NotFound.into());
    }
    if_match.check(row.version)?;
    let change = app.store.change(caller.audit("catalog.update", &path.catalog));
    let mut catalog = row.value.clone();
    if let Some(config) = body.config.filter(|config| *config != catalog.config) {
        if catalog.provisioning.status != ProvisioningStatus::Pending {
            let message = "What a catalog that was provisioned is made of cannot be changed. Make another catalog.";
            return Err(Error::conflict("not_pending", message).into());
        }
        catalog.config = config;
    }
    catalog.provisioning.updated_at = change.now();
    catalog.provisioning.updated_by = caller.member_id().clone();
    let change = match body.name.filter(|name| *name != catalog.name) {
        Some(_) if catalog.provisioning.status == ProvisioningStatus::Destroyed => {
            let message = "The catalog was destroyed, and its name with it.";
            return Err(Error::conflict("destroyed", message).into());
        }
        Some(name) => {
            catalog.name.clone_from(&name);
            change.rename_provisioned_catalog(caller.tenant(), &row.value, logical.as_ref(), &name)
        }
        None => change,
    };
    change.replace_provisioned(&row, &catalog).commit().await?;
    Ok(Tagged { body: ProvisionedCatalogView::from(&catalog), version: row.version + 1 })
}
