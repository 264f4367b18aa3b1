//! Invitations into the organization.

pub(crate) mod accept;
pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod get;
mod link;
pub(crate) mod list;

use mainsheet_auth::{Caller, Relation};
use mainsheet_core::member::AccountType;
use mainsheet_core::organization::Organization;
use mainsheet_core::role::OrganizationRole;
use mainsheet_core::{Error, InvitationId, MemberId, OrganizationId, Result, RoleId, TeamId, Timestamp, invitation};
use mainsheet_store::Store;
use serde::Serialize;
use utoipa::ToSchema;

use crate::OrganizationState;

/// A pending invitation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invitation {
    id: InvitationId,
    organization_id: OrganizationId,
    /// What the organization will call the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    email: String,
    organization_role_id: RoleId,
    account_type: AccountType,
    /// For those who could offer the same: the token of `inviteUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation_token: Option<String>,
    invited_at: Timestamp,
    created_at: Timestamp,
    created_by: MemberId,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Organization>,
    /// For those who could offer the same: a link to hand over. Who comes by it still has to confirm the address; who comes by the
    /// mailed one has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_url: Option<String>,
}

impl Invitation {
    /// What the bearer of a link sees.
    fn shown(invitation: invitation::Invitation) -> Self {
        Self {
            id: invitation.id,
            organization_id: invitation.organization_id,
            name: invitation.name,
            email: invitation.email,
            organization_role_id: invitation.role.into(),
            account_type: invitation.account_type,
            invitation_token: None,
            invited_at: invitation.created_at,
            created_at: invitation.created_at,
            created_by: invitation.created_by,
            expires_at: invitation.expires_at,
            organization: None,
            invite_url: None,
        }
    }

    /// What those who invite see: with a link to hand over, if they could offer the same themselves.
    async fn with_link(
        state: &OrganizationState,
        caller: &Caller,
        organization: &Organization,
        invitation: invitation::Invitation,
    ) -> Result<Self> {
        match may_offer(caller, &state.app.store, organization, &invitation).await {
            Err(Error::Forbidden { .. }) => return Ok(Self::shown(invitation)),
            offered => offered?,
        }
        let token = link::to_hand_over(state, &invitation)?;
        let invite_url = format!("{}/accept-invitation?token={token}", state.public_url);
        Ok(Self { invitation_token: Some(token), invite_url: Some(invite_url), ..Self::shown(invitation) })
    }

    /// Together with where it leads.
    fn into_organization(self, organization: Organization) -> Self {
        Self { organization: Some(organization), ..self }
    }
}

/// They may give what an invitation offers: its role and its seats, in the default team unless others are named.
///
/// # Errors
/// [`Error::Forbidden`] that names the first relation that they lack.
async fn may_offer(
    caller: &Caller,
    store: &Store,
    organization: &Organization,
    invitation: &invitation::Invitation,
) -> Result<()> {
    if invitation.role != OrganizationRole::Member {
        caller.require(Relation::CanManageRoles)?;
        caller.require_to_assign(invitation.role)?;
    }
    let named: Vec<TeamId> = invitation.team_assignments.iter().map(|assignment| assignment.team_id.clone()).collect();
    caller.require_in_all(Relation::CanManageTeams, &named)?;
    let seats = if named.is_empty() { vec![organization.default_team_id.clone()] } else { named };
    caller.require_to_seat(store, &seats).await
}
