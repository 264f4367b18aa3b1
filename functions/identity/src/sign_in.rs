//! What every way of signing in ends with: a login and its tokens, or the step that is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use mainsheet_auth::challenge::ChallengeToken;
use mainsheet_auth::keys::SigningKey;
use mainsheet_auth::refresh::RefreshToken;
use mainsheet_auth::token::{AccessToken, Confirmation};
use mainsheet_auth::trusted_device::TrustedDeviceToken;
use mainsheet_core::organization::AuthSettings;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{ChallengeId, Error, LoginId, Result, Timestamp, UserId};
use mainsheet_store::Change;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::exchange_codes::ProvenBy;
use mainsheet_store::identity_providers::SsoSession;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::sign_in::{AtTheDoor, Awaits, CHALLENGE_VALID, Challenge, Device};
use mainsheet_store::throttle::ThrottleKey;
use mainsheet_store::users::{Access, Login};
use serde::Serialize;
use utoipa::ToSchema;

use crate::IdentityState;

/// How long a login lasts after its last use.
const LOGIN_LASTS: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long it lasts where an organization demands a second factor.
const STRICT_LOGIN_LASTS: Duration = Duration::from_secs(12 * 3600);

/// Tokens, or the step that is missing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginResult {
    /// For `Authorization: Bearer`; good for 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<TokenType>,
    /// When the access token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// Exchanges for new tokens, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// What has to be done first; given instead of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<NextStep>,
    /// For the next step; good for 10 minutes. With `setup_mfa` it is the bearer token of the enrolment's operations, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge_token: Option<String>,
}

/// How an access token is presented.
#[derive(Serialize, ToSchema)]
pub(crate) enum TokenType {
    /// As `Authorization: Bearer` (RFC 6750).
    Bearer,
    /// As `Authorization: DPoP`, with a proof (RFC 9449).
    #[serde(rename = "DPoP")]
    DPoP,
}

/// What has to be done before there are tokens.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NextStep {
    /// Confirm the address with the mailed token.
    VerifyEmail,
    /// Give the second factor.
    Mfa,
    /// Set up a second factor, because an organization demands one; then give it.
    SetupMfa,
}

impl LoginResult {
    /// No tokens before the address is confirmed.
    pub(crate) fn verify_email() -> Self {
        Self::waiting(NextStep::VerifyEmail, None)
    }

    fn waiting(next_step: NextStep, challenge_token: Option<String>) -> Self {
        Self {
            access_token: None,
            token_type: None,
            expires_at: None,
            refresh_token: None,
            next_step: Some(next_step),
            challenge_token,
        }
    }

    /// The tokens of a login.
    pub(crate) fn tokens(
        key: &SigningKey,
        refresh: &RefreshToken,
        (login, access): (&Login, &Access),
        now: Timestamp,
    ) -> Result<Self> {
        let token_type = if login.dpop_jkt.is_some() { TokenType::DPoP } else { TokenType::Bearer };
        let token = AccessToken {
            user_id: refresh.user_id.clone(),
            login_id: refresh.login_id.clone(),
            organization_hint: access.only_organization().cloned(),
            confirmation: login.dpop_jkt.clone().map(|jkt| Confirmation { jkt }),
        };
        let (access_token, expires_at) = token.sign(key, now)?;
        Ok(Self {
            access_token: Some(access_token),
            token_type: Some(token_type),
            expires_at: Some(expires_at),
            refresh_token: Some(refresh.reveal()),
            next_step: None,
            challenge_token: None,
        })
    }
}

/// A way of signing in: what the first factor was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A password.
    Password,
    /// A code that was mailed.
    MailedCode,
    /// A one-time code, got in one of these ways.
    OneTimeCode(ProvenBy),
}

impl Way {
    fn is_allowed_by(self, auth: &AuthSettings) -> bool {
        match self {
            Self::Password => auth.allow_login_with_password,
            Self::MailedCode => auth.allow_login_with_email,
            // Whoever gives such a code out has asked the organization's settings.
            Self::OneTimeCode(_) => true,
        }
    }

    /// Whether it will do where a verified address is demanded: a code was mailed there, or the provider says so to the one organization
    /// that the login reaches. An accepted invitation has confirmed the address by then.
    fn vouches_for_address(self) -> bool {
        matches!(self, Self::MailedCode | Self::OneTimeCode(ProvenBy::SingleSignOn))
    }
}

