//! `POST /infra/connections/{connection}/catalogs`: describe a catalog service.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::provisioned::ProvisionedCatalogView;
use mainsheet_api::{App, Command, Path, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::provisioned_catalog::{ProvisionedCatalog, ProvisionedCatalogConfig};
use mainsheet_core::provisioning::Provisioning;
use mainsheet_core::region::Region;
use mainsheet_core::{CatalogId, ConnectionId, NetworkId, TeamId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::provisioned::{ConnectionPath, network_for};

/// A new catalog service.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExternalCatalogCreate {
    /// The network that it is to be in: an active one of the connection.
    #[garde(skip)]
    network_id: NetworkId,
    /// What SQL will call the catalog: unique among the organization's catalogs, whatever its case. `sail` and `system` are the
    /// engine's own.
    #[garde(length(chars, min = 1, max = 255), custom(text::line), custom(unreserved))]
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    /// The network's.
    #[garde(skip)]
    region: Region,
    /// What it is to be made of.
    #[garde(dive)]
    config: ProvisionedCatalogConfig,
    /// The teams that may use it once it is there.
    #[serde(default)]
    #[garde(length(max = 50))]
    #[schema(max_items = 50)]
    team_ids: Vec<TeamId>,
}

/// The engine's own names are no catalog's.
pub(super) fn unreserved<T: AsRef<str> + ?Sized>(name: &T, (): &()) -> garde::Result {
    let reserved = mainsheet_core::catalog::RESERVED_NAMES;
    match reserved.into_iter().find(|reserved| name.as_ref().eq_ignore_ascii_case(reserved)) {
        Some(reserved) => {
            Err(garde::Error::new(format!("must not be `{reserved}`, which is the engine's own catalog")))
        }
        None => Ok(()),
    }
}

/// Create a provisioned catalog
///
/// The connection and the network have to be active. Nothing is built before the catalog is provisioned.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/catalogs", operation_id = "createProvisionedCatalog", tag = "provisioned-catalogs",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    request_body = ExternalCatalogCreate,
    responses((status = 201, description = "The new catalog, `pending`.", body = ProvisionedCatalogView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(path): Path<ConnectionPath>,
    Command { body, idempotent }: Command<ExternalCatalogCreate>,
) -> Result<(StatusCode, Tagged<ProvisionedCatalogView>)> {
    if let Some(earlier) = idempotent.earlier::<CatalogId>()? {
        let row = app.store.provisioned_in::<ProvisionedCatalog>(caller.tenant(), &path.connection, &earlier).await?;
        return Ok(created(ProvisionedCatalogView::from(&row.value), row.version));
    }
    network_for(&app, &caller, &path.connection, &body.network_id, &body.region).await?;
    let change = app.store.change(caller.audit("catalog.create", &body.name));
    let now = change.now();
    let mut team_ids = body.team_ids.clone();
    team_ids.sort();
    team_ids.dedup();
    let catalog = ProvisionedCatalog {
        id: CatalogId::generate(now),
        connection_id: path.connection,
        network_id: body.network_id,
        name: body.name,
        region: body.region,
        config: body.config,
        team_ids,
        provisioning: Provisioning::pending(caller.member_id(), now),
    };
    change
        .require_teams(caller.tenant(), &body.team_ids)
        .create_provisioned(caller.tenant(), &catalog)
        .idempotent(idempotent.request(), catalog.id.as_str())
        .commit()
        .await?;
    Ok(created(ProvisionedCatalogView::from(&catalog), 1))
}
