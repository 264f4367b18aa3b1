//! Service accounts and their keys.
//!
//! A request that brings a key costs one read: the row under the key's hash says whose it is and what that one may do. The
//! keys of an account are few, so whatever changes for one of them is written to all in one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::service_account::{ServiceAccount, ServiceAccountKey};
use mainsheet_core::{Error, OrganizationId, Result, ServiceAccountId, ServiceAccountKeyId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile, update_of};
use crate::idempotency::{IdempotencyKey, IdempotencyRecord, Sender, take_earlier};
use crate::key::tenant_partition;
use crate::policies::{Grants, Principal};
use crate::row::attribute;
use crate::{Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// The most keys that an account can have: all are changed in one transaction.
pub const MAX_KEYS: usize = 20;
/// How exactly the last use of a key is known.
const USE_NOTED_EVERY: Duration = Duration::from_secs(600);
/// Beside a key: when it was last used, to [`USE_NOTED_EVERY`].
const LAST_USED: &str = "last_used_at";

impl Entity for ServiceAccount {
    const KIND: &'static str = "service_account";
}

impl Entity for ServiceAccountKey {
    const KIND: &'static str = "service_account_key";
}

/// A username that belongs to a service account of the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsernameClaim {
    service_account_id: ServiceAccountId,
}

impl Entity for UsernameClaim {
    const KIND: &'static str = "service_account_name";
}

/// What all keys of an account have in common, and which they are. Its version is what key changes and policy changes of one
/// account meet in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyBunch {
    /// SHA-256 of each key, in hex.
    pub keys: BTreeMap<ServiceAccountKeyId, String>,
    /// What the account's policy gives it.
    pub grants: Grants,
}

impl Entity for KeyBunch {
    const KIND: &'static str = "service_account_keys";
}

/// Whose a key is and what it may do: found by the key's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceKey {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The account.
    pub service_account_id: ServiceAccountId,
    /// The key.
    pub key_id: ServiceAccountKeyId,
    /// SHA-256 of the key, in hex.
    pub sha256: String,
    /// When it is good no more.
    pub expires_at: Option<Timestamp>,
    /// What the account's policy gives it.
    pub grants: Grants,
}

impl Entity for ServiceKey {
    const KIND: &'static str = "service_key";
}

/// What a key leads to, read in one round trip.
#[derive(Debug)]
pub struct IdentifiedKey {
    /// The key, unless it has expired or was revoked.
    pub key: Option<Row<ServiceKey>>,
    /// What came of an earlier request with the same idempotency key.
    pub earlier: Option<IdempotencyRecord>,
}

pub(crate) fn service_key_partition(sha256: &str) -> String {
    format!("SERVICE_KEY#{sha256}")
}

fn service_key_key(sha256: &str) -> Key {
    Key::global(service_key_partition(sha256), "SERVICE_KEY")
}

fn account_key(tenant: &Tenant, account: &ServiceAccountId) -> Key {
    Key::of_tenant(tenant, "SERVICE_ACCOUNTS", account.as_str())
}

fn name_key(tenant: &Tenant, username: &str) -> Key {
    Key::of_tenant(tenant, "SERVICE_ACCOUNT_NAMES", username.to_lowercase())
}

fn bunch_key(tenant: &Tenant, account: &ServiceAccountId) -> Key {
    Key::of_tenant(tenant, format!("SERVICE_ACCOUNT#{account}"), "KEYS")
}

fn keys_partition(account: &ServiceAccountId) -> String {
    format!("SERVICE_ACCOUNT#{account}#KEYS")
}

fn key_key(tenant: &Tenant, account: &ServiceAccountId, key: &ServiceAccountKeyId) -> Key {
    Key::of_tenant(tenant, keys_partition(account), key.as_str())
}

fn name_taken() -> Error {
    Error::conflict("username_taken", "Another service account has this name. Choose another one.")
}

/// The organization that a key belongs to: its own record says so.
#[must_use]
pub fn tenant_of_key(key: &Row<ServiceKey>) -> Tenant {
    Tenant::proven(key.value.organization_id.clone())
}

