//! Relations, and which roles have them: the one table that decides.

use std::fmt;

use mainsheet_core::role::{OrganizationRole, TeamRole};

/// Where a relation can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Over the organization alone.
    Organization,
    /// Over the organization, which includes all of its teams, or over one team.
    Team,
}

macro_rules! relations {
    ($($name:ident: $scope:ident, $description:literal;)+) => {
        /// What somebody may do, over an organization or a team (contract, decisions, Access).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Relation { $(#[doc = $description] $name,)+ }

        impl Relation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Where it can be held.
            #[must_use]
            pub fn scope(self) -> Scope {
                match self { $(Self::$name => Scope::$scope,)+ }
            }
        }

        /// Relations as types, for extractors to ask for.
        pub mod needs {
            $(
                #[doc = $description]
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl super::Needs for $name {
                    const RELATION: super::Relation = super::Relation::$name;
                }
            )+
        }
    };
}

/// A relation as a type.
pub trait Needs: Send + Sync + 'static {
    /// The relation.
    const RELATION: Relation;
}

relations! {
    CanManageOrganization: Organization, "Change the organization's name, defaults and settings.";
    CanManageTeams: Organization, "Create, change and delete teams and their members.";
    CanViewClusters: Organization, "See every cluster.";
    CanManageClusters: Organization, "Register, share and retire clusters.";
    CanViewQueries: Team, "See saved queries.";
    CanManageQueries: Team, "Create, change, share and delete saved queries.";
    CanViewJobs: Team, "See jobs, their runs, logs and results.";
    CanManageJobs: Team, "Create, change, share and delete jobs.";
    CanRunJobs: Team, "Start and stop runs.";
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Relation {
    fn is_view(self) -> bool {
        matches!(self, Self::CanViewClusters | Self::CanViewQueries | Self::CanViewJobs)
    }

    /// Whether a role of the organization has it, over the organization and so over every team.
    #[must_use]
    pub fn is_held_by(self, role: OrganizationRole) -> bool {
        match role {
            OrganizationRole::Owner | OrganizationRole::Admin | OrganizationRole::Emergency => true,
            OrganizationRole::Auditor => self.is_view(),
            OrganizationRole::Billing | OrganizationRole::Member => false,
        }
    }

    /// Whether a role of a team has it, over that team.
    #[must_use]
    pub fn is_held_in_team_by(self, role: TeamRole) -> bool {
        self.scope() == Scope::Team
            && match role {
                TeamRole::Admin | TeamRole::Editor => true,
                TeamRole::Viewer => self.is_view(),
            }
    }
}
