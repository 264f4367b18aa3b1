//! Invitations into an organization.

use mainsheet_core::invitation::Invitation;
use mainsheet_core::member::Member;
use mainsheet_core::organization::Organization;
use mainsheet_core::team::Team;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, InvitationId, OrganizationId, Result, Timestamp, UserId};

use crate::key::tenant_partition;
use crate::members::{MemberRecord, member_key};
use crate::organizations::organization_key;
use crate::teams::{take_teams, team_key};
use crate::throttle::{Throttle, ThrottleKey};
use crate::users::{EmailClaim, email_key};
use crate::{Change, Entity, Key, Listing, Page, PageRequest, Row, Store, Tenant};

impl Entity for Invitation {
    const KIND: &'static str = "invitation";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

fn invitation_key(tenant: &Tenant, invitation: &InvitationId) -> Key {
    Key::of_tenant(tenant, "INVITATIONS", invitation.as_str())
}

/// What an invitation leads to.
#[derive(Debug)]
pub struct InvitationContext {
    /// Into where.
    pub organization: Row<Organization>,
    /// Whose address it is, if it is somebody's already.
    pub user_id: Option<UserId>,
    /// Who invites, if they are still a member.
    pub invited_by: Option<Member>,
    /// Those of the teams it names that there are.
    pub teams: Vec<Row<Team>>,
    /// The mails that were asked for the address.
    pub mails: Option<Row<Throttle>>,
}

impl Store {
    /// A pending invitation of a tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or none any more.
    pub async fn invitation(&self, tenant: &Tenant, invitation: &InvitationId) -> Result<Row<Invitation>> {
        let row: Option<Row<Invitation>> = self.get(&invitation_key(tenant, invitation)).await?;
        row.filter(|row| row.value.expires_at > self.now()).ok_or(Error::NotFound)
    }

    /// The pending invitation that a link was made for, and the organization that it leads into: whoever holds the link is no
    /// member yet.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it was accepted, cancelled or has expired.
    pub async fn invitation_of_link(
        &self,
        organization: &OrganizationId,
        invitation: &InvitationId,
    ) -> Result<(Tenant, Row<Invitation>)> {
        let tenant = Tenant::proven(organization.clone());
        let row = self.invitation(&tenant, invitation).await?;
        Ok((tenant, row))
    }

    /// What an invitation leads to: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the organization is gone.
    pub async fn invitation_context(&self, tenant: &Tenant, invitation: &Invitation) -> Result<InvitationContext> {
        let email = NormalizedEmail::of(&invitation.email);
        let (organization_key, email_key) = (organization_key(tenant), email_key(&email));
        let (inviter_key, mails_key) = (member_key(tenant, &invitation.created_by), ThrottleKey::Mail(email).key());
        let assignments = invitation.team_assignments.iter();
        let teams: Vec<Key> = assignments.map(|assignment| team_key(tenant, &assignment.team_id)).collect();
        let others = [&organization_key, &email_key, &inviter_key, &mails_key];
        let mut batch = self.get_batch(teams.iter().chain(others).cloned()).await?;
        Ok(InvitationContext {
            organization: batch.take(&organization_key)?.ok_or(Error::NotFound)?,
            user_id: batch.take::<EmailClaim>(&email_key)?.map(|row| row.value.user_id),
            invited_by: batch.take::<MemberRecord>(&inviter_key)?.map(|row| row.value.member),
            teams: take_teams(&mut batch, &teams)?,
            mails: batch.take(&mails_key)?,
        })
    }

    /// A page of the invitations, newest first, those that have expired left out.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn invitations(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<Invitation>>> {
        let listing = Listing::of(tenant_partition(tenant, "INVITATIONS")).descending(true);
        let mut page: Page<Row<Invitation>> = self.page(&listing, request).await?;
        // All are good for the same time: behind the first one that has expired all have.
        let now = self.now();
        if let Some(end) = page.rows.iter().position(|row| row.value.expires_at <= now) {
            page.rows.truncate(end);
            page.marker = None;
        }
        Ok(page)
    }
}

impl Change<'_> {
    /// A new invitation.
    pub fn create_invitation(self, tenant: &Tenant, invitation: &Invitation) -> Self {
        let used = Error::internal("an invitation id that was used before");
        self.create(&invitation_key(tenant, &invitation.id), invitation, used)
    }

    /// An invitation is accepted or cancelled: once, whoever else does so at the same moment.
    pub fn close_invitation(self, row: &Row<Invitation>) -> Self {
        self.delete(row)
    }
}
