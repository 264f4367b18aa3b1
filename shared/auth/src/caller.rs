//! The person behind a request: signed in, and in an organization.

use mainsheet_core::{Error, MemberId, OrganizationId, Result, TeamId, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::idempotency::{IdempotencyKey, IdempotencyRecord};
use mainsheet_store::users::{Access, Login, Membership};
use mainsheet_store::{Row, Store, Tenant};

use crate::keys::KeyRing;
use crate::permission::Relation;
use crate::token::AccessToken;

/// A person who is signed in, in no organization's name.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Their login.
    pub login: Login,
    /// What they may reach.
    pub access: Row<Access>,
    /// What came of an earlier request of theirs with the same idempotency key.
    pub earlier: Option<IdempotencyRecord>,
    /// Where the request came from.
    pub origin: Origin,
}

/// A member of an organization: what every handler of a tenant's data starts from.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The person.
    pub signed_in: SignedIn,
    tenant: Tenant,
    membership: Membership,
}

impl SignedIn {
    /// Whom a token stands for: its check in process, and one round trip.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a bad token, or one whose login has ended.
    pub async fn authenticate(
        store: &Store,
        ring: &KeyRing,
        token: &str,
        key: Option<&IdempotencyKey>,
        origin: Origin,
    ) -> Result<Self> {
        let now = store.now();
        let token = AccessToken::check(ring, token, now).await?;
        let found = store.identify(&token.user_id, &token.login_id, key).await?;
        let login = found.login.map(|row| row.value).filter(|login| login.expires_at > now);
        let login = login.ok_or_else(|| Error::unauthenticated("the login has ended"))?;
        let access = found.access.ok_or_else(|| Error::unauthenticated("the user is gone"))?;
        Ok(Self { login, access, earlier: found.earlier, origin })
    }

    /// The person.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.login.user_id
    }

    /// The beginning of an audit record in the person's own trail.
    #[must_use]
    pub fn audit(&self, action: &'static str, target: &impl ToString) -> Audit {
        Audit {
            scope: Scope::User(self.user_id().clone()),
            actor: Actor::User { user_id: self.user_id().clone() },
            origin: self.origin.clone(),
            action,
            target: target.to_string(),
        }
    }

    /// The person as a member of the organization that they named, or of their only one.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they named none and have several or none; [`Error::NotFound`] when they are no member of
    /// the one they named.
    pub fn enter(self, named: Option<&OrganizationId>) -> Result<Caller> {
        let memberships = &self.access.value.memberships;
        let id = match named {
            Some(named) => named.clone(),
            None if memberships.len() == 1 => memberships.keys().next().cloned().ok_or(Error::NotFound)?,
            None => return Err(choose(memberships.keys())),
        };
        let (tenant, membership) = self.access.value.membership(&id).ok_or(Error::NotFound)?;
        let membership = membership.clone();
        Ok(Caller { signed_in: self, tenant, membership })
    }
}

fn choose<'a>(choices: impl Iterator<Item = &'a OrganizationId>) -> Error {
    let choices: Vec<&str> = choices.map(OrganizationId::as_str).collect();
    let message = if choices.is_empty() {
        "You belong to no organization. Ask for an invitation, or sign up with an organization of your own.".to_owned()
    } else {
        format!("You belong to several organizations. Name one in `LakeSail-Organization-Id`: {}.", choices.join(", "))
    };
    Error::malformed("organization_required", message)
}

impl Caller {
    /// The proof of their organization.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Who they are in the organization.
    #[must_use]
    pub fn member_id(&self) -> &MemberId {
        &self.membership.member_id
    }

    /// Whether they have a relation over the organization.
    #[must_use]
    pub fn may(&self, relation: Relation) -> bool {
        self.membership.roles.iter().any(|role| relation.is_held_by(*role))
    }

    /// Whether they have a relation over a team.
    #[must_use]
    pub fn may_in(&self, relation: Relation, team: &TeamId) -> bool {
        let seat = self.membership.seats.get(team).map(Vec::as_slice).unwrap_or_default();
        self.may(relation) || seat.iter().any(|role| relation.is_held_in_team_by(*role))
    }

    /// Whether they have a relation over one of the teams that something is shared with.
    #[must_use]
    pub fn may_in_any(&self, relation: Relation, teams: &[TeamId]) -> bool {
        self.may(relation) || teams.iter().any(|team| self.may_in(relation, team))
    }

    /// Whether they sit in a team, by a seat or by a role that sits in all of them.
    #[must_use]
    pub fn sits_in(&self, team: &TeamId) -> bool {
        self.membership.seats.contains_key(team) || self.membership.roles.iter().any(|role| role.is_in_all_teams())
    }

    /// Whether they sit in every team, by a role that does.
    #[must_use]
    pub fn sits_in_all(&self) -> bool {
        self.membership.roles.iter().any(|role| role.is_in_all_teams())
    }

    /// They have a relation over the organization.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names it.
    pub fn require(&self, relation: Relation) -> Result<()> {
        if self.may(relation) { Ok(()) } else { Err(missing(relation, "the organization")) }
    }

    /// They have a relation over every one of the named teams.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names it and the first team without it.
    pub fn require_in_all(&self, relation: Relation, teams: &[TeamId]) -> Result<()> {
        match teams.iter().find(|team| !self.may_in(relation, team)) {
            None => Ok(()),
            Some(team) => Err(missing(relation, &format!("team {team}"))),
        }
    }

    /// They may do something to a thing that is shared with these teams, where seeing it takes another relation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they may not even see it; [`Error::Forbidden`] when they may see it only.
    pub fn require_in_any(&self, relation: Relation, visible: Relation, teams: &[TeamId]) -> Result<()> {
        if self.may_in_any(relation, teams) {
            Ok(())
        } else if self.may_in_any(visible, teams) {
            Err(missing(relation, "one of its teams"))
        } else {
            Err(Error::NotFound)
        }
    }

    /// The beginning of an audit record in the organization's trail.
    #[must_use]
    pub fn audit(&self, action: &'static str, target: &impl ToString) -> Audit {
        Audit {
            scope: Scope::Tenant(self.tenant.clone()),
            actor: Actor::Member {
                member_id: self.member_id().clone(),
                user_id: self.signed_in.user_id().clone(),
                login_id: self.signed_in.login.id.clone(),
            },
            origin: self.signed_in.origin.clone(),
            action,
            target: target.to_string(),
        }
    }
}

fn missing(relation: Relation, over: &str) -> Error {
    let granted_by = match relation.scope() {
        crate::permission::Scope::Organization => "An Owner or Admin of the organization can grant it.",
        crate::permission::Scope::Team => {
            "An Owner or Admin of the organization, or a Team Admin of the team, can grant it."
        }
    };
    let message = format!("You need `{relation}` over {over}. {granted_by}");
    Error::Forbidden { code: "permission_missing", message }
}
