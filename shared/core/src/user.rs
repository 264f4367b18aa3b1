//! Users: people, across organizations.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their primary address, as they wrote it.
    #[schema(examples("alice@example.com"))]
    pub email: String,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// What to call them: their names, else the address.
    pub display_name: String,
    /// When they signed up.
    pub created_at: Timestamp,
    /// When their profile last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// What to call somebody who did not say: by their names, else by their address.
    #[must_use]
    pub fn named(given_name: Option<&str>, family_name: Option<&str>, email: &str) -> String {
        let names: Vec<&str> = [given_name, family_name].into_iter().flatten().collect();
        if names.is_empty() { email.to_owned() } else { names.join(" ") }
    }

    /// Whether an address is their primary one.
    #[must_use]
    pub fn has_primary_email(&self, email: &NormalizedEmail) -> bool {
        NormalizedEmail::of(&self.email) == *email
    }
}

/// An email address, well-formed as HTML's `input type=email` has it, at most 254 characters (RFC 5321, 4.5.3.1.3).
/// Compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NormalizedEmail(String);

impl NormalizedEmail {
    /// The form under which an address that was already checked is looked up.
    #[must_use]
    pub fn of(address: &str) -> Self {
        Self(address.trim().to_lowercase())
    }

    /// The normalized text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
