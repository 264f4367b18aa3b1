//! Members: the seats of people in an organization.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{MemberId, OrganizationId, Timestamp, UserId};

/// Who looks after a member's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountType {
    /// The organization: it may change the profile, reset the password and the second factor.
    #[default]
    Managed,
    /// The person themself; the organization only gives access.
    External,
}

/// A person's seat in one organization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The person.
    pub user_id: UserId,
    /// What the organization calls them.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Where the organization reaches them. They sign in with the addresses of their account, whatever this one is.
    #[schema(examples("alice@example.com"))]
    pub email: String,
    /// Settings that clients keep for them, at most 16 KiB as JSON.
    #[serde(default)]
    pub preferences: Map<String, Value>,
    /// Who invited them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_by_member_id: Option<MemberId>,
    /// Until when the invitation was good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_expires_at: Option<Timestamp>,
    /// When they accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_accepted_at: Option<Timestamp>,
    /// When they last signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<Timestamp>,
    /// Whether the organization lets them in.
    pub is_enabled: bool,
    /// Who looks after their account.
    pub account_type: AccountType,
    /// When they joined.
    pub created_at: Timestamp,
    /// Who let them in: themself, when they founded the organization or accepted an invitation.
    pub created_by: MemberId,
    /// When the record last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

impl Member {
    /// A member who joins at `now`, by their own doing, with an account of their own or one that the organization manages.
    #[must_use]
    pub fn joining(
        id: MemberId,
        organization_id: OrganizationId,
        user: &crate::user::User,
        account_type: AccountType,
        now: Timestamp,
    ) -> Self {
        Self {
            created_by: id.clone(),
            updated_by: id.clone(),
            id,
            organization_id,
            user_id: user.id.clone(),
            // An address may be as long as a name may be, and a name is never empty.
            name: user.display_name.chars().take(255).collect(),
            email: user.email.clone(),
            preferences: Map::new(),
            invited_by_member_id: None,
            invite_expires_at: None,
            invite_accepted_at: None,
            last_login_at: None,
            is_enabled: true,
            account_type,
            created_at: now,
            updated_at: now,
        }
    }
}
