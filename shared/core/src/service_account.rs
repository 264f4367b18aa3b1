//! Service accounts: machine identities of an organization, and their keys.

use serde::{Deserialize, Serialize};

use crate::{MemberId, ServiceAccountId, ServiceAccountKeyId, Timestamp};

/// A machine identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// Its name; unique in the organization, without regard to case.
    #[schema(min_length = 1, max_length = 255, examples("ci-deploy-bot"))]
    pub username: String,
    /// What it is for.
    #[schema(max_length = 1023)]
    pub description: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it: a member, or a service account.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

/// A key of a service account, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountKey {
    /// Its id.
    pub id: ServiceAccountKeyId,
    /// How the key begins, to tell keys apart.
    #[schema(examples("msk_3fQ9xB"))]
    pub prefix: String,
    /// When it is good no more; never unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed, which is when it was made.
    pub updated_at: Timestamp,
}
