//! What AWS says no with, and what that means.
//!
//! Codes are those of the services' API references. One table serves all of them: where two services mean different things by
//! one code, the call that was made tells which.

use std::fmt;
use std::time::Duration;

use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::{Session, sts};
use crate::account::{Action, CloudError, CloudResult, QuotaKind};

/// A call, as far as its refusal depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// As in IAM policies.
    action: &'static str,
    /// What it is about: its kind and its name.
    what: (&'static str, &'a str),
}

impl<'a> Asked<'a> {
    pub(crate) fn new(action: Action, kind: &'static str, name: &'a str) -> Self {
        Self { action: action.as_str(), what: (kind, name) }
    }

    /// What makes a session of a role. It is the platform's own call, which no policy of the customer's has to permit.
    pub(crate) fn assume_role(role_arn: &'a str) -> Self {
        Self { action: "sts:AssumeRole", what: ("role", role_arn) }
    }

    fn makes_something(self) -> bool {
        self.action.contains(":Create")
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.what;
        write!(formatter, "{kind} {name}")
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Of the call itself.
    Call(CloudError),
    /// The session's credentials are not taken.
    Credentials {
        /// They were good for too long: others will do.
        outdated: bool,
        /// What AWS said.
        message: String,
    },
}

impl Session {
    /// What came of a call.
    pub(crate) async fn answer<T, E>(
        &self,
        asked: Asked<'_>,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> CloudResult<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match answer.map_err(|error| refusal(asked, &error)) {
            Ok(value) => Ok(value),
            Err(Refusal::Call(error)) => Err(error),
            Err(Refusal::Credentials { outdated, message }) => Err(self.locked_out(outdated, message).await),
        }
    }

    /// Why credentials are not taken that were handed out before: the role is gone or trusts the platform no more, or it is
    /// there and only the region is not. AWS says the same; assuming the role again tells.
    async fn locked_out(&self, outdated: bool, message: String) -> CloudError {
        self.accounts.forget(&self.access);
        match sts::assume(&self.accounts.0.config, &self.access).await {
            Err(error) => error,
            Ok(_) if outdated => CloudError::Unavailable { message },
            Ok(_) => CloudError::RegionUnavailable { region: self.access.region.clone() },
        }
    }
}

/// What a failed call means.
pub(crate) fn refusal<E>(asked: Asked<'_>, error: &SdkError<E, HttpResponse>) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let answer = match error {
        // What cannot be read as an answer is none, whatever its status says.
        SdkError::ServiceError(answer) if !answer.raw().status().is_success() => answer.raw(),
        SdkError::ConstructionFailure(_) => {
            return Refusal::Call(CloudError::Invalid { message: DisplayErrorContext(error).to_string() });
        }
        _ => return Refusal::Call(CloudError::Unavailable { message: DisplayErrorContext(error).to_string() }),
    };
    let retry_after = answer.headers().get("retry-after").and_then(|seconds| seconds.parse().ok());
    Said {
        asked,
        status: answer.status().as_u16(),
        code: error.code().unwrap_or_default(),
        message: error.message().unwrap_or_default(),
        retry_after: retry_after.map(Duration::from_secs),
    }
    .meaning()
}

/// An answer that is a refusal.
struct Said<'a> {
    asked: Asked<'a>,
    status: u16,
    code: &'a str,
    message: &'a str,
    retry_after: Option<Duration>,
}

impl Said<'_> {
    fn meaning(&self) -> Refusal {
        match self.code {
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => self.credentials(true),
            "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure" | "OptInRequired" => {
                self.credentials(false)
            }
            _ => Refusal::Call(self.error()),
        }
    }

    fn credentials(&self, outdated: bool) -> Refusal {
        Refusal::Credentials { outdated, message: self.words() }
    }

    fn error(&self) -> CloudError {
        let (what, message) = (self.asked.to_string(), self.words());
        if let Some(action) = self.denied() {
            return CloudError::AccessDenied { action, message };
        }
        match self.code {
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "RequestLimitExceeded" => CloudError::Throttled { retry_after: self.retry_after },
            "ResourceNotFoundException" | "NotFoundException" | "NoSuchEntity" | "NoSuchResourceException" => {
                CloudError::NotFound { what }
            }
            "AlreadyExistsException" | "TokenAlreadyExistsException" => CloudError::AlreadyExists { what },
            "ResourceInUseException" if self.asked.makes_something() => CloudError::AlreadyExists { what },
            // To EKS a request is invalid that does not fit what the cluster is doing.
            "ResourceInUseException"
            | "InvalidRequestException"
            | "InvalidStateException"
            | "OperationInProgressException"
            | "DependencyViolation" => CloudError::Conflict { message },
            "ValidationError" => self.validation(),
            "ResourcePropagationDelayException" => CloudError::Unavailable { message },
            code if code.contains("LimitExceeded") => CloudError::QuotaExceeded { quota: self.quota(), message },
            code if code.ends_with(".NotFound") => CloudError::NotFound { what },
            _ if self.status == 429 => CloudError::Throttled { retry_after: self.retry_after },
            _ if self.status >= 500 => CloudError::Unavailable { message },
            _ => CloudError::Invalid { message },
        }
    }

    /// The action that is not permitted: what AWS names, which may be one that the call needs besides, or the call's own.
    fn denied(&self) -> Option<String> {
        let named = self.message.split_once("not authorized to perform: ").map(|(_, rest)| rest);
        let action = named.map(|rest| rest.split([' ', ',']).next().unwrap_or_default());
        let refused = matches!(self.code, "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation");
        match action.filter(|action| action.contains(':')) {
            Some(action) => Some(action.trim_end_matches('.').to_owned()),
            None => refused.then(|| self.asked.action.to_string()),
        }
    }

    /// CloudFormation has one code for all that does not go, and says more in words.
    fn validation(&self) -> CloudError {
        let message = self.words();
        if self.message.contains("does not exist") && self.message.starts_with("Stack") {
            return CloudError::NotFound { what: self.asked.to_string() };
        }
        let busy = ["can not be", "cannot be deleted while", "cannot be updated while"];
        if self.message.contains("_IN_PROGRESS") || busy.iter().any(|words| self.message.contains(words)) {
            return CloudError::Conflict { message };
        }
        CloudError::Invalid { message }
    }

    fn quota(&self) -> String {
        match self.asked.action {
            "eks:CreateCluster" => QuotaKind::Clusters.as_str().to_owned(),
            "eks:CreateNodegroup" => "managed node groups per EKS cluster".to_owned(),
            "cloudformation:CreateStack" => "CloudFormation stacks".to_owned(),
            _ => self.code.to_owned(),
        }
    }

    /// What AWS said, or its code where that is all.
    fn words(&self) -> String {
        match (self.message, self.code) {
            ("", "") => format!("status {}", self.status),
            ("", code) => code.to_owned(),
            (message, "") => message.to_owned(),
            (message, code) => format!("{code}: {message}"),
        }
    }
}
