//! What signing in goes through: the records of the person at the door, mailed codes, and sign-ins that are half done.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{ChallengeId, Error, LoginCodeId, Result, Timestamp, TrustedDeviceId, UserId};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile};
use crate::identity_providers::SsoSession;
use crate::second_factors::{SecondFactor, TrustedDevice, second_factor_key, trusted_device_key};
use crate::throttle::{Throttle, ThrottleKey};
use crate::users::{Access, Credentials, access_key, credentials_key, profile_key};
use crate::{Change, Entity, Key, Row, Store};

/// How long a mailed code is good (contract, decisions, Identity).
pub const LOGIN_CODE_VALID: Duration = Duration::from_secs(10 * 60);
/// How often a mailed code may be tried.
pub const LOGIN_CODE_TRIES: u32 = 5;
/// How long a half-done sign-in can be finished.
pub const CHALLENGE_VALID: Duration = Duration::from_secs(10 * 60);
/// The most devices that are remembered for a person.
const MAX_KNOWN_DEVICES: usize = 50;

/// The person at the door, read in one round trip.
#[derive(Debug, Clone)]
pub struct AtTheDoor {
    /// Their profile.
    pub user: Row<User>,
    /// What they may reach.
    pub access: Row<Access>,
    /// What proves who they are.
    pub credentials: Row<Credentials>,
    /// Their second factor, as far as they have set it up.
    pub second_factor: Option<Row<SecondFactor>>,
    /// The devices that they were seen with.
    pub known_devices: KnownDevices,
    /// The trusted device that was asked for.
    pub trusted_device: Option<Row<TrustedDevice>>,
    /// The half-done sign-in that was asked for.
    pub challenge: Option<Row<Challenge>>,
}

/// What is read with the person at the door.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// A trusted device.
    pub trusted_device: Option<&'a TrustedDeviceId>,
    /// A half-done sign-in.
    pub challenge: Option<&'a ChallengeId>,
    /// The code that was mailed to an address.
    pub login_code: Option<&'a NormalizedEmail>,
    /// How often somebody failed.
    pub throttle: Option<&'a ThrottleKey>,
}

/// The answer to [`Store::at_the_door`].
#[derive(Debug)]
pub struct Door {
    /// The person, if there is one.
    pub person: Option<AtTheDoor>,
    /// The mailed code that was asked for.
    pub login_code: Option<Row<LoginCode>>,
    /// The throttle that was asked for.
    pub throttle: Option<Row<Throttle>>,
}

/// The devices that a person was seen with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownDevices {
    /// Hashes of their names, oldest first.
    names: Vec<String>,
}

impl Entity for KnownDevices {
    const KIND: &'static str = "known_devices";
}

/// What a device is to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// They were seen with it before.
    Known,
    /// It is the first one that they are seen with.
    First(KnownDevices),
    /// They were seen with others so far.
    New(KnownDevices),
}

impl KnownDevices {
    /// What the device of this name is, and what is remembered from now on.
    #[must_use]
    pub fn meet(&self, name: &str) -> Device {
        let name = hex::encode(&digest(&SHA256, name.as_bytes()).as_ref()[..16]);
        if self.names.contains(&name) {
            return Device::Known;
        }
        let forgotten = (self.names.len() + 1).saturating_sub(MAX_KNOWN_DEVICES);
        let names = self.names.iter().skip(forgotten).cloned().chain([name]).collect();
        if self.names.is_empty() { Device::First(Self { names }) } else { Device::New(Self { names }) }
    }
}

/// A code that was mailed to an address, whether it has an account or not: the same is done for both. The code itself is not
/// kept; it is derived from the id when it is mailed and when it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginCode {
    /// Its id.
    pub id: LoginCodeId,
    /// How often it was tried.
    pub tries: u32,
    /// When it is good no more.
    pub expires_at: Timestamp,
}

impl Entity for LoginCode {
    const KIND: &'static str = "login_code";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl LoginCode {
    /// A new one.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { id: LoginCodeId::generate(now), tries: 0, expires_at: now + LOGIN_CODE_VALID }
    }

    /// Whether it may be tried at `now`.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.expires_at > now && self.tries < LOGIN_CODE_TRIES
    }
}

/// What a half-done sign-in waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaits {
    /// The second factor.
    SecondFactor,
    /// A second factor to be set up, because an organization demands one.
    Enrolment,
}

/// A sign-in whose first factor was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// Its id, which the challenge token names.
    pub id: ChallengeId,
    /// Whose.
    pub user_id: UserId,
    /// What it waits for.
    pub awaits: Awaits,
    /// When the first factor was right.
    pub created_at: Timestamp,
    /// The user's [`Access::login_epoch`] when it was.
    pub epoch: u64,
    /// When it can be finished no more.
    pub expires_at: Timestamp,
    /// The client's name for its device.
    pub device_id: Option<String>,
    /// The identity provider's session that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_sign_on: Option<SsoSession>,
}

impl Entity for Challenge {
    const KIND: &'static str = "challenge";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Challenge {
    /// Whether it can be finished at `now`: it has not run out, and no logins were ended since it began.
    #[must_use]
    pub fn is_open(&self, access: &Access, now: Timestamp) -> bool {
        self.expires_at > now && self.epoch == access.login_epoch
    }
}

fn known_devices_key(user: &UserId) -> Key {
    Key::of_user(user, "KNOWN_DEVICES")
}