/// When a key was last used, to ten minutes.
#[must_use]
pub fn last_used(row: &Row<ServiceAccountKey>) -> Option<Timestamp> {
    row.text(LAST_USED)?.parse().ok()
}

impl Store {
    /// Whose a key is, by its SHA-256 in hex, and an earlier request of its holder: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn identify_key(&self, sha256: &str, key: Option<&IdempotencyKey>) -> Result<IdentifiedKey> {
        let own_key = service_key_key(sha256);
        let earlier_key = key.map(|key| key.row(&Sender::ServiceKey { sha256: sha256.to_owned() }));
        let keys = [Some(own_key.clone()), earlier_key.clone()];
        let mut batch = self.get_batch(keys.into_iter().flatten()).await?;
        let now = self.now();
        let earlier = earlier_key.map(|key| take_earlier(&mut batch, &key, now)).transpose()?.flatten();
        let row: Option<Row<ServiceKey>> = batch.take(&own_key)?;
        let key = row.filter(|row| row.value.expires_at.is_none_or(|expires_at| expires_at > now));
        Ok(IdentifiedKey { key, earlier })
    }

    /// Notes that a key is in use, unless that was noted within the last ten minutes. It is not audited.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the key was revoked meanwhile.
    pub async fn note_key_use(&self, row: &Row<ServiceKey>) -> Result<()> {
        let now = self.now();
        let noted = row.text(LAST_USED).and_then(|text| text.parse::<Timestamp>().ok());
        if noted.is_some_and(|noted| now.since(noted) < USE_NOTED_EVERY) {
            return Ok(());
        }
        let shown = key_key(&tenant_of_key(row), &row.value.service_account_id, &row.value.key_id);
        let stamp = Item::from([(LAST_USED.to_owned(), AttributeValue::S(now.to_string()))]);
        let change = self.telemetry().annotate(&row.key, stamp.clone(), &[], Error::NotFound);
        change.annotate(&shown, stamp, &[], Error::NotFound).commit().await
    }

    /// A page of the service accounts, in the order of their creation.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn service_accounts(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<ServiceAccount>>> {
        self.page(&Listing::of(tenant_partition(tenant, "SERVICE_ACCOUNTS")), request).await
    }

    /// A service account.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such account.
    pub async fn service_account(&self, tenant: &Tenant, account: &ServiceAccountId) -> Result<Row<ServiceAccount>> {
        self.get(&account_key(tenant, account)).await?.ok_or(Error::NotFound)
    }

    /// A service account and its keys: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such account.
    pub async fn service_account_and_keys(
        &self,
        tenant: &Tenant,
        account: &ServiceAccountId,
    ) -> Result<(Row<ServiceAccount>, Row<KeyBunch>)> {
        let (account_key, bunch_key) = (account_key(tenant, account), bunch_key(tenant, account));
        let mut batch = self.get_batch([account_key.clone(), bunch_key.clone()]).await?;
        batch.take(&account_key)?.zip(batch.take(&bunch_key)?).ok_or(Error::NotFound)
    }

    /// A page of an account's keys, oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such account; [`Error::Malformed`] for a bad marker.
    pub async fn service_account_keys(
        &self,
        tenant: &Tenant,
        account: &ServiceAccountId,
        request: &PageRequest,
    ) -> Result<Page<Row<ServiceAccountKey>>> {
        let listing = Listing::of(tenant_partition(tenant, keys_partition(account)));
        let (page, _) = tokio::try_join!(self.page(&listing, request), self.service_account(tenant, account))?;
        Ok(page)
    }

    /// A key of an account.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such key.
    pub async fn service_account_key(
        &self,
        tenant: &Tenant,
        account: &ServiceAccountId,
        key: &ServiceAccountKeyId,
    ) -> Result<Row<ServiceAccountKey>> {
        self.get(&key_key(tenant, account, key)).await?.ok_or(Error::NotFound)
    }
}

