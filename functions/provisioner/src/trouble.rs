//! What keeps a step from being done.

use mainsheet_cloud::account::{CloudError, ClusterIssue};
use mainsheet_core::Error;
use mainsheet_core::operation::{FailureCode, OperationError};

/// What keeps a step from being done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The account will say no however often it is asked.
    Lasting(OperationError),
    /// The account may say something else if it is asked again.
    Passing(OperationError),
    /// The table did not answer, or a defect.
    Ours(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<CloudError> for Trouble {
    fn from(error: CloudError) -> Self {
        let passes = error.is_retryable() || matches!(error, CloudError::Conflict { .. });
        let told = told(error);
        if passes { Self::Passing(told) } else { Self::Lasting(told) }
    }
}

impl Trouble {
    /// It cannot be, as `message` says.
    pub(crate) fn lasting(code: FailureCode, message: impl Into<String>) -> Self {
        let remedy = remedy(code).to_owned();
        Self::Lasting(OperationError { code, message: message.into(), remedy, caused_by: None })
    }

    /// Something in the account failed: `what` is a sentence about it, `said` what the provider says.
    pub(crate) fn failed(what: impl Into<String>, said: Option<String>) -> Self {
        let code = cause(said.as_deref().unwrap_or_default());
        let remedy = remedy(code).to_owned();
        Self::Lasting(OperationError {
            code,
            message: what.into(),
            remedy,
            caused_by: said.map(|said| shortened(&said)),
        })
    }

    /// The same, of something of EKS.
    pub(crate) fn failed_with(what: impl Into<String>, issues: &[ClusterIssue]) -> Self {
        let said: Vec<String> = issues.iter().map(|issue| format!("{}: {}", issue.code, issue.message)).collect();
        Self::failed(what, (!said.is_empty()).then(|| said.join("; ")))
    }

    /// The same, with what else is to be done when that is what it is.
    pub(crate) fn remedied(self, code: FailureCode, remedy: impl Into<String>) -> Self {
        match self {
            Self::Lasting(error) if error.code == code => {
                Self::Lasting(OperationError { remedy: remedy.into(), ..error })
            }
            other => other,
        }
    }

    /// Something of the name is there that is not this resource's.
    pub(crate) fn foreign(what: &str) -> Self {
        CloudError::AlreadyExists { what: what.to_owned() }.into()
    }
}

/// What an account's refusal means for whoever asked for the operation.
fn told(error: CloudError) -> OperationError {
    let (code, message, said) = match error {
        CloudError::RoleNotAssumable { role_arn, message } => (
            FailureCode::RoleNotAssumable,
            format!("The role {role_arn} is gone, or does not trust the platform with this connection's external id."),
            Some(message),
        ),
        CloudError::AccessDenied { action, message } => (
            FailureCode::PermissionMissing,
            format!("The connection's role, its permissions boundary or a policy above it does not permit `{action}`."),
            Some(message),
        ),
        CloudError::QuotaExceeded { quota, message } => {
            (FailureCode::QuotaExceeded, format!("The account's quota is used up: {quota}."), Some(message))
        }
        CloudError::RegionUnavailable { region } => {
            (FailureCode::RegionUnavailable, format!("The account has not enabled the region {region}."), None)
        }
        CloudError::Throttled { .. } => (FailureCode::Throttled, "AWS asks for patience.".to_owned(), None),
        CloudError::Unavailable { message } => {
            (FailureCode::ProviderUnavailable, "AWS does not answer.".to_owned(), Some(message))
        }
        CloudError::NotFound { what } => {
            (FailureCode::DependencyMissing, format!("There is no {what} any more."), None)
        }
        CloudError::AlreadyExists { what } => (
            FailureCode::DependencyExists,
            format!("There is a {what} already, which this operation did not make."),
            None,
        ),
        CloudError::Invalid { message } if cause(&message) == FailureCode::VersionUnsupported => {
            (FailureCode::VersionUnsupported, "Amazon EKS does not have this version.".to_owned(), Some(message))
        }
        CloudError::Invalid { message } => {
            (FailureCode::RequestRefused, "AWS does not take the request as it is.".to_owned(), Some(message))
        }
        CloudError::Conflict { message } => (
            FailureCode::DependencyExists,
            "Something that is in use, or is being changed, stands in the way.".to_owned(),
            Some(message),
        ),
    };
    let remedy = remedy(code).to_owned();
    OperationError { code, message, remedy, caused_by: said.map(|said| shortened(&said)) }
}

/// What is to be done.
fn remedy(code: FailureCode) -> &'static str {
    match code {
        FailureCode::RoleNotAssumable => {
            "Deploy the connection's template again, verify the connection, and try again."
        }
        FailureCode::PermissionMissing => {
            "Bring the connection's stack to the newest template, and remove what denies the action; then try again."
        }
        FailureCode::QuotaExceeded => {
            "Ask AWS for more in Service Quotas, or remove what is not needed in this region; then try again."
        }
        FailureCode::CapacityUnavailable => "Try again later, or with other instance types.",
        FailureCode::AddressConflict => "Choose addresses that are free, with enough room.",
        FailureCode::VersionUnsupported => "Choose a version that Amazon EKS has.",
        FailureCode::RegionUnavailable => "Enable the region in the account, or choose another one.",
        FailureCode::DependencyExists => "Remove what the message names, or wait until it is free; then try again.",
        FailureCode::DependencyMissing => "Destroy what is left, and provision it anew.",
        FailureCode::RequestRefused | FailureCode::ResourceFailed => "Change what the provider names, and try again.",
        FailureCode::TimedOut | FailureCode::Throttled | FailureCode::ProviderUnavailable => "Try again later.",
        FailureCode::Cancelled => "",
        FailureCode::Internal => "Try again later; if it fails again, tell the platform's operators.",
    }
}

/// What is behind a failure, by what the provider says of it.
fn cause(said: &str) -> FailureCode {
    let said = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["limitexceeded", "limit exceeded", "quota", "maximum number of"]) {
        FailureCode::QuotaExceeded
    } else if has(&["accessdenied", "not authorized", "access denied", "unauthorizedoperation"]) {
        FailureCode::PermissionMissing
    } else if has(&["insufficientinstancecapacity", "insufficient capacity"]) {
        FailureCode::CapacityUnavailable
    } else if has(&["insufficientfreeaddresses", "cidr", "overlap"]) {
        FailureCode::AddressConflict
    } else if has(&["kubernetes version"]) {
        FailureCode::VersionUnsupported
    } else if has(&["dependencyviolation", "has dependencies", "in use"]) {
        FailureCode::DependencyExists
    } else {
        FailureCode::ResourceFailed
    }
}

/// What the provider says, in at most 500 characters.
fn shortened(said: &str) -> String {
    said.chars().take(500).collect()
}
