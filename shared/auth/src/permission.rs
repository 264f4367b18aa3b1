//! Relations, bundles, and which roles have them: the one table that decides (contract, decisions, Access).

use std::fmt;
use std::str::FromStr;

use mainsheet_core::role::{OrganizationRole, TeamRole};

/// Where a relation can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Over the organization alone.
    Organization,
    /// Over the organization, which includes all of its teams, or over one team.
    Team,
}

impl Scope {
    /// The object types on the wire (contract, `validObjectTypes`).
    #[must_use]
    pub fn object_types(self) -> &'static [&'static str] {
        match self {
            Self::Organization => &["organization"],
            Self::Team => &["organization", "team"],
        }
    }
}

/// A text that names no relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no permission; `GET /auth/permissions` lists them")]
pub struct UnknownRelation;

/// A relation as a type.
pub trait Needs: Send + Sync + 'static {
    /// The relation.
    const RELATION: Relation;
}

macro_rules! relations {
    ($($(#[$bundle_doc:meta])* $bundle:ident = $id:literal, $title:literal {
        $($name:ident: $scope:ident, $description:literal;)+
    })+) => {
        /// What somebody may do, over an organization or a team.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Relation { $($(#[doc = $description] $name,)+)+ }

        impl Relation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// Its name on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)+)+ }
            }

            /// What it permits, for people.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $($(Self::$name => $description,)+)+ }
            }

            /// Where it can be held.
            #[must_use]
            pub fn scope(self) -> Scope {
                match self { $($(Self::$name => Scope::$scope,)+)+ }
            }

            /// The bundle that it is in.
            #[must_use]
            pub fn bundle(self) -> Bundle {
                match self { $($(Self::$name => Bundle::$bundle,)+)+ }
            }
        }

        /// Relations that go together; each relation is in exactly one bundle.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bundle { $($(#[$bundle_doc])* $bundle,)+ }

        impl Bundle {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$bundle,)+];

            /// Its id on the wire, which is its code, too.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$bundle => $id,)+ }
            }

            /// Its name for people.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$bundle => $title,)+ }
            }

            /// What is in it.
            #[must_use]
            pub fn relations(self) -> &'static [Relation] {
                match self { $(Self::$bundle => &[$(Relation::$name,)+],)+ }
            }
        }

        /// Relations as types, for extractors to ask for.
        pub mod needs {
            $($(
                #[doc = $description]
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl super::Needs for $name {
                    const RELATION: super::Relation = super::Relation::$name;
                }
            )+)+
        }
    };
}

