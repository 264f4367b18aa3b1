//! Connections: cloud accounts of customers, entered through a role that trusts an external id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::provisioning::operation_in_progress;
use crate::region::Region;
use crate::sealed::Sealed;
use crate::{ConnectionId, Error, MemberId, OperationId, Result, Timestamp};

/// The field of the external id's envelope (`mainsheet_auth::sealed::Context`).
pub const EXTERNAL_ID_FIELD: &str = "connection_external_id";

/// A cloud account, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Its name, for people.
    pub name: String,
    /// Whose cloud it is.
    pub provider: CloudProvider,
    /// The account, once it is known: named at creation, or by the role that was verified.
    pub account_id: Option<AccountId>,
    /// The region of whatever names none.
    pub region: Region,
    /// The role that the platform enters by, once it was verified.
    pub role_arn: Option<RoleArn>,
    /// The stack that holds the role, once it was verified.
    pub stack_arn: Option<String>,
    /// The policy that limits the role, by its name, once it was verified: every role that is made in the account is limited by it.
    #[serde(default)]
    pub boundary_name: Option<String>,
    /// What the role demands of whoever assumes it: a random UUID, of this connection alone.
    pub external_id: Sealed,
    /// Where it stands.
    pub status: ConnectionStatus,
    /// Why it stands there, for a person.
    pub status_message: Option<String>,
    /// The operation that is under way.
    pub live_operation: Option<OperationId>,
    /// The operation that was started last.
    pub latest_operation: Option<OperationId>,
    /// When the stack was last brought to the newest template.
    pub template_synced_at: Option<Timestamp>,
    /// What came of the last try.
    pub template_sync_message: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

/// Whose cloud an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloudProvider {
    /// Amazon Web Services.
    Aws,
}

/// Where a connection stands (contract, behaviour section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// Its role was not verified yet.
    Pending,
    /// Its role can be assumed.
    Active,
    /// Its role could not be assumed when it was last tried.
    Failed,
}

/// What may happen to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionEvent {
    /// Its role was assumed.
    Verify,
    /// Its role could not be assumed.
    Refuse,
}

impl ConnectionStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Active, Self::Failed];

    /// Where `event` leads. The only way it changes; verifying may be repeated, and access may be lost.
    #[must_use]
    pub fn next(self, event: ConnectionEvent) -> Self {
        match event {
            ConnectionEvent::Verify => Self::Active,
            ConnectionEvent::Refuse => Self::Failed,
        }
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }
}

impl ConnectionEvent {
    /// Every event.
    pub const ALL: [Self; 2] = [Self::Verify, Self::Refuse];
}

impl Connection {
    /// Its role was tried.
    pub fn apply(&mut self, event: ConnectionEvent, message: Option<String>, now: Timestamp) {
        self.status = self.status.next(event);
        self.status_message = message;
        self.updated_at = now;
    }

    /// Something can be built in the account.
    ///
    /// # Errors
    /// [`Error::Conflict`] (`connection_not_active`).
    pub fn require_active(&self) -> Result<()> {
        match self.status {
            ConnectionStatus::Active => Ok(()),
            ConnectionStatus::Pending | ConnectionStatus::Failed => Err(connection_not_active()),
        }
    }

    /// An operation on the connection itself begins.
    ///
    /// # Errors
    /// [`Error::Conflict`] while another one is under way (`operation_in_progress`), or when it is not active with a stack
    /// (`connection_not_active`, `stack_unknown`). It is unchanged then.
    pub fn begin(&mut self, operation: &OperationId, by: &MemberId, now: Timestamp) -> Result<()> {
        if let Some(live) = &self.live_operation {
            return Err(operation_in_progress(live));
        }
        self.require_active()?;
        if self.stack_arn.is_none() {
            let message =
                "No stack of this account is known to hold its role. Deploy the template, and verify the role again.";
            return Err(Error::conflict("stack_unknown", message));
        }
        self.live_operation = Some(operation.clone());
        self.latest_operation = Some(operation.clone());
        self.updated_at = now;
        self.updated_by = by.clone();
        Ok(())
    }
}

/// Nothing can be built in the account.
#[must_use]
pub fn connection_not_active() -> Error {
    Error::conflict(
        "connection_not_active",
        "The connection is not active. Deploy its template in your account, and verify the role that it creates.",
    )
}

/// An account of AWS: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[0-9]{12}$", examples("123456789012"))]
pub struct AccountId(String);

/// A role of AWS: `arn:aws:iam::123456789012:role/name`, in any partition and with any path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 20, max_length = 2048, examples("arn:aws:iam::123456789012:role/mainsheet-connection"))]
pub struct RoleArn(String);

/// A text that is no account of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the 12 digits of an AWS account")]
pub struct InvalidAccountId;

/// A text that is no role of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the ARN of a role, as in `arn:aws:iam::123456789012:role/mainsheet-connection`")]
pub struct InvalidRoleArn;

impl AccountId {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, InvalidAccountId> {
        let well_formed = text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidAccountId) }
    }
}

impl RoleArn {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account that the role is in.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        AccountId(self.0.split(':').nth(4).unwrap_or_default().to_owned())
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, InvalidRoleArn> {
        // IAM: partition, no region, account, path and name of printable ASCII (AWS, IAM identifiers).
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, role] = parts[..] else { return Err(InvalidRoleArn) };
        let name = role.strip_prefix("role/").ok_or(InvalidRoleArn)?;
        let well_formed = text.len() <= 2048
            && partition.starts_with("aws")
            && partition.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-')
            && account.parse::<AccountId>().is_ok()
            && !name.is_empty()
            && !name.ends_with('/')
            && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&letter));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidRoleArn) }
    }
}

macro_rules! texts {
    ($($name:ident: $error:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )+};
}

texts!(AccountId: InvalidAccountId, RoleArn: InvalidRoleArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_name_their_account() {
        let role: RoleArn = "arn:aws-us-gov:iam::123456789012:role/some/path/mainsheet".parse().unwrap();
        assert_eq!(role.account_id().as_str(), "123456789012");
        for text in [
            "",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:user/ada",
            "arn:aws:iam::12345678901:role/x",
            "arn:aws:iam:us-east-1:123456789012:role/x",
            "arn:aws:sts::123456789012:role/x",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a:b",
        ] {
            assert_eq!(text.parse::<RoleArn>(), Err(InvalidRoleArn), "{text}");
        }
    }
}
