//! Users: profile, credentials, what they may reach, and their logins.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use mainsheet_core::member::AccountType;
use mainsheet_core::organization::Organization;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Error, LoginId, MemberId, OrganizationId, Result, SignUpId, TeamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::change::{Due, changed_meanwhile, update_of};
use crate::emails::UserEmail;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord, Sender};
use crate::identity_providers::SsoSession;
use crate::organizations::{Home, home_keys, take_home};
use crate::policies::Grants;
use crate::throttle::{Throttle, ThrottleKey};
use crate::{Change, Entity, Key, Listing, PageRequest, Row, Store, Tenant};

/// How long the role Emergency lasts (contract, decisions, Access: `breakGlass`).
pub const EMERGENCY_LASTS: Duration = Duration::from_secs(4 * 3600);

impl Entity for User {
    const KIND: &'static str = "user";
}

/// What proves a person's identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// argon2id, in PHC form; absent for who signs in in other ways.
    pub password_hash: Option<String>,
}

impl Credentials {
    /// Without a password, until one is set by a mailed link.
    #[must_use]
    pub fn none() -> Self {
        Self { password_hash: None }
    }

    /// What is another one as soon as the password is. It tells nothing about the password.
    #[must_use]
    pub fn seal(&self) -> String {
        let hash = self.password_hash.as_deref().unwrap_or_default();
        hex::encode(&digest(&SHA256, hash.as_bytes()).as_ref()[..16])
    }
}

impl Entity for Credentials {
    const KIND: &'static str = "credentials";
}

/// The credentials of a sign-up whose address has an account that nobody confirmed. They count when its own link is used, so
/// that whoever signs up first with somebody else's address gains nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingSignUp {
    /// What proves the person's identity from then on.
    pub credentials: Credentials,
    /// When the link is good no more.
    pub expires_at: Timestamp,
}

impl Entity for WaitingSignUp {
    const KIND: &'static str = "waiting_sign_up";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// An address that belongs to a user; no two users have the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmailClaim {
    pub(crate) user_id: UserId,
}

impl Entity for EmailClaim {
    const KIND: &'static str = "email";
}

/// What a user may reach: read with every request, in one piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Since when their primary address is known to be theirs.
    pub email_verified_at: Option<Timestamp>,
    /// Until when more than one sign-up waits for the address to be confirmed. Which of them is the owner's, only a link tells
    /// that was mailed for one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested_until: Option<Timestamp>,
    /// The seal of the password that whoever signed up chose, until the address is confirmed: the link that was mailed to them
    /// confirms this password along with it, and no other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited_password: Option<String>,
    /// How often all logins were ended at once. A login, and what leads to one, is over when it began under another number than the
    /// present one: with moments in its place, one that began while the others were being ended would go on.
    pub login_epoch: u64,
    /// The login that goes on though it began before: the one by which the others were ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared_login: Option<LoginId>,
    /// Their seats, by organization.
    pub memberships: BTreeMap<OrganizationId, Membership>,
}

impl Entity for Access {
    const KIND: &'static str = "access";
}

/// A user's seat in one organization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// Who they are there.
    pub member_id: MemberId,
    /// What they are there; never empty.
    pub roles: Vec<OrganizationRole>,
    /// What they are in their teams; none of the lists is empty.
    pub seats: BTreeMap<TeamId, Vec<TeamRole>>,
    /// Whether the organization lets them in.
    pub is_enabled: bool,
    /// Who looks after their account.
    #[serde(default)]
    pub account_type: AccountType,
    /// What the policy of this person gives them over the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
    /// When the role Emergency ends by itself, for who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency_until: Option<Timestamp>,
}

impl Membership {
    /// A new seat. Whoever is given the role Emergency has it for [`EMERGENCY_LASTS`].
    #[must_use]
    pub fn new(
        member_id: MemberId,
        roles: Vec<OrganizationRole>,
        seats: BTreeMap<TeamId, Vec<TeamRole>>,
        now: Timestamp,
    ) -> Self {
        let mut membership = Self {
            member_id,
            roles: Vec::new(),
            seats,
            is_enabled: true,
            account_type: AccountType::Managed,
            grants: None,
            emergency_until: None,
        };
        membership.set_roles(roles, now);
        membership
    }