relations! {
    /// What only an Owner's role has; no policy can give it.
    Ownership = "OWNERSHIP", "Ownership" {
        CanManageOwners: Organization, "Give and take the roles Owner and Emergency.";
    }
    /// Who belongs to the organization and what they may do.
    Administration = "ADMINISTRATION", "Administration" {
        CanManageOrganization: Organization, "Change the organization's name, defaults and settings.";
        CanManageUsers: Organization, "See, create, change and delete user accounts.";
        CanManageMembers: Organization, "Invite, change and remove members.";
        CanManageRoles: Organization, "Change the organization roles of members.";
        CanManageTeams: Team, "Change teams and their members; over the organization also create and delete teams.";
        CanManagePolicies: Organization, "See, set and delete policies.";
        CanManageServiceAccounts: Organization, "Manage service accounts and their keys.";
        CanManageIdentityProviders: Organization, "Set up single sign-on.";
        CanManageNotifications: Organization, "Manage notification channels and rules of others.";
    }
    /// What has been done.
    Audit = "AUDIT", "Audit" {
        CanViewAuditLog: Organization, "Read the audit log and its checkpoints.";
    }
    /// What it costs.
    Billing = "BILLING", "Billing" {
        CanViewBilling: Organization, "See usage, cost and invoices.";
    }
    /// Seeing what runs where.
    InfrastructureView = "INFRASTRUCTUREVIEW", "View infrastructure" {
        CanViewConnections: Organization, "See cloud accounts.";
        CanViewNetworks: Organization, "See networks.";
        CanViewClusters: Organization, "See every cluster.";
    }
    /// Building and tearing down.
    Infrastructure = "INFRASTRUCTURE", "Manage infrastructure" {
        CanManageConnections: Organization, "Connect, change and remove cloud accounts.";
        CanManageNetworks: Organization, "Create, change and destroy networks.";
        CanManageClusters: Organization, "Register, provision, share and retire clusters.";
        CanAccessClusters: Organization, "Get the kubeconfig of a cluster.";
        CanManageCatalogs: Organization, "Register, provision, change, share and remove catalogs.";
    }
    /// Seeing what is worked on.
    WorkView = "WORKVIEW", "View work" {
        CanViewCatalogs: Team, "See catalogs.";
        CanViewQueries: Team, "See saved queries.";
        CanViewJobs: Team, "See jobs, their runs, logs and results.";
    }
    /// Working.
    Work = "WORK", "Work" {
        CanManageQueries: Team, "Create, change, share and delete saved queries.";
        CanManageJobs: Team, "Create, change, share and delete jobs.";
        CanRunJobs: Team, "Start and stop runs.";
        CanRunSessions: Team, "Start and stop interactive sessions.";
        CanManageWorkloadConfigs: Team, "Create, change and delete workload configurations.";
        CanManageNotebooks: Team, "Create, change, share and delete notebooks.";
        CanManageSecrets: Team, "Create, replace, share and delete secrets.";
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Relation {
    type Err = UnknownRelation;

    fn from_str(text: &str) -> Result<Self, UnknownRelation> {
        Self::ALL.iter().copied().find(|relation| relation.as_str() == text).ok_or(UnknownRelation)
    }
}

/// What a role of the organization has: bundles, over the organization and so over every team.
#[must_use]
pub fn bundles_of(role: OrganizationRole) -> &'static [Bundle] {
    match role {
        OrganizationRole::Owner | OrganizationRole::Emergency => Bundle::ALL,
        OrganizationRole::Admin => {
            // Everything but the first, `Ownership`.
            &[
                Bundle::Administration,
                Bundle::Audit,
                Bundle::Billing,
                Bundle::InfrastructureView,
                Bundle::Infrastructure,
                Bundle::WorkView,
                Bundle::Work,
            ]
        }
        OrganizationRole::Auditor => &[Bundle::Audit, Bundle::Billing, Bundle::InfrastructureView, Bundle::WorkView],
        OrganizationRole::Billing => &[Bundle::Billing],
        OrganizationRole::Member => &[],
    }
}

/// What a role of a team has by bundles, over that team.
#[must_use]
pub fn bundles_of_team_role(role: TeamRole) -> &'static [Bundle] {
    match role {
        TeamRole::Admin | TeamRole::Editor => &[Bundle::WorkView, Bundle::Work],
        TeamRole::Viewer => &[Bundle::WorkView],
    }
}

/// What a role of a team has besides its bundles, over that team.
#[must_use]
pub fn relations_of_team_role(role: TeamRole) -> &'static [Relation] {
    match role {
        TeamRole::Admin => &[Relation::CanManageTeams],
        TeamRole::Editor | TeamRole::Viewer => &[],
    }
}

impl Relation {
    /// Whether it comes with a role alone, so that no policy can give it (contract, `systemOnly`).
    #[must_use]
    pub fn is_system_only(self) -> bool {
        self.bundle() == Bundle::Ownership
    }

    /// Whether a role of the organization has it, over the organization and so over every team.
    #[must_use]
    pub fn is_held_by(self, role: OrganizationRole) -> bool {
        bundles_of(role).contains(&self.bundle())
    }

    /// Whether a role of a team has it, over that team.
    #[must_use]
    pub fn is_held_in_team_by(self, role: TeamRole) -> bool {
        self.scope() == Scope::Team
            && (bundles_of_team_role(role).contains(&self.bundle()) || relations_of_team_role(role).contains(&self))
    }

    /// Who can give it to somebody over the organization or over a team, as a sentence.
    #[must_use]
    pub fn granted_by(self, over: Scope) -> &'static str {
        match (self.is_system_only(), over) {
            (true, _) => "An Owner of the organization can give you a role that has it.",
            (false, Scope::Organization) => "An Owner or Admin of the organization can grant it.",
            (false, Scope::Team) => "An Owner or Admin of the organization, or a Team Admin of the team, can grant it.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_is_found_by_its_name_and_in_its_bundle() {
        for relation in Relation::ALL.iter().copied() {
            assert_eq!(relation.as_str().parse(), Ok(relation));
            assert!(relation.bundle().relations().contains(&relation), "{relation}");
        }
        assert_eq!("CanFly".parse::<Relation>(), Err(UnknownRelation));
    }

    #[test]
    fn an_admin_has_all_but_ownership() {
        for relation in Relation::ALL.iter().copied() {
            assert_eq!(relation.is_held_by(OrganizationRole::Admin), !relation.is_system_only(), "{relation}");
        }
    }
}