/// Somebody whose first factor was right.
pub(crate) struct SignIn {
    /// Who.
    pub(crate) person: AtTheDoor,
    /// In which way.
    pub(crate) way: Way,
    /// The client's name for its device.
    pub(crate) device_id: Option<String>,
    /// What the client has to show for being a trusted device.
    pub(crate) trusted_device: Option<TrustedDeviceToken>,
    /// The thumbprint of the key that the client proved to have: tokens are bound to it (RFC 9449).
    pub(crate) dpop_jkt: Option<String>,
    /// The identity provider's session that it came from.
    pub(crate) single_sign_on: Option<SsoSession>,
    /// Where from.
    pub(crate) origin: Origin,
    /// The tries that were counted for it, to be forgiven.
    pub(crate) tries: Vec<ThrottleKey>,
}

/// Ends a sign-in whose first factor was right: with tokens, or with the step that is missing. `also` is what else changes with
/// it: a code is used.
///
/// # Errors
/// [`Error::Forbidden`] when an organization does not allow this way, or a second factor would have to be set up by the word of an
/// identity provider whose organization the account is not wholly of, while there is another way in; [`Error::Conflict`] when `also`
/// lost a race.
pub(crate) async fn finish(
    state: &IdentityState,
    sign_in: SignIn,
    also: impl FnOnce(Change<'_>) -> Change<'_>,
) -> Result<LoginResult> {
    let demands = Demands::of(state, &sign_in.person.access.value, sign_in.single_sign_on.as_ref()).await?;
    demands.require_way(sign_in.way)?;
    let now = state.app.now();
    let begin = |action, target: &str| {
        let change = state.app.store.change(audit(&sign_in.person, &sign_in.origin, action, target));
        let change = also(change.noted_in(&sign_in.person.access.value)).forgive(&sign_in.tries);
        match sign_in.way {
            Way::Password => change.require_password(&sign_in.person.credentials, wrong_password()),
            Way::MailedCode | Way::OneTimeCode(_) => change,
        }
    };
    let is_verified = sign_in.person.access.value.email_verified_at.is_some() || sign_in.way.vouches_for_address();
    if !is_verified && demands.verified_address() {
        begin("login.await_verification", sign_in.person.user.value.id.as_str()).commit().await?;
        return Ok(LoginResult::verify_email());
    }
    let awaits = match sign_in.has_second_factor() {
        true if !sign_in.is_trusted(now) => Some(Awaits::SecondFactor),
        false if demands.second_factor() => sign_in.enrolment(&demands)?,
        _ => None,
    };
    if let Some(awaits) = awaits {
        let challenge = sign_in.challenge(awaits, now);
        begin("login.challenge", challenge.id.as_str()).begin_challenge(&challenge).commit().await?;
        return challenged(state, challenge);
    }
    let entry = Entry {
        person: &sign_in.person,
        device_id: sign_in.device_id.clone(),
        dpop_jkt: sign_in.dpop_jkt.clone(),
        single_sign_on: sign_in.single_sign_on.clone(),
        origin: &sign_in.origin,
        auth_time: now,
        proven_at: sign_in.is_strong().then_some(now),
        demands: &demands,
    };
    let (login, refresh) = entry.login(now)?;
    let change = entry.enter(begin("login.create", login.id.as_str()), &login);
    change.commit().await?;
    LoginResult::tokens(&state.access_key, &refresh, (&login, &sign_in.person.access.value), now)
}

/// What somebody hears who has no account, another password, or no more the one that they gave.
pub(crate) fn wrong_password() -> Error {
    Error::unauthenticated("wrong address or password")
}

/// The beginning of a record of somebody's signing in.
pub(crate) fn audit(person: &AtTheDoor, origin: &Origin, action: &'static str, target: &str) -> Audit {
    let user_id = person.user.value.id.clone();
    Audit {
        scope: Scope::User(user_id.clone()),
        actor: Actor::User { user_id },
        origin: origin.clone(),
        action,
        target: target.to_owned(),
    }
}

/// Notes that a try failed: in the trails of whose account it is and of their organizations. Who did it is not known, and nobody's
/// takes as long as somebody's.
pub(crate) async fn note_failure(
    state: &IdentityState,
    person: Option<&AtTheDoor>,
    origin: &Origin,
    tries: &[ThrottleKey],
) -> Result<()> {
    let store = &state.app.store;
    let Some(person) = person else { return store.note_nobodys_failure(tries).await };
    let failed = audit(person, origin, "login.fail", person.user.value.id.as_str());
    store.change(Audit { actor: Actor::Platform, ..failed }).noted_in(&person.access.value).commit().await
}

fn challenged(state: &IdentityState, challenge: Challenge) -> Result<LoginResult> {
    let next_step = match challenge.awaits {
        Awaits::SecondFactor => NextStep::Mfa,
        Awaits::Enrolment => NextStep::SetupMfa,
    };
    let token = ChallengeToken { user_id: challenge.user_id, challenge_id: challenge.id };
    Ok(LoginResult::waiting(next_step, Some(token.sign(&state.access_key, challenge.created_at)?)))
}

impl SignIn {
    fn has_second_factor(&self) -> bool {
        self.person.second_factor.as_ref().is_some_and(|row| row.value.totp.is_some())
    }

    /// Whether what was given counts as a recent proof of who they are. Who has neither a password nor a second factor can give
    /// nothing better than what they signed in with.
    fn is_strong(&self) -> bool {
        let has_password = self.person.credentials.value.password_hash.is_some();
        self.way == Way::Password || !(has_password || self.has_second_factor())
    }

    /// Whether it comes from a device that the person trusts, and that is trusted since logins were last ended.
    fn is_trusted(&self, now: Timestamp) -> bool {
        let (Some(token), Some(row)) = (&self.trusted_device, &self.person.trusted_device) else { return false };
        let device = &row.value;
        token.is_of(device)
            && device.is_trusted(&self.person.access.value, now)
            && device.device_id.as_ref().is_none_or(|name| self.device_id.as_ref() == Some(name))
    }

    /// A second factor has to be set up, where the login reaches the account. Where it does not and there is no other way in, the word
    /// of the organization's provider has to do, whose ID token named the demanded `acr`.
    fn enrolment(&self, demands: &Demands) -> Result<Option<Awaits>> {
        match self.person.access.value.require_account(self.single_sign_on.as_ref()) {
            Ok(()) => Ok(Some(Awaits::Enrolment)),
            Err(_) if demands.leave_single_sign_on_alone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn challenge(&self, awaits: Awaits, now: Timestamp) -> Challenge {
        Challenge {
            id: ChallengeId::generate(now),
            user_id: self.person.user.value.id.clone(),
            awaits,
            created_at: now,
            epoch: self.person.access.value.login_epoch,
            expires_at: now + CHALLENGE_VALID,
            device_id: self.device_id.clone(),
            single_sign_on: self.single_sign_on.clone(),
        }
    }
}

/// What the organizations of a person demand of their signing in. Ways in and leaked passwords are the affair of all of them; of the
/// rest the strictest one that the login reaches counts.
pub(crate) struct Demands {
    /// Of all of them: together they say which ways in there are.
    of_all: Vec<AuthSettings>,
    /// Of those that the login reaches.
    of_reached: Vec<AuthSettings>,
}

impl Demands {
    /// One round trip. A login that came from a provider reaches its organization alone.
    pub(crate) async fn of(state: &IdentityState, access: &Access, provider: Option<&SsoSession>) -> Result<Self> {
        let organizations = state.app.store.organizations_of(access).await?;
        let reached = organizations
            .iter()
            .filter(|row| provider.is_none_or(|session| session.organization_id == row.value.id))
            .map(|row| row.value.settings.auth.clone());
        let of_reached = reached.collect();
        Ok(Self { of_all: organizations.into_iter().map(|row| row.value.settings.auth).collect(), of_reached })
    }

    fn verified_address(&self) -> bool {
        self.of_reached.iter().any(|auth| auth.require_email_verification)
    }

    /// Whether a password has to be one that is not known from leaks; who belongs nowhere is asked for that, too.
    pub(crate) fn unleaked_password(&self) -> bool {
        self.of_all.is_empty() || self.of_all.iter().any(|auth| auth.check_breached_passwords)
    }

    fn second_factor(&self) -> bool {
        self.of_reached.iter().any(AuthSettings::demands_second_factor)
    }

    /// Whether neither passwords nor mailed codes let the person in.
    fn leave_single_sign_on_alone(&self) -> bool {
        self.require_way(Way::Password).is_err() && self.require_way(Way::MailedCode).is_err()
    }

    /// A way is refused as soon as one organization does not allow it, unless organizations contradict each other so that
    /// nothing is left: then what one of them allows is taken. An organization that allows neither passwords nor codes wants
    /// single sign-on, which is always left.
    fn require_way(&self, way: Way) -> Result<()> {
        let by_all = |way: Way| self.of_all.iter().all(|auth| way.is_allowed_by(auth));
        let something_is_left = by_all(Way::Password)
            || by_all(Way::MailedCode)
            || self.of_all.iter().any(AuthSettings::is_single_sign_on_only);
        if by_all(way) || (!something_is_left && self.of_all.iter().any(|auth| way.is_allowed_by(auth))) {
            return Ok(());
        }
        let (code, what) = match way {
            Way::Password => ("password_login_disabled", "with a password"),
            Way::MailedCode | Way::OneTimeCode(_) => ("email_login_disabled", "with a mailed code"),
        };
        let message = format!("Your organization does not let people sign in {what}. Use another way.");
        Err(Error::Forbidden { code, message })
    }
}

/// Somebody who has given all that is asked for.
pub(crate) struct Entry<'a> {
    pub(crate) person: &'a AtTheDoor,
    pub(crate) device_id: Option<String>,
    pub(crate) dpop_jkt: Option<String>,
    pub(crate) single_sign_on: Option<SsoSession>,
    pub(crate) origin: &'a Origin,
    /// When the first factor was right.
    pub(crate) auth_time: Timestamp,
    /// When they proved strongly who they are.
    pub(crate) proven_at: Option<Timestamp>,
    pub(crate) demands: &'a Demands,
}

impl Entry<'_> {
    /// A new login and its first refresh token.
    pub(crate) fn login(&self, now: Timestamp) -> Result<(Login, RefreshToken)> {
        let user_id = self.user_id().clone();
        let refresh = RefreshToken::first(user_id.clone(), LoginId::generate(now))?;
        let lasts = if self.demands.second_factor() { STRICT_LOGIN_LASTS } else { LOGIN_LASTS };
        let login = Login {
            id: refresh.login_id.clone(),
            user_id,
            created_at: now,
            epoch: self.person.access.value.login_epoch,
            last_used_at: now,
            expires_at: now + lasts,
            auth_time: self.auth_time,
            proven_at: self.proven_at,
            lasts_seconds: lasts.as_secs(),
            device_id: self.device_id.clone(),
            remote_ip: self.origin.address.clone(),
            user_agent: self.origin.user_agent.clone(),
            dpop_jkt: self.dpop_jkt.clone(),
            single_sign_on: self.single_sign_on.clone(),
            refresh_family_sha256: refresh.family_sha256(),
            refresh_current_sha256: refresh.own_sha256(),
            emergency_noted: BTreeMap::new(),
        };
        Ok((login, refresh))
    }

    /// The login begins, and a device that is new to the person is told of.
    pub(crate) fn enter<'s>(&self, change: Change<'s>, login: &Login) -> Change<'s> {
        let reach = self.single_sign_on.as_ref().map(|session| &session.organization_id);
        let change = change.create_login(login).note_login(&self.person.access.value, reach);
        match self.person.known_devices.meet(&self.device_name()) {
            Device::Known => change,
            Device::First(devices) => change.remember_devices(self.user_id(), &devices),
            Device::New(devices) => {
                let email = self.person.user.value.email.clone();
                let mail = Mail::NewDevice { email, at: login.created_at, origin: self.origin.clone() };
                change.remember_devices(self.user_id(), &devices).emit(Event::MailRequested { mail })
            }
        }
    }

    /// What a device is known by: the client's name for it, else its software without version numbers.
    fn device_name(&self) -> String {
        let software = || {
            let user_agent = self.origin.user_agent.as_deref().unwrap_or_default();
            user_agent.chars().filter(|letter| !letter.is_ascii_digit() && *letter != '.').collect()
        };
        self.device_id.clone().unwrap_or_else(software)
    }

    fn user_id(&self) -> &UserId {
        &self.person.user.value.id
    }
}