    /// Other roles. The role Emergency ends [`EMERGENCY_LASTS`] after it was given, however often the roles are set meanwhile.
    pub fn set_roles(&mut self, roles: Vec<OrganizationRole>, now: Timestamp) {
        let held =
            self.emergency_until.filter(|until| *until > now && self.roles.contains(&OrganizationRole::Emergency));
        let given = roles.contains(&OrganizationRole::Emergency);
        self.emergency_until = given.then(|| held.unwrap_or(now + EMERGENCY_LASTS));
        self.roles = roles;
    }

    /// The roles that count at a moment, and until when where they end by themselves.
    pub fn active_roles(&self, now: Timestamp) -> impl Iterator<Item = (OrganizationRole, Option<Timestamp>)> {
        let until = self.emergency_until;
        self.roles.iter().filter_map(move |role| match role {
            OrganizationRole::Emergency => until.filter(|until| *until > now).map(|until| (*role, Some(until))),
            _ => Some((*role, None)),
        })
    }
}

/// A signed-in session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// Its id.
    pub id: LoginId,
    /// Whose it is.
    pub user_id: UserId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// The user's [`Access::login_epoch`] when they did.
    pub epoch: u64,
    /// When its tokens were last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends unless refreshed.
    pub expires_at: Timestamp,
    /// When they proved who they are by the first factor.
    pub auth_time: Timestamp,
    /// When they last proved it strongly enough for what concerns passwords, addresses, second factors and keys: by a
    /// password or a second factor, or by whatever there is for who has neither.
    pub proven_at: Option<Timestamp>,
    /// How long it lasts after its last use, in seconds.
    pub lasts_seconds: u64,
    /// The client's name for its device.
    pub device_id: Option<String>,
    /// The network address that it began from.
    pub remote_ip: Option<String>,
    /// The software that it began with.
    pub user_agent: Option<String>,
    /// The thumbprint of the client's key that its tokens are bound to (RFC 9449, `jkt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// The identity provider's session that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_sign_on: Option<SsoSession>,
    /// SHA-256 of what all refresh tokens of the login have in common, in hex.
    pub refresh_family_sha256: String,
    /// SHA-256 of what only the current refresh token has, in hex.
    pub refresh_current_sha256: String,
    /// When the trail of an organization was last told that it is used by the role Emergency. It stands beside the login.
    #[serde(skip)]
    pub emergency_noted: BTreeMap<OrganizationId, Timestamp>,
}

/// How often the trail is told of one login that it is used by the role Emergency.
const EMERGENCY_NOTED_EVERY: Duration = Duration::from_secs(3600);
/// Beside a login: begins the attribute of an organization whose trail was told.
const EMERGENCY_NOTED: &str = "EMERGENCY#";

/// A login with what stands beside it.
fn complete(mut row: Row<Login>) -> Row<Login> {
    let noted = |(name, value): (&String, &AttributeValue)| {
        let organization = name.strip_prefix(EMERGENCY_NOTED)?.parse().ok()?;
        Some((organization, value.as_s().ok()?.parse().ok()?))
    };
    row.value.emergency_noted = row.attributes().iter().filter_map(noted).collect();
    row
}

impl Entity for Login {
    const KIND: &'static str = "login";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Login {
    /// How long after a proof of who they are people may change passwords, addresses, second factors and keys (contract,
    /// decisions, Identity: step-up).
    const PROOF_VALID: Duration = Duration::from_secs(10 * 60);

    /// They proved recently who they are: step-up.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when that is too long ago.
    pub fn require_recent_proof(&self, now: Timestamp) -> Result<()> {
        if self.proven_at.is_some_and(|proven_at| now.since(proven_at) < Self::PROOF_VALID) {
            return Ok(());
        }
        Err(Error::Forbidden {
            code: "step_up_required",
            message: "This asks for a password or second factor given within the last 10 minutes. Sign in again, then repeat the \
                      request with the new access token."
                .to_owned(),
        })
    }

