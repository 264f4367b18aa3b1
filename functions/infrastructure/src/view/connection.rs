//! Connections as the contract shows them.

use mainsheet_core::connection::{AccountId, CloudProvider, Connection, ConnectionStatus, RoleArn};
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, MemberId, OperationId, Timestamp};
use mainsheet_store::Row;
use mainsheet_store::connections::last_used_at;
use serde::Serialize;
use utoipa::ToSchema;

/// A cloud account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Connection)]
pub(crate) struct ConnectionView {
    id: ConnectionId,
    #[schema(min_length = 1, max_length = 255, examples("prod-aws"))]
    name: String,
    provider: CloudProvider,
    provider_config: ConnectionProviderConfigView,
    status: ConnectionStatus,
    /// Why it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    /// When its role was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    /// When its stack was last brought to the newest template.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_synced_at: Option<Timestamp>,
    /// What came of the last try.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_sync_message: Option<String>,
    /// The operation that was started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<OperationId>,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

/// Where an account is and how it is entered. The external id is not shown here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionProviderConfig)]
pub(crate) struct ConnectionProviderConfigView {
    /// The account, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<AccountId>,
    /// The region of whatever names none.
    region: Region,
    /// The role that was verified last.
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<RoleArn>,
    /// The stack that holds the role, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_arn: Option<String>,
}

impl From<&Row<Connection>> for ConnectionView {
    fn from(row: &Row<Connection>) -> Self {
        Self::with(&row.value, last_used_at(row))
    }
}

impl ConnectionView {
    pub(crate) fn with(connection: &Connection, last_used_at: Option<Timestamp>) -> Self {
        let connection = connection.clone();
        Self {
            id: connection.id,
            name: connection.name,
            provider: connection.provider,
            provider_config: ConnectionProviderConfigView {
                account_id: connection.account_id,
                region: connection.region,
                role_arn: connection.role_arn,
                stack_arn: connection.stack_arn,
            },
            status: connection.status,
            status_message: connection.status_message,
            last_used_at,
            template_synced_at: connection.template_synced_at,
            template_sync_message: connection.template_sync_message,
            operation_id: connection.latest_operation,
            created_at: connection.created_at,
            created_by: connection.created_by,
            updated_at: connection.updated_at,
            updated_by: connection.updated_by,
        }
    }
}
