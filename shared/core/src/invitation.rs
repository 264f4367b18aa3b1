//! Invitations into an organization.

use serde::{Deserialize, Serialize};

use crate::member::AccountType;
use crate::role::OrganizationRole;
use crate::{InvitationId, MemberId, OrganizationId, RoleId, TeamId, Timestamp};

/// A seat that comes with an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeamAssignment {
    /// The team.
    pub team_id: TeamId,
    /// What the person will be there; the team's default role unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^(TEAMADMIN|EDITOR|VIEWER)$")]
    pub role_id: Option<RoleId>,
}

/// A pending invitation. Accepted or cancelled, it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// What the organization will call the person.
    pub name: Option<String>,
    /// The address that is invited.
    pub email: String,
    /// What the person will be in the organization.
    pub role: OrganizationRole,
    /// Who will look after their account.
    pub account_type: AccountType,
    /// Seats that they will have; one in the default team when there are none.
    pub team_assignments: Vec<TeamAssignment>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: MemberId,
    /// When it is good no more.
    pub expires_at: Timestamp,
}