    /// Whether an organization's trail was told recently that it is used by the role Emergency.
    #[must_use]
    pub fn is_emergency_noted(&self, organization: &OrganizationId, now: Timestamp) -> bool {
        let noted = self.emergency_noted.get(organization);
        noted.is_some_and(|noted| now.since(*noted) < EMERGENCY_NOTED_EVERY)
    }

    /// When it ends, if it is used now.
    #[must_use]
    pub fn end_if_used(&self, now: Timestamp) -> Timestamp {
        now + Duration::from_secs(self.lasts_seconds)
    }
}

impl Access {
    /// Whether a login goes on at `now`: it has not run out, and was not ended with all others of its user.
    #[must_use]
    pub fn keeps_alive(&self, login: &Login, now: Timestamp) -> bool {
        let is_spared = self.spared_login.as_ref() == Some(&login.id);
        login.expires_at > now && (is_spared || login.epoch == self.login_epoch)
    }

    /// The same, with every login of the user ended.
    #[must_use]
    pub fn without_logins(self) -> Self {
        Self { login_epoch: self.login_epoch + 1, spared_login: None, ..self }
    }

    /// The same, with every login of the user ended but this one.
    #[must_use]
    pub fn without_other_logins(self, spared: &LoginId) -> Self {
        self.without_logins().sparing(spared)
    }

    /// The same, with this login going on though all others ended.
    #[must_use]
    pub fn sparing(self, spared: &LoginId) -> Self {
        Self { spared_login: Some(spared.clone()), ..self }
    }

    /// The seat in an organization; `None` where there is none or it was taken away.
    #[must_use]
    pub fn membership(&self, organization: &OrganizationId) -> Option<(Tenant, &Membership)> {
        let membership = self.memberships.get(organization).filter(|membership| membership.is_enabled)?;
        Some((Tenant::proven(organization.clone()), membership))
    }

    /// Whether the account is an organization's own: managed by it, while the person belongs to no other one. What the
    /// organization does to the account then opens nothing of anybody else's.
    #[must_use]
    pub fn is_wholly_of(&self, organization: &OrganizationId) -> bool {
        let membership = self.memberships.get(organization).filter(|_| self.memberships.len() == 1);
        membership.is_some_and(|membership| membership.account_type == AccountType::Managed)
    }

    /// Whoever came in like that may look into the account itself and change it: an identity provider's word does for the accounts
    /// that are wholly its organization's, and for no other.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that says how to come in instead.
    pub fn require_account(&self, single_sign_on: Option<&SsoSession>) -> Result<()> {
        if single_sign_on.is_none_or(|session| self.is_wholly_of(&session.organization_id)) {
            return Ok(());
        }
        Err(Error::Forbidden {
            code: "account_out_of_reach",
            message: "An organization's identity provider let you in, and your account is not that organization's alone. Sign in \
                      with a password or a mailed code to look into your account, to change it, or to set up a second factor."
                .to_owned(),
        })
    }

    /// The organization of somebody who belongs to exactly one.
    #[must_use]
    pub fn only_organization(&self) -> Option<&OrganizationId> {
        self.memberships.keys().next().filter(|_| self.memberships.len() == 1)
    }
}

/// What a request's token leads to, read in one round trip.
#[derive(Debug)]
pub struct Identified {
    /// The login, if it is still there.
    pub login: Option<Row<Login>>,
    /// What its user may reach.
    pub access: Option<Row<Access>>,
    /// What came of an earlier request with the same idempotency key.
    pub earlier: Option<IdempotencyRecord>,
    /// The organization that was asked for, if the user is a member of it.
    pub home: Option<Home>,
}

/// What an address and its throttles lead to.
#[derive(Debug)]
pub struct SignInLookup {
    /// Whose address it is.
    pub user_id: Option<UserId>,
    /// Failures so far, in the order of the keys asked for.
    pub throttles: Vec<Option<Row<Throttle>>>,
}

