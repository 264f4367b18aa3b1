//! Whoever is behind a request, a person or a service account, and what they may do in an organization.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mainsheet_core::organization::Organization;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::{Error, MemberId, OrganizationId, Result, TeamId, Timestamp, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::idempotency::{IdempotencyKey, IdempotencyRecord, Sender};
use mainsheet_store::organizations::Home;
use mainsheet_store::policies::{Grants, TeamGrants};
use mainsheet_store::service_accounts::{ServiceKey, tenant_of_key};
use mainsheet_store::users::{Access, Login, Membership};
use mainsheet_store::{Row, Store, Tenant};

use crate::keys::KeyRing;
use crate::permission::{self, Relation};
use crate::service_key;
use crate::token::AccessToken;

/// Whoever proved who they are.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A person.
    Person(Box<SignedIn>),
    /// A machine.
    ServiceAccount(Box<KeyHolder>),
}

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
    /// The organization that they probably ask for: they are a member of it.
    pub home: Option<Home>,
    /// The thumbprint of the key that their token is bound to (RFC 9449).
    pub bound_to: Option<String>,
}

/// A service account that presented one of its keys.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The key.
    pub key: Row<ServiceKey>,
    /// What came of an earlier request of theirs with the same idempotency key.
    pub earlier: Option<IdempotencyRecord>,
    /// Where the request came from.
    pub origin: Origin,
}

/// What a request says besides its credentials that is read together with them.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Its idempotency key.
    pub key: Option<IdempotencyKey>,
    /// The organization that it names.
    pub organization: Option<OrganizationId>,
}

/// Somebody in an organization's name: what every handler of a tenant's data starts from.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who they are.
    pub subject: Subject,
    tenant: Tenant,
    organization: Option<Row<Organization>>,
    member_id: MemberId,
    seats: BTreeMap<TeamId, Vec<TeamRole>>,
    roles: Vec<(OrganizationRole, Option<Timestamp>)>,
    granted: BTreeMap<Relation, Until>,
    team_grants: Option<TeamGrants>,
}

/// How long something is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Until {
    /// It ends by itself.
    At(Timestamp),
    /// Until somebody takes it away.
    Revoked,
}

impl From<Option<Timestamp>> for Until {
    fn from(moment: Option<Timestamp>) -> Self {
        moment.map_or(Self::Revoked, Self::At)
    }
}

impl Until {
    fn moment(self) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Revoked => None,
        }
    }
}

impl Subject {
    /// Whom a token or key stands for: the check in process, and one round trip.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a bad token, one whose login has ended, or a key that is none.
    pub async fn authenticate(
        store: &Store,
        ring: &KeyRing,
        token: &str,
        asked: &Asked,
        origin: Origin,
    ) -> Result<Self> {
        if service_key::is_key(token) {
            KeyHolder::authenticate(store, token, asked, origin).await.map(Box::new).map(Self::ServiceAccount)
        } else {
            SignedIn::authenticate(store, ring, token, asked, origin).await.map(|person| Self::Person(Box::new(person)))
        }
    }

    /// The thumbprint of the key that the token is bound to, if it is (RFC 9449). Keys of service accounts are not.
    #[must_use]
    pub fn bound_to(&self) -> Option<&str> {
        match self {
            Self::Person(person) => person.bound_to.as_deref(),
            Self::ServiceAccount(_) => None,
        }
    }

