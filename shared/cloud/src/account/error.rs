//! Why an account refused something, or did not answer.

use std::time::Duration;

use mainsheet_core::connection::RoleArn;
use mainsheet_core::region::Region;

/// What every call into a customer's account returns.
pub type CloudResult<T, E = CloudError> = std::result::Result<T, E>;

/// Why an account refused something, or did not answer. Messages are the provider's, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The role is gone, or does not trust the platform with the connection's external id. AWS answers both the same.
    #[error("the role {role_arn} cannot be assumed: {message}")]
    RoleNotAssumable {
        /// The role.
        role_arn: RoleArn,
        /// What the provider said.
        message: String,
    },
    /// The role, its permissions boundary, or a policy of the customer's organization does not permit a call.
    #[error("not permitted: {action}: {message}")]
    AccessDenied {
        /// The action, as in IAM policies: `eks:CreateCluster`.
        action: String,
        /// What the provider said.
        message: String,
    },
    /// A quota of the account is used up.
    #[error("the quota {quota} is used up: {message}")]
    QuotaExceeded {
        /// Which one, in words or as the provider's code, as far as the provider told.
        quota: String,
        /// What the provider said.
        message: String,
    },
    /// The account has not enabled the region, or there is none of that name.
    #[error("the region {region} is not available")]
    RegionUnavailable {
        /// The region.
        region: Region,
    },
    /// Too many calls. Nothing was done; the same call may be made again.
    #[error("throttled")]
    Throttled {
        /// How long to wait, where the provider says so.
        retry_after: Option<Duration>,
    },
    /// The provider did not answer, or with a failure of its own. The call may have had its effect; with the same client token
    /// it may be made again.
    #[error("no answer: {message}")]
    Unavailable {
        /// What happened.
        message: String,
    },
    /// There is no such thing in the account.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for, as `cluster mainsheet-x`.
        what: String,
    },
    /// There is such a thing already, and it was not made by this call: its client token is another one.
    #[error("{what} exists already")]
    AlreadyExists {
        /// What there is, as `cluster mainsheet-x`.
        what: String,
    },
    /// A parameter, or a combination of them, that the provider does not take.
    #[error("invalid: {message}")]
    Invalid {
        /// What the provider said.
        message: String,
    },
    /// The thing is in use, or in a state that does not allow the call at the moment.
    #[error("in conflict: {message}")]
    Conflict {
        /// What the provider said.
        message: String,
    },
}

impl CloudError {
    /// Nothing of that name.
    pub fn not_found(kind: &str, name: impl std::fmt::Display) -> Self {
        Self::NotFound { what: format!("{kind} {name}") }
    }

    /// Whether the very same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    /// Whether there is nothing of the wanted name: for whoever deletes, as good as done.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// `None` for what does not exist.
///
/// # Errors
/// Every other error.
pub fn found<T>(result: CloudResult<T>) -> CloudResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
