//! The accounts of the organization's people.

pub(crate) mod change_password;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod reset_mfa;
pub(crate) mod reset_password;
pub(crate) mod update;

use garde::Validate;
use mainsheet_api::text;
use mainsheet_core::user::User;
use serde::Deserialize;
use utoipa::ToSchema;

/// A person's profile. What is absent stays; a new person needs an address.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserProfileWrite {
    /// Their primary address. A new one has to be confirmed by the link that is mailed to it.
    #[garde(inner(length(chars, max = 254), email))]
    #[schema(format = "email", max_length = 254)]
    email: Option<String>,
    /// First name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    given_name: Option<String>,
    /// Last name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    family_name: Option<String>,
    /// What to call them; for a new person their names, else the address.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
}

/// What to call somebody who did not say.
pub(crate) fn display_name(given: Option<&str>, family: Option<&str>, email: &str) -> String {
    let names: Vec<&str> = [given, family].into_iter().flatten().collect();
    if names.is_empty() { email.to_owned() } else { names.join(" ") }
}

impl UserProfileWrite {
    /// The profile after the change.
    fn applied_to(self, before: &User) -> User {
        User {
            email: self.email.unwrap_or_else(|| before.email.clone()),
            given_name: self.given_name.or_else(|| before.given_name.clone()),
            family_name: self.family_name.or_else(|| before.family_name.clone()),
            display_name: self.display_name.unwrap_or_else(|| before.display_name.clone()),
            ..before.clone()
        }
    }
}