    /// Where the request came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Person(person) => &person.origin,
            Self::ServiceAccount(account) => &account.origin,
        }
    }

    /// What came of an earlier request of theirs with the same idempotency key.
    #[must_use]
    pub fn earlier(&self) -> Option<&IdempotencyRecord> {
        match self {
            Self::Person(person) => person.earlier.as_ref(),
            Self::ServiceAccount(account) => account.earlier.as_ref(),
        }
    }

    /// Under whom their idempotency keys are remembered.
    #[must_use]
    pub fn sender(&self) -> Sender {
        match self {
            Self::Person(person) => Sender::User(person.user_id().clone()),
            Self::ServiceAccount(account) => Sender::ServiceKey { sha256: account.key.value.sha256.clone() },
        }
    }

    /// The person; what concerns people alone is refused to service accounts.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that says so.
    pub fn person(self) -> Result<SignedIn> {
        match self {
            Self::Person(person) => Ok(*person),
            Self::ServiceAccount(_) => Err(Error::Forbidden {
                code: "person_required",
                message: "This is for people. A service account has no profile, logins or organizations of its own; sign in as \
                          a person."
                    .to_owned(),
            }),
        }
    }

    /// In the name of the organization that they named, or of their only one. No round trip more, unless the organization could
    /// not be guessed.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they named none and have several or none; [`Error::NotFound`] when they do not belong to the one
    /// they named.
    pub async fn enter(self, store: &Store, named: Option<&OrganizationId>) -> Result<Caller> {
        match self {
            Self::Person(person) => person.enter(store, named).await,
            Self::ServiceAccount(account) => account.enter(store.now(), named),
        }
    }
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
        asked: &Asked,
        origin: Origin,
    ) -> Result<Self> {
        let now = store.now();
        let token = AccessToken::check(ring, token, now).await?;
        let organization = asked.organization.as_ref().or(token.organization_hint.as_ref());
        let found = store.identify(&token.user_id, &token.login_id, asked.key.as_ref(), organization).await?;
        let access = found.access.ok_or_else(|| Error::unauthenticated("the user is gone"))?;
        let login = found.login.map(|row| row.value).filter(|login| access.value.keeps_alive(login, now));
        let login = login.ok_or_else(|| Error::unauthenticated("the login has ended"))?;
        let bound_to = token.confirmation.map(|confirmation| confirmation.jkt);
        Ok(Self { login, access, earlier: found.earlier, origin, home: found.home, bound_to })
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

    async fn enter(mut self, store: &Store, named: Option<&OrganizationId>) -> Result<Caller> {
        let memberships = &self.access.value.memberships;
        // Who came in by an organization's identity provider reaches that one alone: its word counts nowhere else.
        let of_provider = self.login.single_sign_on.as_ref().map(|session| &session.organization_id);
        let id = match named.or(of_provider).or(self.access.value.only_organization()) {
            Some(id) if of_provider.is_none_or(|of_provider| of_provider == id) => id.clone(),
            Some(_) => return Err(Error::NotFound),
            None => return Err(choose(memberships.keys())),
        };
        let (tenant, membership) = self.access.value.membership(&id).ok_or(Error::NotFound)?;
        let membership = membership.clone();
        let home = match self.home.take().filter(|home| home.tenant == tenant) {
            Some(home) => home,
            None => store.home(&tenant).await?,
        };
        if home.organization.value.settings.auth.require_dpop && self.bound_to.is_none() {
            return Err(Error::not_proven("the organization demands tokens that are bound to a key"));
        }
        let now = store.now();
        let of_teams = membership.seats.keys().filter_map(|team| home.team_grants.of(team));
        let granted = granted(membership.grants.iter().chain(of_teams), now);
        let caller = Caller {
            team_grants: Some(home.team_grants),
            subject: Subject::Person(Box::new(self)),
            tenant,
            organization: Some(home.organization),
            member_id: membership.member_id.clone(),
            roles: membership.active_roles(now).collect(),
            seats: membership.seats,
            granted,
        };
        if caller.breaks_the_glass() {
            caller.note_emergency(store).await?;
        }
        Ok(caller)
    }
}

impl KeyHolder {
    async fn authenticate(store: &Store, key: &str, asked: &Asked, origin: Origin) -> Result<Self> {
        let found = store.identify_key(&service_key::sha256(key), asked.key.as_ref()).await?;
        let key =
            found.key.ok_or_else(|| Error::unauthenticated("no such key of a service account, or an expired one"))?;
        if let Err(error) = store.note_key_use(&key).await {
            // Nobody waits for the stamp; the next request tries again.
            tracing::warn!(%error, "the use of a key was not noted");
        }
        Ok(Self { key, earlier: found.earlier, origin })
    }

