//! Second factors: authenticators, recovery codes, and devices that are trusted instead.

use std::time::Duration;

use mainsheet_core::sealed::Sealed;
use mainsheet_core::{Error, Result, Timestamp, TrustedDeviceId, UserId};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile};
use crate::users::{Access, access_key};
use crate::{Change, Entity, Key, Listing, PageRequest, Row, Store};

/// How long a device is trusted (contract, decisions, Identity).
pub const TRUSTED_DEVICE_VALID: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long an enrolment may take.
const ENROLMENT_VALID: Duration = Duration::from_secs(3600);

/// How the sort keys of trusted devices begin.
const TRUSTED_DEVICES: &str = "TRUSTED_DEVICE#";

/// A person's second factor, as far as they have set it up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactor {
    /// The authenticator that counts.
    pub totp: Option<Totp>,
    /// One that was not confirmed yet.
    pub enrolment: Option<Enrolment>,
    /// SHA-256 of the recovery codes that are left, in hex.
    pub recovery_codes: Vec<String>,
}

/// An authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totp {
    /// Its secret in base32, sealed for the user.
    pub secret: Sealed,
    /// The number of the step whose code was used last: a code counts once.
    pub last_step: u64,
    /// Since when it counts.
    pub confirmed_at: Timestamp,
}

/// An authenticator that was not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enrolment {
    /// Its secret in base32, sealed for the user.
    pub secret: Sealed,
    /// When it is too late to confirm it.
    pub expires_at: Timestamp,
}

impl Entity for SecondFactor {
    const KIND: &'static str = "second_factor";
}

impl SecondFactor {
    /// The enrolment that can be confirmed at `now`.
    #[must_use]
    pub fn enrolling(&self, now: Timestamp) -> Option<&Enrolment> {
        self.enrolment.as_ref().filter(|enrolment| enrolment.expires_at > now)
    }

    /// The same with a secret to confirm.
    #[must_use]
    pub fn with_enrolment(self, secret: Sealed, now: Timestamp) -> Self {
        Self { enrolment: Some(Enrolment { secret, expires_at: now + ENROLMENT_VALID }), ..self }
    }

    /// The same without a recovery code; `None` when it is none of those that are left.
    #[must_use]
    pub fn without_recovery_code(&self, sha256: &str) -> Option<Self> {
        let left: Vec<String> = self.recovery_codes.iter().filter(|code| *code != sha256).cloned().collect();
        (left.len() < self.recovery_codes.len()).then(|| Self { recovery_codes: left, ..self.clone() })
    }
}

/// A device that skips the second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedDevice {
    /// Its id.
    pub id: TrustedDeviceId,
    /// Who trusts it.
    pub user_id: UserId,
    /// SHA-256 of the secret that it keeps, in hex.
    pub secret_sha256: String,
    /// The client's name for it: a sign-in that names another one is not from it.
    pub device_id: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// The user's [`Access::login_epoch`] by then.
    pub epoch: u64,
    /// Until when.
    pub expires_at: Timestamp,
    /// The network address that it was trusted from.
    pub remote_ip: Option<String>,
    /// The software that it was trusted with.
    pub user_agent: Option<String>,
}

impl TrustedDevice {
    /// Whether it is trusted at `now`: it has not run out, and no logins were ended since.
    #[must_use]
    pub fn is_trusted(&self, access: &Access, now: Timestamp) -> bool {
        self.expires_at > now && self.epoch == access.login_epoch
    }
}

impl Entity for TrustedDevice {
    const KIND: &'static str = "trusted_device";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

pub(crate) fn second_factor_key(user: &UserId) -> Key {
    Key::of_user(user, "SECOND_FACTOR")
}

pub(crate) fn trusted_device_key(user: &UserId, device: &TrustedDeviceId) -> Key {
    Key::of_user(user, format!("{TRUSTED_DEVICES}{device}"))
}

impl Store {
    /// A person's second factor; `None` when they never began to set one up.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn second_factor(&self, user: &UserId) -> Result<Option<Row<SecondFactor>>> {
        self.get(&second_factor_key(user)).await
    }

    /// A device that a person trusts, whether expired or not.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn trusted_device(&self, user: &UserId, device: &TrustedDeviceId) -> Result<Option<Row<TrustedDevice>>> {
        self.get(&trusted_device_key(user, device)).await
    }

    /// The newest 100 devices that a person trusts, whether expired or not: one query.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn trusted_devices(&self, user: &UserId) -> Result<Vec<Row<TrustedDevice>>> {
        let listing = Listing::of(access_key(user).pk).beginning_with(TRUSTED_DEVICES).descending(true);
        let request = PageRequest { limit: 100, ..PageRequest::default() };
        Ok(self.page(&listing, &request).await?.rows)
    }
}

impl Change<'_> {
    /// A person's second factor, in place of the one that was read, or as their first.
    pub fn put_second_factor(self, user: &UserId, row: Option<&Row<SecondFactor>>, factor: &SecondFactor) -> Self {
        match row {
            Some(row) => self.replace(row, factor, Due::Keep),
            None => self.create(&second_factor_key(user), factor, changed_meanwhile()),
        }
    }

    /// A user's second factor and recovery codes go. Devices that were trusted end with their logins
    /// ([`crate::users::Access::without_logins`]).
    pub fn wipe_second_factors(self, user: &UserId) -> Self {
        self.remove(&second_factor_key(user))
    }

    /// A device is trusted from now on.
    pub fn trust_device(self, device: &TrustedDevice) -> Self {
        let used = Error::internal("a trusted device's id that was used before");
        self.create(&trusted_device_key(&device.user_id, &device.id), device, used)
    }

    /// A device is trusted no more.
    pub fn distrust_device(self, row: &Row<TrustedDevice>) -> Self {
        self.delete(row)
    }
}
