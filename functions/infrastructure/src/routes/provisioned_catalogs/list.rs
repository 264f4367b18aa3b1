//! `GET /infra/catalogs`: all provisioned catalogs of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::provisioned::ProvisionedCatalogView;
use mainsheet_api::{App, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewCatalogs;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_store::{Page, Row};
use serde::Serialize;
use utoipa::ToSchema;

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalCatalogIncluded {
    external_catalogs: Vec<ProvisionedCatalogView>,
}

/// Some of the catalogs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExternalCatalogPage {
    items: Vec<ProvisionedCatalogView>,
    included: ExternalCatalogIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl From<Page<Row<ProvisionedCatalog>>> for ExternalCatalogPage {
    fn from(page: Page<Row<ProvisionedCatalog>>) -> Self {
        let items: Vec<_> = page.rows.iter().map(|row| ProvisionedCatalogView::from(&row.value)).collect();
        let included = ExternalCatalogIncluded { external_catalogs: items.clone() };
        Self { items, included, marker: page.marker }
    }
}

/// List provisioned catalogs
///
/// Over all connections, oldest first.
#[utoipa::path(
    get, path = "/infra/catalogs", operation_id = "listProvisionedCatalogs", tag = "provisioned-catalogs",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the catalogs.", body = ExternalCatalogPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewCatalogs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewCatalogs>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<ExternalCatalogPage>> {
    Ok(Json(app.store.provisioned_page(caller.tenant(), None, &query.request()).await?.into()))
}
