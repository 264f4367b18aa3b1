//! The tokens of invitations' links.

use mainsheet_auth::mail_link::{HandedInvitation, Invitation as Mailed};
use mainsheet_core::invitation::Invitation;
use mainsheet_core::{Error, InvitationId, Result};
use mainsheet_store::{Row, Tenant};

use crate::OrganizationState;

/// What a token says about whoever brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// They read the mails of the invited address.
    Address,
    /// They know somebody who may invite.
    Nothing,
}

/// A pending invitation, and what the token for it proves.
pub(super) struct Opened {
    pub(super) tenant: Tenant,
    pub(super) row: Row<Invitation>,
    pub(super) proof: Proof,
}

/// A token that whoever invites can hand over.
pub(super) fn to_hand_over(state: &OrganizationState, invitation: &Invitation) -> Result<String> {
    let handed =
        HandedInvitation { invitation_id: invitation.id.clone(), organization_id: invitation.organization_id.clone() };
    handed.sign(&state.link_key, invitation.created_at, invitation.expires_at)
}

/// The invitation of a token.
///
/// # Errors
/// [`Error::NotFound`] when it is none of ours, has expired, or the invitation was accepted or cancelled.
pub(super) async fn open(state: &OrganizationState, token: &str) -> Result<Opened> {
    let now = state.app.now();
    let (organization, invitation, proof) = match Mailed::check(&state.mail_links, token, now).await {
        Ok(mailed) => (mailed.organization_id, mailed.invitation_id, Proof::Address),
        Err(Error::Unauthenticated { .. }) => {
            let handed = HandedInvitation::check(&state.mail_links, token, now).await.map_err(useless)?;
            (handed.organization_id, handed.invitation_id, Proof::Nothing)
        }
        Err(error) => return Err(error),
    };
    let (tenant, row) = state.app.store.invitation_of_link(&organization, &invitation).await?;
    Ok(Opened { tenant, row, proof })
}

/// The invitation that a token or an id names, for those who invite; it need not be pending.
///
/// # Errors
/// [`Error::NotFound`] when the text is neither.
pub(super) async fn id_of(state: &OrganizationState, text: &str) -> Result<InvitationId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let now = state.app.now();
    match Mailed::check(&state.mail_links, text, now).await {
        Ok(mailed) => Ok(mailed.invitation_id),
        Err(Error::Unauthenticated { .. }) => HandedInvitation::check(&state.mail_links, text, now)
            .await
            .map(|handed| handed.invitation_id)
            .map_err(useless),
        Err(error) => Err(error),
    }
}

fn useless(error: Error) -> Error {
    if matches!(error, Error::Unauthenticated { .. }) { Error::NotFound } else { error }
}
