//! Teams of an organization.

use serde::{Deserialize, Serialize};

use crate::{MemberId, OrganizationId, RoleId, TeamId, Timestamp};

/// A team: what resources are shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its organization.
    pub organization_id: OrganizationId,
    /// Its name.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The team role of members who are added without one.
    pub default_role_id: RoleId,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

/// A team and how many members it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamWithCount {
    /// The team.
    pub team: Team,
    /// Members with a seat in it.
    pub member_count: u64,
}