    fn enter(self, now: Timestamp, named: Option<&OrganizationId>) -> Result<Caller> {
        let tenant = tenant_of_key(&self.key);
        if named.is_some_and(|named| named != tenant.organization_id()) {
            return Err(Error::NotFound);
        }
        // Ids of both kinds look the same, so that `createdBy` can hold either.
        let member_id = self.key.value.service_account_id.as_str().parse().map_err(Error::internal)?;
        let mut granted = granted([&self.key.value.grants], now);
        // Whoever has the key has all of it until the key's end at most.
        let end = Until::from(self.key.value.expires_at);
        granted.values_mut().for_each(|until| *until = end.min(*until));
        Ok(Caller {
            team_grants: None,
            subject: Subject::ServiceAccount(Box::new(self)),
            tenant,
            organization: None,
            member_id,
            seats: BTreeMap::new(),
            roles: Vec::new(),
            granted,
        })
    }
}

/// What policies give at a moment. They add up; where two give the same, the longer one counts.
fn granted<'a>(grants: impl IntoIterator<Item = &'a Grants>, now: Timestamp) -> BTreeMap<Relation, Until> {
    let mut all = BTreeMap::new();
    for grants in grants.into_iter().filter(|grants| grants.expires_at.is_none_or(|expires_at| expires_at > now)) {
        let until = Until::from(grants.expires_at);
        for relation in relations_of(grants).filter(|relation| !relation.is_system_only()) {
            let held = all.entry(relation).or_insert(until);
            *held = until.max(*held);
        }
    }
    all
}

