//! The two fixed catalogues of roles (contract, decisions, Access).

use serde::{Deserialize, Serialize};

use crate::RoleId;

/// A role whose text is not in its catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no role of this catalogue")]
pub struct UnknownRole;

macro_rules! roles {
    ($(#[$doc:meta])* $name:ident { $(#[doc = $description:literal] $variant:ident = $id:literal, $title:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $description] #[serde(rename = $id)] $variant,)+ }

        impl $name {
            /// The catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its id on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// Its name for people.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What it is, for people.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $description.trim_ascii(),)+ }
            }
        }

        impl TryFrom<&RoleId> for $name {
            type Error = UnknownRole;

            fn try_from(id: &RoleId) -> Result<Self, UnknownRole> {
                Self::ALL.iter().copied().find(|role| role.as_str() == id.as_str()).ok_or(UnknownRole)
            }
        }

        impl From<$name> for RoleId {
            fn from(role: $name) -> Self {
                Self::constant(role.as_str())
            }
        }
    };
}

roles! {
    /// What a member is in the organization.
    OrganizationRole {
        /// All there is, in every team.
        Owner = "OWNER", "Owner";
        /// All but the organization's end, in every team.
        Admin = "ADMIN", "Admin";
        /// Accounts, usage and cost.
        Billing = "BILLING", "Billing";
        /// Sees everything, changes nothing.
        Auditor = "AUDITOR", "Auditor";
        /// What their teams give them.
        Member = "MEMBER", "Member";
        /// All there is, for four hours, in front of everybody's eyes.
        Emergency = "EMERGENCY", "Emergency";
    }
}

roles! {
    /// What a member is in a team.
    TeamRole {
        /// Its members and its resources.
        Admin = "TEAMADMIN", "Team Admin";
        /// Its resources.
        Editor = "EDITOR", "Editor";
        /// Sees its resources.
        Viewer = "VIEWER", "Viewer";
    }
}

impl OrganizationRole {
    /// Whether its holders sit in every team.
    #[must_use]
    pub fn is_in_all_teams(self) -> bool {
        matches!(self, Self::Owner | Self::Admin | Self::Emergency)
    }
}
