//! Resource ids: 20 characters of Crockford base32, sortable by the time they were made.
//!
//! 45 bits of milliseconds since the Unix epoch (good until the year 3084), then 55 random bits. The contract's form is
//! `^[A-Z0-9]{1,20}$`, so ids made by others are accepted as they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 20;
const RANDOM_BITS: u32 = 55;

/// A text that is not an id: it has to match `^[A-Z0-9]{1,20}$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 20 characters of A-Z and 0-9")]
pub struct InvalidId;

fn check(text: &str) -> Result<(), InvalidId> {
    let well_formed = (1..=LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if well_formed { Ok(()) } else { Err(InvalidId) }
}

/// Writes a moment and 64 random bits, of which 55 are used, as an id's text.
fn encode(now: Timestamp, random: u64) -> String {
    let milliseconds = u128::from(now.as_millisecond().unsigned_abs()) & ((1 << 45) - 1);
    let bits = (milliseconds << RANDOM_BITS) | u128::from(random & ((1 << RANDOM_BITS) - 1));
    (0..LENGTH).rev().map(|digit| char::from(ALPHABET[((bits >> (5 * digit)) & 31) as usize])).collect()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, pattern = "^[A-Z0-9]{1,20}$", examples("01JD3Z5K8M4T9V2X7RQC"))]
        pub struct $name(String);

        impl $name {
            /// Makes a new id. Two made in the same millisecond are in no particular order.
            ///
            /// # Panics
            /// Only when the operating system has no source of randomness at all.
            #[must_use]
            pub fn generate(now: Timestamp) -> Self {
                Self(encode(now, random()))
            }

            /// The smallest id that one made at this moment can have: where ids of a time begin.
            #[must_use]
            pub fn floor(at: Timestamp) -> Self {
                Self(encode(at, 0))
            }

            /// The id as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// A cluster agent.
    AgentId,
    /// A record of the audit trail.
    AuditId,
    /// A catalog, and the provisioned one that is behind it.
    CatalogId,
    /// A sign-in that is half done.
    ChallengeId,
    /// A logical cluster, and the provisioned one that is behind it.
    ClusterId,
    /// A cloud account connected by the customer.
    ConnectionId,
    /// An event of the transactional outbox.
    EventId,
    /// An identity provider of an organization.
    IdentityProviderId,
    /// An invitation to an organization.
    InvitationId,
    /// A job.
    JobId,
    /// One run of a job.
    JobRunId,
    /// A mailed one-time code.
    LoginCodeId,
    /// A signed-in session of a user.
    LoginId,
    /// A user's seat in one organization.
    MemberId,
    /// A network in the customer's account.
    NetworkId,
    /// Something that takes its time in a customer's account.
    OperationId,
    /// A tenant.
    OrganizationId,
    /// A saved query.
    QueryId,
    /// One HTTP request, as named in logs and problem responses.
    RequestId,
    /// A role of the fixed catalogues.
    RoleId,
    /// A member's seat in a team.
    SeatId,
    /// A machine identity of an organization.
    ServiceAccountId,
    /// A key of a service account.
    ServiceAccountKeyId,
    /// A sign-up with an address that has an account which nobody confirmed.
    SignUpId,
    /// A team of an organization.
    TeamId,
    /// A device that skips the second factor.
    TrustedDeviceId,
    /// A person, across organizations.
    UserId,
}

#[allow(clippy::expect_used, reason = "without randomness no id, token or key is safe to make: there is no going on")]
fn random() -> u64 {
    getrandom::u64().expect("the operating system provides randomness")
}

impl RoleId {
    /// An id of a fixed catalogue.
    pub(crate) fn constant(id: &'static str) -> Self {
        Self(id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twenty_characters_and_sort_by_time() {
        let early = encode(Timestamp::from_millisecond(1_000), u64::MAX);
        let late = encode(Timestamp::from_millisecond(1_001), 0);
        assert_eq!((early.len(), late.len()), (20, 20));
        assert!(early < late);
        assert_eq!(check(&early), Ok(()));
    }

    #[test]
    fn texts_outside_the_contract_are_refused() {
        for text in ["", "abc", "A B", "A1B2C3D4E5F6G7H8J9K0L", "Ä", "A\u{0}"] {
            assert_eq!(text.parse::<JobId>(), Err(InvalidId), "{text:?}");
        }
        assert!("A1B2C3D4E5".parse::<JobId>().is_ok());
    }
}
