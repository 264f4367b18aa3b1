//! Who it is that a provider sent back, here: somebody known, or somebody new.

use std::collections::BTreeMap;

use garde::Validate;
use mainsheet_auth::Relation;
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_core::identity_provider::SetBy;
use mainsheet_core::member::{AccountType, Member};
use mainsheet_core::organization::Organization;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Error, MemberId, Result, Timestamp, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::exchange_codes::{EXCHANGE_CODE_VALID, ExchangeCode, ProvenBy};
use mainsheet_store::identity_providers::SsoSession;
use mainsheet_store::members::MemberRecord;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::throttle::{Throttle, ThrottleKey};
use mainsheet_store::users::{Access, Credentials, Membership};
use mainsheet_store::{Change, Row, Tenant};

use crate::IdentityState;
use crate::oidc::Person;

/// Somebody whom a provider vouches for.
pub(super) struct SigningIn<'s> {
    pub(super) state: &'s IdentityState,
    pub(super) tenant: Tenant,
    pub(super) organization: Organization,
    /// Who decided whom the provider vouches for.
    pub(super) set_by: SetBy,
    pub(super) session: SsoSession,
    pub(super) person: Person,
    pub(super) origin: &'s Origin,
}

/// An address that mail can be sent to.
#[derive(Validate)]
struct Address<'a> {
    #[garde(length(chars, max = 254), email)]
    email: &'a str,
}

impl SigningIn<'_> {
    /// A one-time code for the person.
    pub(super) async fn issue_code(&self) -> Result<OneTimeToken> {
        let store = &self.state.app.store;
        if let Some(user) = store
            .user_of_subject(&self.tenant, &self.session.identity_provider_id, &self.session.subject_sha256)
            .await?
        {
            return self.as_known(&user).await;
        }
        let email = self.address()?;
        let address = NormalizedEmail::of(&email);
        let found = store.look_up_sign_in(&address, &[ThrottleKey::Mail(address.clone())]).await?;
        match &found.user_id {
            Some(user) => self.as_account(user).await,
            None => self.as_new(email, found.throttles.first().and_then(Option::as_ref)).await,
        }
    }

    /// Who signed in through this provider before.
    async fn as_known(&self, user: &UserId) -> Result<OneTimeToken> {
        let access = self.access(user).await?;
        let epoch = access.value.login_epoch;
        match access.value.memberships.get(&self.organization.id) {
            Some(membership) if membership.is_enabled => {
                self.require_vouched_for(membership)?;
                self.commit(user, epoch, self.change("sso.sign_in", user).noted_in(&access.value)).await
            }
            Some(_) => Err(disabled()),
            // They left, and their organization lets them in again.
            None => {
                let user = self.state.app.store.user(user).await?.value;
                let record = self.member(&user, AccountType::External).await?;
                self.commit(&user.id, epoch, self.change("sso.join", &user.id).join(&self.tenant, &record)).await
            }
        }
    }

    /// Who signs in through this provider for the first time, with the address of an account. The provider belongs to one
    /// organization alone, so its word opens only the accounts of that one's members, whose address is known to be theirs, or who
    /// are that organization's alone.
    async fn as_account(&self, user: &UserId) -> Result<OneTimeToken> {
        if !self.person.is_email_verified {
            return Err(unverified());
        }
        let access = self.access(user).await?;
        match access.value.memberships.get(&self.organization.id) {
            Some(membership) if !membership.is_enabled => Err(disabled()),
            Some(membership)
                if access.value.email_verified_at.is_some() || access.value.is_wholly_of(&self.organization.id) =>
            {
                self.require_vouched_for(membership)?;
                let change = self.change("sso.link", user).noted_in(&access.value);
                self.commit(user, access.value.login_epoch, change.link_subject(&self.tenant, &self.session, user))
                    .await
            }
            _ => Err(account_exists()),
        }
    }

    /// Who has no account yet becomes a member, with what the organization gives to new ones. `mails` are those to the address that
    /// were counted before.
    async fn as_new(&self, email: String, mails: Option<&Row<Throttle>>) -> Result<OneTimeToken> {
        let now = self.state.app.now();
        let user = new_user(&self.person, email, now);
        let record = self.member(&user, AccountType::Managed).await?;
        let access = Access {
            // A provider belongs to one organization: its word proves the address to nobody else.
            email_verified_at: None,
            contested_until: None,
            awaited_password: None,
            login_epoch: 0,
            spared_login: None,
            memberships: BTreeMap::from([(self.organization.id.clone(), record.membership())]),
        };
        let change = self
            .change("sso.provision", &user.id)
            .create_user(&user, &Credentials::none(), &access)
            .create_member(&self.tenant, &record)
            .link_subject(&self.tenant, &self.session, &user.id);
        self.commit(&user.id, access.login_epoch, self.ask_to_confirm(change, &user, mails)).await
    }

    /// Asks for the mail by which the address is confirmed, and counts it. While the mailbox has to be left alone the person comes in
    /// without. Whom the provider vouches for needs none, and whoever follows it begins the account anew.
    fn ask_to_confirm<'s>(&self, change: Change<'s>, user: &User, mails: Option<&Row<Throttle>>) -> Change<'s> {
        let waits = mails.is_some_and(|throttle| throttle.value.wait(change.now()).is_some());
        if self.person.is_email_verified || waits {
            return change;
        }
        let key = ThrottleKey::Mail(NormalizedEmail::of(&user.email));
        let mail = Mail::VerifyEmail { user_id: user.id.clone(), email: user.email.clone(), sign_up_id: None };
        change.count_failure(&key, mails).emit(Event::MailRequested { mail })
    }

    /// Whoever chooses a provider chooses who it says that people are. What is done to an Owner, only Owners may do: one that no
    /// Owner chose does not let them in.
    fn require_vouched_for(&self, membership: &Membership) -> Result<()> {
        let mut roles = membership.active_roles(self.state.app.now());
        let is_guarded = roles.any(|(role, _)| Relation::CanManageOwners.is_held_by(role));
        if is_guarded && self.set_by != SetBy::Owner { Err(not_vouched_for()) } else { Ok(()) }
    }

    async fn access(&self, user: &UserId) -> Result<Row<Access>> {
        let access = self.state.app.store.access(user).await?;
        access.ok_or_else(|| Error::Forbidden { code: "account_gone", message: "The account was deleted.".to_owned() })
    }

    /// A new member: in the organization's default role, and in its default team with that one's default role.
    async fn member(&self, user: &User, account: AccountType) -> Result<MemberRecord> {
        let store = &self.state.app.store;
        let team = store.team(&self.tenant, &self.organization.default_team_id).await?.value;
        let role = OrganizationRole::try_from(&self.organization.default_org_role_id).map_err(Error::internal)?;
        let seat = TeamRole::try_from(&team.default_role_id).map_err(Error::internal)?;
        let now = self.state.app.now();
        let member = Member::joining(MemberId::generate(now), self.organization.id.clone(), user, account, now);
        Ok(MemberRecord::new(member, vec![role], BTreeMap::from([(team.id, vec![seat])]), now))
    }

    fn change(&self, action: &'static str, user: &UserId) -> Change<'_> {
        self.state.app.store.change(Audit {
            scope: Scope::Tenant(self.tenant.clone()),
            actor: Actor::User { user_id: user.clone() },
            origin: self.origin.clone(),
            action,
            target: self.session.identity_provider_id.to_string(),
        })
    }

    /// Writes what the sign-in changes, together with the code that it leads to unless logins are ended meanwhile.
    async fn commit(&self, user: &UserId, epoch: u64, change: Change<'_>) -> Result<OneTimeToken> {
        let code = OneTimeToken::generate()?;
        let expires_at = change.now() + EXCHANGE_CODE_VALID;
        let proven_by = match self.person.is_email_verified {
            true => ProvenBy::SingleSignOn,
            false => ProvenBy::UnverifiedSingleSignOn,
        };
        change
            .note_sso_session(&self.tenant, &self.session, user)
            .issue_exchange_code(&ExchangeCode {
                sha256: code.sha256(),
                user_id: user.clone(),
                epoch,
                proven_by,
                single_sign_on: Some(self.session.clone()),
                expires_at,
            })
            .commit()
            .await?;
        Ok(code)
    }

    /// The person's address.
    fn address(&self) -> Result<String> {
        let message = "The identity provider tells no address of yours. Ask your administrator to have it release the claim `email`.";
        let missing = || Error::Forbidden { code: "address_missing", message: message.to_owned() };
        let email = self.person.email.as_deref().ok_or_else(missing)?;
        Address { email }.validate().map_err(|_| missing())?;
        Ok(email.to_owned())
    }
}

