//! The one error of the control plane. It knows nothing of HTTP; `shared/api` writes it as a problem response.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// What every fallible operation of the control plane returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed.
///
/// `message` fields are for the caller: what was wrong and what to do. `internal` fields are for the log alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request cannot be understood, or contradicts itself.
    #[error("malformed: {message}")]
    Malformed {
        /// Stable, machine-readable.
        code: &'static str,
        /// What was wrong and what to do.
        message: String,
    },
    /// No credentials, or bad ones.
    #[error("unauthenticated: {internal}")]
    Unauthenticated {
        /// Which check failed; never told to the caller.
        internal: String,
    },
    /// A client that does not prove that it holds the key which its token is, or has to be, bound to (RFC 9449).
    #[error("not proven: {internal}")]
    NotProven {
        /// Which check failed; never told to the caller.
        internal: String,
    },
    /// A known caller without the permission.
    #[error("forbidden: {message}")]
    Forbidden {
        /// Stable, machine-readable.
        code: &'static str,
        /// Names the missing relation and who can grant it.
        message: String,
    },
    /// Absent, another tenant's, or out of the caller's reach: the three are never told apart.
    #[error("not found")]
    NotFound,
    /// The state of things, or a name that is taken, stands against it.
    #[error("conflict ({code}): {message}")]
    Conflict {
        /// Stable, machine-readable.
        code: &'static str,
        /// What stands against it and what to do.
        message: String,
    },
    /// `If-Match` names a version that is no longer current.
    #[error("stale version")]
    StaleVersion,
    /// The body is larger than the route takes.
    #[error("body larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not of the media type the route takes.
    #[error("a body that is not {takes}")]
    UnsupportedMediaType {
        /// The media type that it takes.
        takes: &'static str,
    },
    /// Fields that break a rule.
    #[error("invalid fields: {0:?}")]
    Invalid(FieldErrors),
    /// The idempotency key came before with another request.
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    /// Too much, too soon.
    #[error("too many requests")]
    TooManyRequests {
        /// When to come again.
        retry_after: Duration,
    },
    /// A system this one stands on does not answer; the same request may succeed later.
    #[error("unavailable: {internal}")]
    Unavailable {
        /// What failed; for the log.
        internal: String,
    },
    /// The provider of a customer's account does not answer, or what the customer runs there; the same request may succeed later.
    /// It says nothing about the platform.
    #[error("provider unavailable: {internal}")]
    ProviderUnavailable {
        /// What failed; for the log.
        internal: String,
    },
    /// A defect of ours.
    #[error("internal: {internal}")]
    Internal {
        /// What failed; for the log.
        internal: String,
    },
}

impl Error {
    /// A request that cannot be understood.
    pub fn malformed(code: &'static str, message: impl Into<String>) -> Self {
        Self::Malformed { code, message: message.into() }
    }

    /// Bad or no credentials; the reason goes to the log alone.
    pub fn unauthenticated(internal: impl Display) -> Self {
        Self::Unauthenticated { internal: internal.to_string() }
    }

    /// No proof of possession, or a bad one; the reason goes to the log alone.
    pub fn not_proven(internal: impl Display) -> Self {
        Self::NotProven { internal: internal.to_string() }
    }

    /// A state or a uniqueness rule that stands against the request.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// One field that breaks a rule.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::of(field, message))
    }

    /// A defect of ours; the text goes to the log alone.
    pub fn internal(internal: impl Display) -> Self {
        Self::Internal { internal: internal.to_string() }
    }

    /// A dependency that does not answer; the text goes to the log alone.
    pub fn unavailable(internal: impl Display) -> Self {
        Self::Unavailable { internal: internal.to_string() }
    }

    /// A customer's account that does not answer; the text goes to the log alone.
    pub fn provider_unavailable(internal: impl Display) -> Self {
        Self::ProviderUnavailable { internal: internal.to_string() }
    }

    /// Whether the very same request may succeed later without anything else changing.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::TooManyRequests { .. }
                | Self::Unavailable { .. }
                | Self::ProviderUnavailable { .. }
                | Self::Internal { .. }
        )
    }
}

/// Messages by field path, as in `config.sql.source` or `teamIds[1]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<String, String>);

impl FieldErrors {
    /// One message.
    pub fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    /// Adds a message; the first one for a field stays.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.entry(field.into()).or_insert_with(|| message.into());
    }

    /// `Ok` when there are none.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all of them otherwise.
    pub fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }

    /// The messages by field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, message)| (field.as_str(), message.as_str()))
    }
}