fn challenge_key(user: &UserId, challenge: &ChallengeId) -> Key {
    Key::of_user(user, format!("CHALLENGE#{challenge}"))
}

fn login_code_key(email: &NormalizedEmail) -> Key {
    let hash = digest(&SHA256, email.as_str().as_bytes());
    Key::global(format!("LOGIN_CODE#{}", hex::encode(hash.as_ref())), "LOGIN_CODE")
}

impl Store {
    /// The person at the door and what is read with them: one round trip, whether there is such a person or not.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn at_the_door(&self, user: &UserId, beside: Beside<'_>) -> Result<Door> {
        let own = [profile_key(user), access_key(user), credentials_key(user)];
        let (factor_key, devices_key) = (second_factor_key(user), known_devices_key(user));
        let device_key = beside.trusted_device.map(|device| trusted_device_key(user, device));
        let challenge_key = beside.challenge.map(|challenge| challenge_key(user, challenge));
        let code_key = beside.login_code.map(login_code_key);
        let throttle_key = beside.throttle.map(ThrottleKey::key);
        let optional = [&device_key, &challenge_key, &code_key, &throttle_key].into_iter().flatten().cloned();
        let keys = own.iter().cloned().chain([factor_key.clone(), devices_key.clone()]).chain(optional);
        let mut batch = self.get_batch(keys).await?;
        let [profile_key, access_key, credentials_key] = &own;
        let person = batch.take(profile_key)?.zip(batch.take(access_key)?).zip(batch.take(credentials_key)?);
        let second_factor = batch.take(&factor_key)?;
        let known_devices = batch.take::<KnownDevices>(&devices_key)?.map(|row| row.value).unwrap_or_default();
        let trusted_device = device_key.map(|key| batch.take(&key)).transpose()?.flatten();
        let challenge = challenge_key.map(|key| batch.take(&key)).transpose()?.flatten();
        let person = person.map(|((user, access), credentials)| AtTheDoor {
            user,
            access,
            credentials,
            second_factor,
            known_devices,
            trusted_device,
            challenge,
        });
        Ok(Door {
            person,
            login_code: code_key.map(|key| batch.take(&key)).transpose()?.flatten(),
            throttle: throttle_key.map(|key| batch.take(&key)).transpose()?.flatten(),
        })
    }

    /// A half-done sign-in, whether expired or not, and what its person may reach: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn challenge(
        &self,
        user: &UserId,
        challenge: &ChallengeId,
    ) -> Result<Option<(Row<Challenge>, Row<Access>)>> {
        let (challenge_key, access_key) = (challenge_key(user, challenge), access_key(user));
        let mut batch = self.get_batch([challenge_key.clone(), access_key.clone()]).await?;
        Ok(batch.take(&challenge_key)?.zip(batch.take(&access_key)?))
    }

    /// The code that was mailed to an address last.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn login_code(&self, email: &NormalizedEmail) -> Result<Option<Row<LoginCode>>> {
        self.get(&login_code_key(email)).await
    }

    /// Counts a try of a mailed code, before it is looked at; answers the code as it then is.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is tried at the same moment.
    pub async fn try_login_code(&self, row: &Row<LoginCode>) -> Result<Row<LoginCode>> {
        let tried = LoginCode { tries: row.value.tries + 1, ..row.value.clone() };
        self.telemetry().replace(row, &tried, Due::Keep).commit().await?;
        let mut row = row.clone();
        (row.value, row.version) = (tried, row.version + 1);
        Ok(row)
    }

    /// Keeps a code that is mailed to nobody, and counts the mail.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another one is asked for at the same moment.
    pub async fn keep_nobodys_login_code(
        &self,
        email: &NormalizedEmail,
        earlier: Option<&Row<LoginCode>>,
        throttle: Option<&Row<Throttle>>,
    ) -> Result<()> {
        let change = self.telemetry();
        let code = LoginCode::new(change.now());
        let key = ThrottleKey::Mail(email.clone());
        change.put_login_code(email, earlier, &code).count_failure(&key, throttle).commit().await
    }
}

impl Change<'_> {
    /// A code for an address, in place of the one before.
    pub fn put_login_code(self, email: &NormalizedEmail, earlier: Option<&Row<LoginCode>>, code: &LoginCode) -> Self {
        match earlier {
            Some(row) => self.replace(row, code, Due::Keep),
            None => self.create(&login_code_key(email), code, changed_meanwhile()),
        }
    }

    /// A mailed code was used: once, whoever else tries at the same moment.
    pub fn use_login_code(self, row: &Row<LoginCode>) -> Self {
        self.delete(row)
    }

    /// A sign-in is half done.
    pub fn begin_challenge(self, challenge: &Challenge) -> Self {
        let used = Error::internal("a challenge's id that was used before");
        self.create(&challenge_key(&challenge.user_id, &challenge.id), challenge, used)
    }

    /// A sign-in is done: once, whoever else tries at the same moment.
    pub fn finish_challenge(self, row: &Row<Challenge>) -> Self {
        self.delete(row)
    }

    /// The devices that a person was seen with. When two new ones are met at the same moment, one of them is new again next
    /// time.
    pub fn remember_devices(self, user: &UserId, devices: &KnownDevices) -> Self {
        self.overwrite(&known_devices_key(user), devices)
    }
}
