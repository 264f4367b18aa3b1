//! `PATCH /workloads/catalogs/{catalog}`: change what is given.

use std::sync::Arc;

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_core::catalog::{CatalogConfig, SECRET_FIELD};
use mainsheet_core::{CatalogId, Error};
use serde::Deserialize;
use utoipa::ToSchema;

use super::create::unreserved;
use super::glue::{glue_account, require_account};
use crate::catalog_view::CatalogView;

/// What to change of a catalog. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CatalogUpdate {
    /// What SQL calls it. Jobs that write its old name in their SQL have to be changed with it.
    #[garde(inner(length(chars, min = 1, max = 255), custom(unreserved)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// The settings to change; those that are absent stay.
    #[garde(skip)]
    config_write: Option<CatalogConfig>,
}

/// Change a catalog
///
/// Runs that have begun go on with what it was.
#[utoipa::path(
    patch, path = "/workloads/catalogs/{catalog}", operation_id = "updateCatalog", tag = "catalogs",
    params(("catalog" = CatalogId, Path, description = "The catalog."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = CatalogUpdate,
    responses((status = 200, description = "The changed catalog.", body = CatalogView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    State(sealer): State<Arc<Sealer>>,
    caller: Permitted<CanManageCatalogs>,
    Path(id): Path<CatalogId>,
    if_match: IfMatch,
    Body(body): Body<CatalogUpdate>,
) -> Result<Tagged<CatalogView>> {
    let row = app.store.catalog(caller.tenant(), &id).await?;
    if_match.check(row.version)?;
    row.value.require_own()?;
    let mut catalog = row.value.clone();
    let mut account = None;
    if let Some(config) = body.config_write {
        let config = config.over(catalog.settings.config());
        let (settings, token) = config.settings(catalog.settings.provider(), "configWrite")?;
        if token.is_none() && catalog.token.is_some() && settings.config().url != catalog.settings.config().url {
            // Nobody may see a token; so nobody may send it elsewhere, either.
            return Err(Error::invalid("configWrite.token", "has to come along with another `url`").into());
        }
        if settings.region() != catalog.settings.region() {
            account = glue_account(&app, caller.tenant(), &settings).await?;
        }
        catalog.settings = settings;
        if let Some(token) = token {
            let context = Context::organization(caller.tenant().organization_id(), SECRET_FIELD);
            catalog.token = Some(sealer.seal(&context, &token)?);
        }
    }
    let change = app.store.change(caller.audit("catalog.update", &id));
    catalog.name = body.name.unwrap_or(catalog.name);
    catalog.updated_at = change.now();
    catalog.updated_by = caller.member_id().clone();
    let change = require_account(change, caller.tenant(), account.as_ref());
    change.replace_catalog(caller.tenant(), &row, &catalog).commit().await?;
    Ok(Tagged { body: CatalogView::from(&catalog), version: row.version + 1 })
}