/// Tries count for the account, existing or not, and for the network address.
pub(crate) fn throttle_keys(email: &NormalizedEmail, origin: &Origin) -> Vec<ThrottleKey> {
    let address = origin.address.clone().map(ThrottleKey::Address);
    [Some(ThrottleKey::Account(email.clone())), address].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(allowed: &[(bool, bool)]) -> Demands {
        let auth = |(password, email): &(bool, bool)| AuthSettings {
            allow_login_with_password: *password,
            allow_login_with_email: *email,
            ..AuthSettings::default()
        };
        let of_all: Vec<AuthSettings> = allowed.iter().map(auth).collect();
        Demands { of_reached: of_all.clone(), of_all }
    }

    #[test]
    fn the_strictest_organization_counts_and_nobody_is_locked_out_by_a_contradiction() {
        /// What each organization allows (passwords, mailed codes), and whether a password and a code are let in.
        type Case = (&'static [(bool, bool)], bool, bool);
        let cases: [Case; 7] = [
            (&[], true, true),
            (&[(true, true)], true, true),
            (&[(false, true), (true, true)], false, true),
            (&[(true, false), (true, true)], true, false),
            (&[(true, false), (false, true)], true, true),
            (&[(false, false)], false, false),
            (&[(false, false), (true, true)], false, false),
        ];
        for (allowed, password, code) in cases {
            let demands = demands(allowed);
            assert_eq!(demands.require_way(Way::Password).is_ok(), password, "a password, {allowed:?}");
            assert_eq!(demands.require_way(Way::MailedCode).is_ok(), code, "a mailed code, {allowed:?}");
            assert!(demands.require_way(Way::OneTimeCode(ProvenBy::SingleSignOn)).is_ok());
        }
    }
}