pub(crate) fn profile_key(user: &UserId) -> Key {
    Key::of_user(user, "PROFILE")
}

pub(crate) fn access_key(user: &UserId) -> Key {
    Key::of_user(user, "ACCESS")
}

pub(crate) fn credentials_key(user: &UserId) -> Key {
    Key::of_user(user, "CREDENTIALS")
}

fn sign_up_key(user: &UserId, sign_up: &SignUpId) -> Key {
    Key::of_user(user, format!("SIGN_UP#{sign_up}"))
}

fn login_key(user: &UserId, login: &LoginId) -> Key {
    Key::of_user(user, format!("LOGIN#{login}"))
}

pub(crate) fn email_key(email: &NormalizedEmail) -> Key {
    Key::global(format!("EMAIL#{}", email.as_str()), "EMAIL")
}

/// An address has an account.
pub(crate) fn email_taken() -> Error {
    Error::conflict("email_taken", "This address has an account.")
}

/// A person cannot join an organization twice.
pub(crate) fn already_member() -> Error {
    Error::conflict("already_member", "The person is a member of the organization already.")
}

impl Store {
    /// The login, the access and an earlier request of a token's subject, and the organization that they probably ask for:
    /// one round trip. `organization` is a guess; nothing of it is answered unless the access says that they belong there.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn identify(
        &self,
        user: &UserId,
        login: &LoginId,
        key: Option<&IdempotencyKey>,
        organization: Option<&OrganizationId>,
    ) -> Result<Identified> {
        let (login_key, access_key) = (login_key(user, login), access_key(user));
        let earlier_key = key.map(|key| key.row(&Sender::User(user.clone())));
        let guess = organization.map(|id| Tenant::proven(id.clone()));
        let keys = [Some(login_key.clone()), Some(access_key.clone()), earlier_key.clone()];
        let keys = keys.into_iter().flatten().chain(guess.iter().flat_map(home_keys));
        let mut batch = self.get_batch(keys).await?;
        let earlier = earlier_key.map(|key| crate::idempotency::take_earlier(&mut batch, &key, self.now()));
        let earlier = earlier.transpose()?.flatten();
        let access: Option<Row<Access>> = batch.take(&access_key)?;
        let guess = guess.filter(|tenant| {
            access.as_ref().is_some_and(|access| access.value.membership(tenant.organization_id()).is_some())
        });
        let home = guess.map(|tenant| take_home(&mut batch, tenant)).transpose()?.flatten();
        Ok(Identified { login: batch.take(&login_key)?.map(complete), access, earlier, home })
    }

    /// Whose address it is, and the throttles to respect: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn look_up_sign_in(&self, email: &NormalizedEmail, throttles: &[ThrottleKey]) -> Result<SignInLookup> {
        let claim_key = email_key(email);
        let throttle_keys: Vec<Key> = throttles.iter().map(ThrottleKey::key).collect();
        let mut batch = self.get_batch(throttle_keys.iter().cloned().chain([claim_key.clone()])).await?;
        let user_id = batch.take::<EmailClaim>(&claim_key)?.map(|row| row.value.user_id);
        let throttles = throttle_keys.iter().map(|key| batch.take(key)).collect::<Result<_>>()?;
        Ok(SignInLookup { user_id, throttles })
    }

    /// A user's password hash and access; `None` when there is no such user: one round trip either way.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn credentials(&self, user: &UserId) -> Result<Option<(Row<Credentials>, Row<Access>)>> {
        self.pair(&credentials_key(user), &access_key(user)).await
    }

    /// A user's profile and access; `None` when there is no such user: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn profile(&self, user: &UserId) -> Result<Option<(Row<User>, Row<Access>)>> {
        self.pair(&profile_key(user), &access_key(user)).await
    }

    async fn pair<A: Entity, B: Entity>(&self, first: &Key, second: &Key) -> Result<Option<(Row<A>, Row<B>)>> {
        let mut batch = self.get_batch([first.clone(), second.clone()]).await?;
        Ok(batch.take(first)?.zip(batch.take(second)?))
    }

    /// What a user may reach.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn access(&self, user: &UserId) -> Result<Option<Row<Access>>> {
        self.get(&access_key(user)).await
    }

    /// A user's profile.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such user.
    pub async fn user(&self, user: &UserId) -> Result<Row<User>> {
        self.get(&profile_key(user)).await?.ok_or(Error::NotFound)
    }

    /// A sign-up that waits for its link to be used.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn waiting_sign_up(&self, user: &UserId, sign_up: &SignUpId) -> Result<Option<Row<WaitingSignUp>>> {
        self.get(&sign_up_key(user, sign_up)).await
    }

    /// Removes up to 75 rows of what is left of a deleted user, and their claims to addresses; `true` once nothing is.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn erase_user(&self, user: &UserId) -> Result<bool> {
        let request = PageRequest { limit: 75, ..PageRequest::default() };
        let page = self.page_of_items(&Listing::of(access_key(user).pk), &request).await?;
        let claims = page.rows.iter().filter_map(crate::emails::claim_of_item);
        let keys: Vec<Key> = page.rows.iter().filter_map(Key::of_item).chain(claims).collect();
        if !keys.is_empty() {
            keys.iter().fold(self.telemetry(), crate::Change::remove).commit().await?;
        }
        Ok(page.marker.is_none())
    }

    /// A login, whether expired or not.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn login(&self, user: &UserId, login: &LoginId) -> Result<Option<Row<Login>>> {
        self.get(&login_key(user, login)).await
    }

    /// Tells an organization's trail and its Owners that a login is used by the role Emergency. When another request tells it at
    /// the same moment, one of them is enough.
    ///
    /// # Errors
    /// When the table does not take it.
    pub async fn note_emergency(&self, audit: Audit, tenant: &Tenant, login: &Login) -> Result<()> {
        let change = self.change(audit);
        let now = change.now();
        let noted = format!("{EMERGENCY_NOTED}{}", tenant.organization_id());
        let stamp = vec![(noted.clone(), AttributeValue::S(now.to_string()))];
        let update = update_of(&login_key(&login.user_id, &login.id), stamp, &[], &[])
            .expression_attribute_names("#noted", noted);
        let update = match login.emergency_noted.get(tenant.organization_id()) {
            None => update.condition_expression("attribute_exists(pk) AND attribute_not_exists(#noted)"),
            Some(before) => update
                .condition_expression("attribute_exists(pk) AND #noted = :before")
                .expression_attribute_values(":before", AttributeValue::S(before.to_string())),
        };
        match change.update(update, changed_meanwhile()).commit().await {
            Err(Error::Conflict { .. }) => Ok(()),
            told => told,
        }
    }

    /// The newest 100 logins of a user, whether expired or not: one query.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn logins(&self, user: &UserId) -> Result<Vec<Row<Login>>> {
        let listing = Listing::of(access_key(user).pk).beginning_with("LOGIN#").descending(true);
        let request = PageRequest { limit: 100, ..PageRequest::default() };
        Ok(self.page(&listing, &request).await?.rows)
    }

    /// The organizations of a user's seats: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn organizations_of(&self, access: &Access) -> Result<Vec<Row<Organization>>> {
        let tenants = access.memberships.keys().filter_map(|id| Some(access.membership(id)?.0));
        let keys: Vec<Key> = tenants.map(|tenant| crate::organizations::organization_key(&tenant)).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        keys.iter().filter_map(|key| batch.take(key).transpose()).collect()
    }
}

