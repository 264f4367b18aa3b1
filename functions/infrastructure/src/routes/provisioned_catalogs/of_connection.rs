//! `GET /infra/connections/{connection}/catalogs`: the provisioned catalogs of one connection.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewCatalogs;
use mainsheet_core::ConnectionId;

use super::list::ExternalCatalogPage;
use crate::provisioned::{ConnectionPath, page_in};

/// List the catalogs of a connection
///
/// By name.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/catalogs", operation_id = "listConnectionCatalogs", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection."), MarkerQuery),
    responses((status = 200, description = "Some of the catalogs.", body = ExternalCatalogPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewCatalogs")))
)]
pub(crate) async fn of_connection(
    State(app): State<App>,
    caller: Permitted<CanViewCatalogs>,
    Path(path): Path<ConnectionPath>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<ExternalCatalogPage>> {
    Ok(Json(page_in(&app, &caller, &path.connection, &query).await?.into()))
}
