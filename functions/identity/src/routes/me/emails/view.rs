//! An address as its owner sees it.

use mainsheet_core::{Timestamp, UserId};
use mainsheet_store::emails::UserEmail as Record;
use serde::Serialize;
use utoipa::ToSchema;

/// An address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserEmail {
    /// Whose.
    user_id: UserId,
    /// The address.
    #[schema(examples("alice@example.com"))]
    email: String,
    /// Since when it is known to be theirs; absent until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Timestamp>,
    /// Since when they say so.
    created_at: Timestamp,
    /// When one of these last changed.
    updated_at: Timestamp,
}

impl From<Record> for UserEmail {
    fn from(Record { user_id, email, verified_at, created_at, updated_at }: Record) -> Self {
        Self { user_id, email, verified_at, created_at, updated_at }
    }
}
