//! What a catalog of AWS Glue needs besides its settings: an account that is connected, in its region (contract, behaviour
//! section 5). Runs reach it with the role of their cluster; the account is not noted with the catalog.

use mainsheet_api::{App, Result};
use mainsheet_core::catalog::CatalogSettings;
use mainsheet_core::{ConnectionId, Error};
use mainsheet_store::connections::Reach;
use mainsheet_store::{Change, Tenant};

/// The connection that a catalog of AWS Glue is reached through; `None` for other providers.
pub(super) async fn glue_account(
    app: &App,
    tenant: &Tenant,
    settings: &CatalogSettings,
) -> Result<Option<ConnectionId>> {
    let CatalogSettings::Glue { region, .. } = settings else { return Ok(None) };
    match app.store.connection_to(tenant, region).await? {
        Reach::Through(connection) => Ok(Some(connection)),
        Reach::OtherRegions => {
            let message = "is neither the region of an active connection nor that of a network of one";
            Err(Error::invalid("configWrite.region", message).into())
        }
        Reach::Nothing => Err(connection_required().into()),
    }
}

/// The account is still connected when the catalog is written.
pub(super) fn require_account<'s>(change: Change<'s>, tenant: &Tenant, account: Option<&ConnectionId>) -> Change<'s> {
    match account {
        Some(connection) => change.require_active_connection(tenant, connection),
        None => change,
    }
}

fn connection_required() -> Error {
    Error::conflict(
        "connection_required",
        "A Glue catalog is reached through an active connection to its AWS account, and this organization has none. Connect \
         the account first, or use another provider; AWS Glue's own Iceberg REST endpoint is one of `iceberg_rest`.",
    )
}