/// What a policy gives. A relation that is not known any more gives nothing.
fn relations_of(grants: &Grants) -> impl Iterator<Item = Relation> {
    grants.permissions.iter().filter_map(|name| name.parse().ok())
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

    /// The organization. For people it was read with their login already.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone.
    pub async fn organization(&self, store: &Store) -> Result<Row<Organization>> {
        match &self.organization {
            Some(organization) => Ok(organization.clone()),
            None => store.organization(&self.tenant).await,
        }
    }

    /// Who they are in the organization: the id of a member or of a service account.
    #[must_use]
    pub fn member_id(&self) -> &MemberId {
        &self.member_id
    }

    /// The person, unless it is a service account.
    #[must_use]
    pub fn person(&self) -> Option<&SignedIn> {
        match &self.subject {
            Subject::Person(person) => Some(&**person),
            Subject::ServiceAccount(_) => None,
        }
    }

    /// Their user, unless it is a service account.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.person().map(SignedIn::user_id)
    }

    /// A person proved recently who they are: step-up. A service account does so with each request.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when that is too long ago.
    pub fn require_recent_proof(&self, now: Timestamp) -> Result<()> {
        self.person().map_or(Ok(()), |person| person.login.require_recent_proof(now))
    }

    /// Teams that they have a seat in, and what they are there.
    #[must_use]
    pub fn seats(&self) -> &BTreeMap<TeamId, Vec<TeamRole>> {
        &self.seats
    }

    /// How long they have a relation over the organization; `None` when they do not have it.
    fn held(&self, relation: Relation) -> Option<Until> {
        let by_role =
            self.roles.iter().filter(|(role, _)| relation.is_held_by(*role)).map(|(_, until)| (*until).into());
        by_role.chain(self.granted.get(&relation).copied()).max()
    }

    /// Whether they have a relation over the organization.
    #[must_use]
    pub fn may(&self, relation: Relation) -> bool {
        self.held(relation).is_some()
    }

    /// Whether they have a relation over a team.
    #[must_use]
    pub fn may_in(&self, relation: Relation, team: &TeamId) -> bool {
        let seat = self.seats.get(team).map(Vec::as_slice).unwrap_or_default();
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
        self.seats.contains_key(team) || self.roles.iter().any(|(role, _)| role.is_in_all_teams())
    }

    /// Whether a role of theirs sits in every team.
    #[must_use]
    pub fn sits_in_all(&self) -> bool {
        self.roles.iter().any(|(role, _)| role.is_in_all_teams())
    }

    /// They have a relation over the organization.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names it.
    pub fn require(&self, relation: Relation) -> Result<()> {
        if self.may(relation) { Ok(()) } else { Err(missing(relation, &Over::Organization)) }
    }

    /// They have a relation over a team.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names it.
    pub fn require_in(&self, relation: Relation, team: &TeamId) -> Result<()> {
        if self.may_in(relation, team) { Ok(()) } else { Err(missing(relation, &Over::Team(team))) }
    }

    /// They may give a relation over the organization to somebody: nobody gives what they do not hold themselves, nor for longer.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names it.
    pub fn require_to_grant(&self, relation: Relation, until: Option<Timestamp>) -> Result<()> {
        match self.held(relation) {
            None => Err(missing(relation, &Over::Organization)),
            Some(held) if held < Until::from(until) => {
                Err(limited(relation, "can grant it until then at most: give `expiresAt`"))
            }
            Some(_) => Ok(()),
        }
    }

    /// They may seat somebody in teams: whoever sits there has what the team's policy gives, so they have to hold it themselves.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names the first relation that they lack.
    pub async fn require_to_seat(&self, store: &Store, teams: &[TeamId]) -> Result<()> {
        let team_grants = self.team_grants(store).await?;
        let mut of_teams = teams.iter().filter_map(|team| team_grants.of(team));
        of_teams.try_for_each(|grants| self.require_to_grant_all(grants))
    }

    /// They may have somebody's account in their hands, by its password, its second factor or its address: whoever has one of these
    /// can be that person, so they hold all that the person holds over the organization. What a seat permits within its team is
    /// left out: everybody has one.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names the first relation that they lack.
    pub async fn require_to_take_over(&self, store: &Store, membership: &Membership) -> Result<()> {
        let now = store.now();
        membership.active_roles(now).try_for_each(|(role, _)| self.require_to_assign(role))?;
        let team_grants = self.team_grants(store).await?;
        let of_teams = membership.seats.keys().filter_map(|team| team_grants.of(team));
        let held = granted(membership.grants.iter().chain(of_teams), now);
        held.into_iter().try_for_each(|(relation, until)| self.require_to_pass_on(relation, until))
    }

    /// The same caller, with what policies give to teams at hand: for who asks [`Self::require_to_seat`] many times.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn with_team_grants(&self, store: &Store) -> Result<Self> {
        let team_grants = self.team_grants(store).await?.into_owned();
        Ok(Self { team_grants: Some(team_grants), ..self.clone() })
    }

    /// What policies give to teams. For people it was read with their login already.
    async fn team_grants(&self, store: &Store) -> Result<Cow<'_, TeamGrants>> {
        match &self.team_grants {
            Some(grants) => Ok(Cow::Borrowed(grants)),
            None => store.team_grants(&self.tenant).await.map(Cow::Owned),
        }
    }

    /// [`Caller::require_to_grant`] for all that a policy gives.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names the first relation that they lack.
    pub fn require_to_grant_all(&self, grants: &Grants) -> Result<()> {
        relations_of(grants).try_for_each(|relation| self.require_to_grant(relation, grants.expires_at))
    }

    /// They may make a key that can do this and ends then: nobody gives what they do not hold, and no key makes one that outlives
    /// it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that says what they lack, or until when they can.
    pub fn require_to_issue_key(&self, grants: &Grants, expires_at: Option<Timestamp>) -> Result<()> {
        let own_end = match &self.subject {
            Subject::Person(_) => None,
            Subject::ServiceAccount(account) => account.key.value.expires_at,
        };
        if Until::from(own_end) < Until::from(expires_at) {
            let message = "A key makes none that outlives it: give `expiresAt`, no later than your own key's.";
            return Err(Error::Forbidden { code: "key_outlives_own", message: message.to_owned() });
        }
        let until = Until::from(grants.expires_at).min(Until::from(expires_at));
        relations_of(grants).try_for_each(|relation| self.require_to_grant(relation, until.moment()))
    }

    /// They may give a role of the organization to somebody, or take it away: nobody gives what they do not hold themselves, nor
    /// for good what they hold for a time.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names the first relation of the role that they lack, or will lack.
    pub fn require_to_assign(&self, role: OrganizationRole) -> Result<()> {
        let mut relations = Relation::ALL.iter().filter(|relation| relation.is_held_by(role));
        relations.try_for_each(|relation| self.require_to_pass_on(*relation, Until::Revoked))
    }

    /// They may let somebody have a relation by other means than a policy, until then. Who acts by the role Emergency may do so for
    /// good: an organization without an Owner at hand needs a new one, and all Owners are told.
    fn require_to_pass_on(&self, relation: Relation, until: Until) -> Result<()> {
        match self.held(relation) {
            None => Err(missing(relation, &Over::Organization)),
            Some(held) if held < until && !self.breaks_the_glass() => {
                Err(limited(relation, "what you do would let somebody have it for longer"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether they act by the role Emergency.
    fn breaks_the_glass(&self) -> bool {
        self.roles.iter().any(|(role, _)| *role == OrganizationRole::Emergency)
    }

    /// They have a relation over every one of the named teams.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that names it and the first team without it.
    pub fn require_in_all(&self, relation: Relation, teams: &[TeamId]) -> Result<()> {
        teams.iter().try_for_each(|team| self.require_in(relation, team))
    }

    /// They may do something to a thing that is shared with these teams, where seeing it takes another relation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they may not even see it; [`Error::Forbidden`] when they may see it only.
    pub fn require_in_any(&self, relation: Relation, visible: Relation, teams: &[TeamId]) -> Result<()> {
        if self.may_in_any(relation, teams) {
            Ok(())
        } else if self.may_in_any(visible, teams) {
            Err(missing(relation, &Over::ItsTeams))
        } else {
            Err(Error::NotFound)
        }
    }

    /// The beginning of an audit record in the organization's trail.
    #[must_use]
    pub fn audit(&self, action: &'static str, target: &impl ToString) -> Audit {
        Audit {
            scope: Scope::Tenant(self.tenant.clone()),
            actor: self.actor(),
            origin: self.subject.origin().clone(),
            action,
            target: target.to_string(),
        }
    }

    /// Somebody acts by the role Emergency, be it that they read: the trail tells it, and so are the Owners, once an hour for each
    /// login. What they change is told besides, each on its own.
    async fn note_emergency(&self, store: &Store) -> Result<()> {
        let Some(person) = self.person() else { return Ok(()) };
        let login = &person.login;
        if login.is_emergency_noted(self.tenant.organization_id(), store.now()) {
            return Ok(());
        }
        store.note_emergency(self.audit("emergency.use", &login.id), &self.tenant, login).await
    }

    fn actor(&self) -> Actor {
        match &self.subject {
            Subject::Person(person) => Actor::Member {
                member_id: self.member_id.clone(),
                user_id: person.user_id().clone(),
                login_id: person.login.id.clone(),
                emergency_until: self.roles.iter().find_map(|(_, until)| *until),
            },
            Subject::ServiceAccount(account) => Actor::ServiceAccount {
                service_account_id: account.key.value.service_account_id.clone(),
                key_id: account.key.value.key_id.clone(),
            },
        }
    }
}

/// What a relation is missing over.
enum Over<'a> {
    Organization,
    Team(&'a TeamId),
    /// One of the teams that a thing is shared with.
    ItsTeams,
}

fn missing(relation: Relation, over: &Over<'_>) -> Error {
    let (over, scope) = match over {
        Over::Organization => ("the organization".to_owned(), permission::Scope::Organization),
        Over::Team(team) => (format!("team {team}"), permission::Scope::Team),
        Over::ItsTeams => ("one of its teams".to_owned(), permission::Scope::Team),
    };
    let message = format!("You need `{relation}` over {over}. {}", relation.granted_by(scope));
    Error::Forbidden { code: "permission_missing", message }
}

/// What is held is held for too short a time.
fn limited(relation: Relation, and: &str) -> Error {
    let granted_by = relation.granted_by(permission::Scope::Organization);
    let message = format!("You hold `{relation}` for a limited time, and {and}. {granted_by}");
    Error::Forbidden { code: "permission_missing", message }
}