impl Change<'_> {
    /// A new service account, without keys and with nothing that it may do.
    pub fn create_service_account(self, tenant: &Tenant, account: &ServiceAccount) -> Self {
        let used = || Error::internal("a service account id that was used before");
        let claim = UsernameClaim { service_account_id: account.id.clone() };
        self.create(&name_key(tenant, &account.username), &claim, name_taken())
            .create(&account_key(tenant, &account.id), account, used())
            .create(&bunch_key(tenant, &account.id), &KeyBunch::default(), used())
    }

    /// A service account's new name or description; the claim on its name moves with it.
    pub fn replace_service_account(self, tenant: &Tenant, row: &Row<ServiceAccount>, account: &ServiceAccount) -> Self {
        let change = self.replace(row, account, Due::Keep);
        let (before, after) = (name_key(tenant, &row.value.username), name_key(tenant, &account.username));
        if before == after {
            return change;
        }
        let claim = UsernameClaim { service_account_id: account.id.clone() };
        change.remove(&before).create(&after, &claim, name_taken())
    }

    /// A service account's end, with all its keys and its policy.
    pub fn delete_service_account(self, tenant: &Tenant, account: &Row<ServiceAccount>, bunch: &Row<KeyBunch>) -> Self {
        let id = &account.value.id;
        let change = self
            .delete(account)
            .delete(bunch)
            .remove(&name_key(tenant, &account.value.username))
            .forget_policy(tenant, &Principal::ServiceAccount(id.clone()));
        bunch.value.keys.iter().fold(change, |change, (key, sha256)| {
            change.remove(&key_key(tenant, id, key)).remove(&service_key_key(sha256))
        })
    }

    /// A new key of an account, with what the account may do.
    pub fn create_service_account_key(
        self,
        tenant: &Tenant,
        account: &ServiceAccountId,
        bunch: &Row<KeyBunch>,
        (key, sha256): (&ServiceAccountKey, &str),
    ) -> Self {
        let used = || Error::internal("a key that was made before");
        let mut keys = bunch.value.clone();
        keys.keys.insert(key.id.clone(), sha256.to_owned());
        let service_key = ServiceKey {
            organization_id: tenant.organization_id().clone(),
            service_account_id: account.clone(),
            key_id: key.id.clone(),
            sha256: sha256.to_owned(),
            expires_at: key.expires_at,
            grants: keys.grants.clone(),
        };
        self.replace(bunch, &keys, Due::Keep).create(&key_key(tenant, account, &key.id), key, used()).create(
            &service_key_key(sha256),
            &service_key,
            used(),
        )
    }

    /// A key's end; [`Error::NotFound`] when the account has no such key.
    pub fn revoke_service_account_key(
        self,
        tenant: &Tenant,
        account: &ServiceAccountId,
        bunch: &Row<KeyBunch>,
        key: &ServiceAccountKeyId,
    ) -> Self {
        let mut keys = bunch.value.clone();
        let Some(sha256) = keys.keys.remove(key) else { return self.with_defect(Error::NotFound) };
        self.replace(bunch, &keys, Due::Keep).remove(&key_key(tenant, account, key)).remove(&service_key_key(&sha256))
    }

    /// What decides for a service account, whichever key it uses.
    pub fn grant_to_service_account(self, bunch: &Row<KeyBunch>, grants: &Grants) -> Self {
        let value = match attribute(grants) {
            Ok(value) => value,
            Err(error) => return self.with_defect(error),
        };
        let changed = KeyBunch { grants: grants.clone(), ..bunch.value.clone() };
        let change = self.replace(bunch, &changed, Due::Keep);
        bunch.value.keys.values().fold(change, |change, sha256| {
            let update = update_of(&service_key_key(sha256), Vec::new(), &[], &[("version", 1)])
                .update_expression("SET #data.grants = :grants ADD #a0 :a0")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_names("#data", crate::row::DATA)
                .expression_attribute_values(":grants", value.clone());
            change.update(update, changed_meanwhile())
        })
    }
}