impl Change<'_> {
    /// A user must not be a member of the organization yet.
    pub fn require_stranger(self, user: &UserId, tenant: &Tenant) -> Self {
        let check = ConditionCheck::builder()
            .set_key(Some(access_key(user).to_item()))
            .condition_expression("attribute_not_exists(#data.memberships.#organization)")
            .expression_attribute_names("#data", crate::row::DATA)
            .expression_attribute_names("#organization", tenant.organization_id().as_str());
        self.check(check, already_member())
    }

    /// A user's new profile. Another address is another claim, and is theirs once it is confirmed.
    pub fn replace_user(self, row: &Row<User>, user: &User) -> Self {
        let change = self.replace(row, user, Due::Keep);
        let (before, after) = (NormalizedEmail::of(&row.value.email), NormalizedEmail::of(&user.email));
        if before == after {
            return change;
        }
        let claim = EmailClaim { user_id: user.id.clone() };
        let address = UserEmail::unconfirmed(user, change.now());
        change.create(&email_key(&after), &claim, email_taken()).drop_email(&user.id, &before).overwrite_email(&address)
    }

    /// The password that was read has to be theirs still: to check it takes a while, in which it may be taken away, and the epoch that a
    /// login begins under may have been read after that. Otherwise `changed`.
    pub fn require_password(self, row: &Row<Credentials>, changed: Error) -> Self {
        let hash = row.value.password_hash.clone().unwrap_or_default();
        let check = ConditionCheck::builder()
            .set_key(Some(row.key.to_item()))
            .condition_expression("#data.passwordHash = :hash")
            .expression_attribute_names("#data", crate::row::DATA)
            .expression_attribute_values(":hash", AttributeValue::S(hash));
        self.check(check, changed)
    }

    /// What proves a user's identity from now on.
    pub fn replace_credentials(self, user: &UserId, credentials: &Credentials) -> Self {
        self.overwrite(&credentials_key(user), credentials)
    }

    /// A user's account is no more; what is left of it goes with [`crate::outbox::Event::UserDeleted`].
    pub fn delete_user(self, user: &Row<User>, access: &Row<Access>) -> Self {
        self.delete(access)
            .delete(user)
            .remove(&credentials_key(&user.value.id))
            .drop_email(&user.value.id, &NormalizedEmail::of(&user.value.email))
    }

    /// A new user with an address of their own.
    pub fn create_user(self, user: &User, credentials: &Credentials, access: &Access) -> Self {
        let taken = email_taken();
        let address = UserEmail::first_of(user, access);
        let claim = EmailClaim { user_id: user.id.clone() };
        self.create(&email_key(&NormalizedEmail::of(&user.email)), &claim, taken.clone())
            .create(&profile_key(&user.id), user, taken.clone())
            .create(&credentials_key(&user.id), credentials, taken.clone())
            .create(&access_key(&user.id), access, taken)
            .overwrite_email(&address)
    }

    /// A user's profile changes; its address is one of theirs.
    pub fn replace_profile(self, row: &Row<User>, user: &User) -> Self {
        self.replace(row, user, Due::Keep)
    }

    /// What proves a user's identity from now on, in place of what was read.
    pub fn change_credentials(self, row: &Row<Credentials>, credentials: &Credentials) -> Self {
        self.replace(row, credentials, Due::Keep)
    }

    /// What a user may reach, or how their address is known, changes.
    pub fn replace_access(self, row: &Row<Access>, access: &Access) -> Self {
        self.replace(row, access, Due::Keep)
    }

    /// Credentials that count when a link is used.
    pub fn await_confirmation(self, user: &UserId, sign_up: &SignUpId, waiting: &WaitingSignUp) -> Self {
        self.create(&sign_up_key(user, sign_up), waiting, Error::internal("a sign-up id that was used before"))
    }

    /// The link of a waiting sign-up was used: it waits no more.
    pub fn use_sign_up(self, waiting: &Row<WaitingSignUp>) -> Self {
        self.delete(waiting)
    }

    /// A new login.
    pub fn create_login(self, login: &Login) -> Self {
        self.create(&login_key(&login.user_id, &login.id), login, Error::internal("a login id that was used before"))
    }

    /// A login's new tokens.
    pub fn replace_login(self, row: &Row<Login>, login: &Login) -> Self {
        self.replace(row, login, Due::Keep)
    }

    /// The end of a login that was read.
    pub fn revoke_login(self, row: &Row<Login>) -> Self {
        self.delete(row)
    }

    /// The end of a login.
    pub fn end_login(self, user: &UserId, login: &LoginId) -> Self {
        self.remove(&login_key(user, login))
    }
}
