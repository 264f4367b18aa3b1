//! Tokens in the links of mails. They are made when the mail is written, so none lies in a table or a queue.

use std::time::Duration;

use mainsheet_core::{InvitationId, OrganizationId, Result, SignUpId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::keys::{KeyRing, SigningKey};
use crate::token::{Kind, check, sign};

/// How long an address can be confirmed with a link.
pub const EMAIL_VERIFICATION_VALID: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an invitation can be accepted (contract, decisions, Identity).
pub const INVITATION_VALID: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a password can be set anew with a link (contract, decisions, Identity).
pub const PASSWORD_RESET_VALID: Duration = Duration::from_secs(30 * 60);
/// The longest of these.
pub(crate) const LONGEST_LINK_VALID: Duration = INVITATION_VALID;

/// The right to confirm that an address belongs to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailVerification {
    /// The user.
    #[serde(rename = "sub")]
    pub user_id: UserId,
    /// The address.
    pub email: String,
    /// The sign-up that the link belongs to, when it was not the first one with this address: its password counts then.
    #[serde(rename = "sup", default, skip_serializing_if = "Option::is_none")]
    pub sign_up_id: Option<SignUpId>,
}

impl Kind for EmailVerification {
    const TYPE: &'static str = "email-verification+jwt";
    const AUDIENCE: &'static str = "mainsheet-email-verification";
}

/// The right to accept an invitation, mailed to the invited address: whoever holds it reads that mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The invitation.
    #[serde(rename = "sub")]
    pub invitation_id: InvitationId,
    /// The organization.
    #[serde(rename = "org")]
    pub organization_id: OrganizationId,
    /// The address that was invited.
    pub email: String,
}

impl Kind for Invitation {
    const TYPE: &'static str = "invitation+jwt";
    const AUDIENCE: &'static str = "mainsheet-invitation";
}

/// The right to set a user's password anew, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    /// The user.
    #[serde(rename = "sub")]
    pub user_id: UserId,
    /// The address that the link was mailed to.
    pub email: String,
    /// The credentials' seal when it was asked for. They have another one as soon as the password was set.
    pub seal: String,
}

impl Kind for PasswordReset {
    const TYPE: &'static str = "password-reset+jwt";
    const AUDIENCE: &'static str = "mainsheet-password-reset";
}

macro_rules! mailed {
    ($($token:ident for $valid:ident),+) => {$(
        impl $token {
            /// Signs a token.
            ///
            /// # Errors
            /// [`mainsheet_core::Error::Internal`] when the key does not sign.
            pub fn sign(self, key: &SigningKey, now: Timestamp) -> Result<String> {
                sign(key, self, now, now + $valid)
            }

            /// Reads a token.
            ///
            /// # Errors
            /// [`mainsheet_core::Error::Unauthenticated`] for any text that we did not sign for this, or that has expired.
            pub async fn check(ring: &KeyRing, token: &str, now: Timestamp) -> Result<Self> {
                check(ring, token, now).await
            }
        }
    )+};
}

mailed! {
    EmailVerification for EMAIL_VERIFICATION_VALID,
    Invitation for INVITATION_VALID,
    PasswordReset for PASSWORD_RESET_VALID
}

/// The right to accept an invitation, told to the one who made it, to hand over: it proves nothing about the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedInvitation {
    /// The invitation.
    #[serde(rename = "sub")]
    pub invitation_id: InvitationId,
    /// Into where.
    #[serde(rename = "org")]
    pub organization_id: OrganizationId,
}

impl Kind for HandedInvitation {
    const TYPE: &'static str = "handed-invitation+jwt";
    const AUDIENCE: &'static str = "mainsheet-handed-invitation";
}

impl HandedInvitation {
    /// Signs a token.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when the key does not sign.
    pub fn sign(self, key: &SigningKey, now: Timestamp, expires_at: Timestamp) -> Result<String> {
        sign(key, self, now, expires_at)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unauthenticated`] for any text that we did not sign for this, or that has expired.
    pub async fn check(ring: &KeyRing, token: &str, now: Timestamp) -> Result<Self> {
        check(ring, token, now).await
    }
}
