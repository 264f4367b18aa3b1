//! `PATCH /infra/connections/{connection}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_core::connection::Connection;
use mainsheet_core::{ConnectionId, Error};
use mainsheet_store::connections::last_used_at;
use serde::Deserialize;
use utoipa::ToSchema;

use super::create::ConnectionProviderConfigWrite;
use crate::view::connection::ConnectionView;

/// What to change of a connection. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConnectionUpdate {
    /// For people.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// The account can be changed until a role of it was verified, the region at any time: what is there stays where it is.
    #[serde(default)]
    #[garde(skip)]
    provider_config: ConnectionProviderConfigWrite,
}

/// Change a connection
#[utoipa::path(
    patch, path = "/infra/connections/{connection}", operation_id = "updateConnection", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = ConnectionUpdate,
    responses((status = 200, description = "The changed connection.", body = ConnectionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Permitted<CanManageConnections>,
    Path(id): Path<ConnectionId>,
    if_match: IfMatch,
    Body(body): Body<ConnectionUpdate>,
) -> Result<Tagged<ConnectionView>> {
    let row = app.store.connection(caller.tenant(), &id).await?;
    if_match.check(row.version)?;
    body.provider_config.check()?;
    let change = app.store.change(caller.audit("connection.update", &id));
    let mut connection = row.value.clone();
    if let Some(account_id) = body.provider_config.account_id {
        require_unverified(&connection, &account_id)?;
        connection.account_id = Some(account_id);
    }
    connection.region = body.provider_config.region.unwrap_or(connection.region);
    connection.name = body.name.unwrap_or(connection.name);
    connection.updated_at = change.now();
    connection.updated_by = caller.member_id().clone();
    change.replace_connection(&row, &connection).commit().await?;
    let body = ConnectionView::with(&connection, last_used_at(&row));
    Ok(Tagged { body, version: row.version + 1 })
}

/// A connection stays with the account that it was verified with.
fn require_unverified(
    connection: &Connection,
    account_id: &mainsheet_core::connection::AccountId,
) -> mainsheet_core::Result<()> {
    if connection.role_arn.is_none() || connection.account_id.as_ref() == Some(account_id) {
        return Ok(());
    }
    let message =
        "A role of the connection's account was verified already. Make another connection for another account.";
    Err(Error::conflict("account_verified", message))
}
