//! What a path names, loaded and authorised before anything else of the request is looked at.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use mainsheet_api::{HasApp, Member, Path, Permitted, Problem};
use mainsheet_auth::needs::CanManageUsers;
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::member::AccountType;
use mainsheet_core::role::OrganizationRole;
use mainsheet_core::team::Team;
use mainsheet_core::user::User;
use mainsheet_core::{Error, MemberId, Result, TeamId, UserId};
use mainsheet_store::Row;
use mainsheet_store::members::MemberRecord;
use mainsheet_store::users::{Access, Membership};

/// A member whom the caller may change: themself, or anybody for who manages members.
pub(crate) struct EditableMember {
    pub(crate) caller: Caller,
    pub(crate) row: Row<MemberRecord>,
}

/// A team whose settings and members the caller manages.
pub(crate) struct ManagedTeam {
    pub(crate) caller: Caller,
    pub(crate) row: Row<Team>,
}

/// A team that the caller manages, and a member of the organization.
pub(crate) struct TeamAndMember {
    pub(crate) caller: Caller,
    pub(crate) team: Row<Team>,
    pub(crate) member: Row<MemberRecord>,
}

/// A person of the organization.
pub(crate) struct OrganizationUser {
    pub(crate) caller: Caller,
    pub(crate) user: Row<User>,
    pub(crate) access: Row<Access>,
    pub(crate) membership: Membership,
}

/// A person whose account is the organization's to manage.
pub(crate) struct ManagedUser(pub(crate) OrganizationUser);

impl<S: HasApp> FromRequestParts<S> for EditableMember {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(member) = Path::<MemberId>::from_request_parts(parts, state).await?;
        let row = state.app().store.member(caller.tenant(), &member).await?;
        if row.value.member.id != *caller.member_id() {
            caller.require(Relation::CanManageMembers)?;
        }
        Ok(Self { caller, row })
    }
}

impl<S: HasApp> FromRequestParts<S> for ManagedTeam {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(team) = Path::<TeamId>::from_request_parts(parts, state).await?;
        let row = state.app().store.team(caller.tenant(), &team).await?;
        caller.require_in_all(Relation::CanManageTeams, std::slice::from_ref(&team))?;
        Ok(Self { caller, row })
    }
}

impl<S: HasApp> FromRequestParts<S> for TeamAndMember {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path((team, member)) = Path::<(TeamId, MemberId)>::from_request_parts(parts, state).await?;
        let found = state.app().store.team_and_member(caller.tenant(), &team, &member).await?;
        caller.require_in_all(Relation::CanManageTeams, &[team])?;
        Ok(Self { caller, team: found.0, member: found.1 })
    }
}

impl<S: HasApp> FromRequestParts<S> for OrganizationUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let permitted = Permitted::<CanManageUsers>::from_request_parts(parts, state).await?;
        let Path(user) = Path::<UserId>::from_request_parts(parts, state).await?;
        let caller = Caller::clone(&permitted);
        let (user, access) = state.app().store.profile(&user).await?.ok_or(Error::NotFound)?;
        let membership = access.value.memberships.get(caller.tenant().organization_id()).cloned();
        Ok(Self { caller, user, access, membership: membership.ok_or(Error::NotFound)? })
    }
}

impl<S: HasApp> FromRequestParts<S> for ManagedUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = OrganizationUser::from_request_parts(parts, state).await?;
        found.require_managed()?;
        let roles = found.membership.active_roles(state.app().now()).map(|(role, _)| role);
        require_over(&found.caller, roles)?;
        Ok(Self(found))
    }
}

impl OrganizationUser {
    /// The account is the organization's: it says so, and no other organization's safety hangs on it.
    fn require_managed(&self) -> Result<()> {
        let message = match self.membership.account_type {
            AccountType::External => "The account is the person's own; the organization gives it access and no more.",
            AccountType::Managed if self.access.value.memberships.len() > 1 => {
                "The person belongs to other organizations, too, so that none of them alone manages the account."
            }
            AccountType::Managed => return Ok(()),
        };
        Err(Error::Forbidden { code: "external_account", message: message.to_owned() })
    }
}

/// What is done to an Owner, only Owners may do: who else could would be one in effect.
///
/// # Errors
/// [`Error::Forbidden`] that names the relation.
pub(crate) fn require_over(caller: &Caller, roles: impl IntoIterator<Item = OrganizationRole>) -> Result<()> {
    if roles.into_iter().any(is_guarded) { caller.require(Relation::CanManageOwners) } else { Ok(()) }
}

/// Whether a role is given and taken by Owners alone.
pub(crate) fn is_guarded(role: OrganizationRole) -> bool {
    Relation::CanManageOwners.is_held_by(role)
}
