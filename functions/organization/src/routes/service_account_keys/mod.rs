//! Keys of service accounts.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod revoke;

use mainsheet_core::Timestamp;
use mainsheet_core::service_account::ServiceAccountKey;
use mainsheet_store::Row;
use mainsheet_store::service_accounts::last_used;
use serde::Serialize;
use utoipa::ToSchema;

/// A key without the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceAccountKeySummary {
    #[serde(flatten)]
    key: ServiceAccountKey,
    /// When it was last used, to ten minutes; absent before its first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl From<Row<ServiceAccountKey>> for ServiceAccountKeySummary {
    fn from(row: Row<ServiceAccountKey>) -> Self {
        Self { last_used_at: last_used(&row), key: row.value }
    }
}