fn new_user(person: &Person, email: String, now: Timestamp) -> User {
    let line = |name: &Option<String>| {
        let name: String =
            name.iter().flat_map(|name| name.chars()).filter(|letter| !letter.is_control()).take(255).collect();
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    };
    let (given_name, family_name) = (line(&person.given_name), line(&person.family_name));
    let names: Vec<&str> = [&given_name, &family_name].into_iter().flatten().map(String::as_str).collect();
    let display_name = if names.is_empty() { email.clone() } else { names.join(" ") };
    User { id: UserId::generate(now), email, given_name, family_name, display_name, created_at: now, updated_at: now }
}

fn disabled() -> Error {
    let message = "Your organization does not let you in. Ask one of its administrators.";
    Error::Forbidden { code: "member_disabled", message: message.to_owned() }
}

fn not_vouched_for() -> Error {
    let message = "No Owner of your organization set this identity provider up as it is now, so it cannot let in who may manage \
                   Owners. Sign in another way and send its `configWrite` with `PATCH /auth/idps/{idp}`, or ask another Owner to.";
    Error::Forbidden { code: "provider_not_set_by_owner", message: message.to_owned() }
}

fn unverified() -> Error {
    let message = "Your address has an account here, and the identity provider does not say that the address is yours. Confirm it \
                   there, or sign in another way.";
    Error::Forbidden { code: "address_unverified", message: message.to_owned() }
}

fn account_exists() -> Error {
    let message = "Your address has an account that does not belong to this organization. Ask for an invitation, accept it with \
                   that account, then sign in through the identity provider.";
    Error::conflict("account_exists", message)
}
