//! `POST /infra/connections`: begin to connect a cloud account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_core::connection::{AccountId, CloudProvider, Connection, ConnectionStatus, EXTERNAL_ID_FIELD, RoleArn};
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, FieldErrors};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::cloud::random_external_id;
use crate::view::connection::ConnectionView;

/// A new connection.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConnectionCreate {
    /// For people; several connections may have the same.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("prod-aws"))]
    name: String,
    /// Whose cloud it is.
    #[garde(skip)]
    provider: CloudProvider,
    /// Where the account is.
    #[serde(default)]
    #[garde(skip)]
    provider_config: ConnectionProviderConfigWrite,
}

/// Where an account is. What the platform finds out itself is refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConnectionProviderConfigWrite {
    /// The account. Where it is given, no role of another one can be verified.
    pub(crate) account_id: Option<AccountId>,
    /// The region of whatever names none; `us-east-1` unless given.
    pub(crate) region: Option<Region>,
    /// Refused: it is given to `verify`.
    pub(crate) role_arn: Option<RoleArn>,
    /// Refused: the platform keeps the external id itself.
    pub(crate) external_id_secret_arn: Option<String>,
    /// Refused: the platform finds it when it verifies the role.
    pub(crate) stack_arn: Option<String>,
}

impl ConnectionProviderConfigWrite {
    /// Nothing in it is for the platform alone to say.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Invalid`] that names the fields.
    pub(crate) fn check(&self) -> mainsheet_core::Result<()> {
        let mut errors = FieldErrors::default();
        if self.role_arn.is_some() {
            errors.add(
                "providerConfig.roleArn",
                "is set by `verify`: deploy the template, and verify the role it creates",
            );
        }
        if self.external_id_secret_arn.is_some() {
            errors
                .add("providerConfig.externalIdSecretArn", "cannot be set: the platform keeps the external id itself");
        }
        if self.stack_arn.is_some() {
            errors.add("providerConfig.stackArn", "cannot be set: `verify` finds it");
        }
        errors.into_result()
    }
}

/// Connect a cloud account
///
/// The connection is `pending` until its role is verified: get its template, deploy it in the account, and verify the role.
#[utoipa::path(
    post, path = "/infra/connections", operation_id = "createConnection", tag = "connections",
    request_body = ConnectionCreate,
    responses((status = 201, description = "The new connection.", body = ConnectionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    State(sealer): State<Arc<Sealer>>,
    caller: Permitted<CanManageConnections>,
    Command { body, idempotent }: Command<ConnectionCreate>,
) -> Result<(StatusCode, Tagged<ConnectionView>)> {
    if let Some(earlier) = idempotent.earlier::<ConnectionId>()? {
        let row = app.store.connection(caller.tenant(), &earlier).await?;
        return Ok(created(ConnectionView::from(&row), row.version));
    }
    body.provider_config.check()?;
    let change = app.store.change(caller.audit("connection.create", &body.name));
    let now = change.now();
    let context = Context::organization(caller.tenant().organization_id(), EXTERNAL_ID_FIELD);
    let connection = Connection {
        id: ConnectionId::generate(now),
        name: body.name,
        provider: body.provider,
        account_id: body.provider_config.account_id,
        region: body.provider_config.region.unwrap_or_default(),
        role_arn: None,
        stack_arn: None,
        boundary_name: None,
        external_id: sealer.seal(&context, &random_external_id()?)?,
        status: ConnectionStatus::Pending,
        status_message: None,
        live_operation: None,
        latest_operation: None,
        template_synced_at: None,
        template_sync_message: None,
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    change
        .create_connection(caller.tenant(), &connection)
        .idempotent(idempotent.request(), connection.id.as_str())
        .commit()
        .await?;
    Ok(created(ConnectionView::with(&connection, None), 1))
}
