//! The chain over an organization's trail: blocks that fix which records there are and what they say.
//!
//! Writing a record never waits for the chain. A record enters the due index with its own transaction; the scheduler seals what
//! is there into the next block and takes it out of the index, in one transaction again. So no record is missed, however late
//! it came, and none is sealed twice. `infra/docs/audit.md` describes the format.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use mainsheet_core::{AuditId, Error, OrganizationId, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::AuditRecord;
use crate::change::{Due, changed_meanwhile, update_of};
use crate::key::{shard_of, tenant_partition};
use crate::scheduler::tenant_of;
use crate::schema::{DUE_AT, DUE_SHARD};
use crate::{Change, Entity, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// The most records in a block: each is a write of its transaction, of which there are 100 at most.
const MAX_RECORDS: usize = 90;
/// How many shards of the due index hold records to be sealed.
const SEAL_SHARDS: u8 = 8;
/// Beside a record: the block that seals it.
const BLOCK: &str = "block";

/// What the first block has in place of a block before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A record as a block fixes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealedRecord {
    /// The record.
    pub id: AuditId,
    /// SHA-256 of its canonical JSON (RFC 8785), in hex.
    pub sha256: String,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditBlock {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its place in the chain, from 1.
    pub number: u64,
    /// The hash of the block before; 64 zeros in the first one.
    pub previous_sha256: String,
    /// When it was made.
    pub sealed_at: Timestamp,
    /// What it fixes, in the order of ids.
    pub records: Vec<SealedRecord>,
}

impl Entity for AuditBlock {
    const KIND: &'static str = "audit_block";
}

impl AuditBlock {
    /// SHA-256 of its canonical JSON (RFC 8785), in hex: what the next block names.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be written as JSON.
    pub fn sha256(&self) -> Result<String> {
        canonical_sha256(self)
    }
}

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// Blocks so far: the last one's number.
    pub blocks: u64,
    /// Records in all of them.
    pub records: u64,
    /// The last block's hash; 64 zeros when there is none.
    pub sha256: String,
}

impl Entity for AuditHead {
    const KIND: &'static str = "audit_head";
}

impl AuditHead {
    fn genesis() -> Self {
        Self { blocks: 0, records: 0, sha256: GENESIS.to_owned() }
    }
}

/// SHA-256 of a value's canonical JSON (RFC 8785), in hex.
///
/// # Errors
/// [`Error::Internal`] when it cannot be written as JSON.
pub fn canonical_sha256<T: Serialize>(value: &T) -> Result<String> {
    // By way of a `Value`, so that the hash of what was kept and that of what was read back from a file agree.
    let value: Value = serde_json::to_value(value).map_err(Error::internal)?;
    let text = serde_json_canonicalizer::to_vec(&value).map_err(Error::internal)?;
    Ok(hex::encode(digest(&SHA256, &text)))
}

fn head_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "AUDIT_HEAD")
}

fn block_key(tenant: &Tenant, number: u64) -> Key {
    Key::of_tenant(tenant, "AUDIT_CHAIN", format!("{number:012}"))
}

/// The shard of the due index that a record waits in.
pub(crate) fn seal_shard(key: &Key) -> String {
    format!("SEAL#{}", shard_of(&key.sk, SEAL_SHARDS))
}

/// The block that seals a record, if one does yet.
#[must_use]
pub fn block_of(row: &Row<AuditRecord>) -> Option<u64> {
    Some(row.count(BLOCK)).filter(|number| *number > 0)
}

impl Store {
    /// Where an organization's chain ends.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn audit_head(&self, tenant: &Tenant) -> Result<AuditHead> {
        Ok(self.get(&head_key(tenant)).await?.map_or_else(AuditHead::genesis, |row| row.value))
    }

    /// A page of an organization's blocks, from the first one on.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn audit_blocks(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<AuditBlock>> {
        let page = self.page(&Listing::of(tenant_partition(tenant, "AUDIT_CHAIN")), request).await?;
        Ok(page.map(|row: Row<AuditBlock>| row.value))
    }

    /// Seals records that wait for it, some hundred at most, and answers how many. What another one seals at the same moment is
    /// left to that one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn seal_audit(&self, now: Timestamp) -> Result<usize> {
        let shards = try_join_all((0..SEAL_SHARDS).map(|shard| self.due_keys(format!("SEAL#{shard}"), now))).await?;
        let mut waiting: BTreeMap<OrganizationId, Vec<Key>> = BTreeMap::new();
        for key in shards.into_iter().flatten() {
            if let Some(tenant) = tenant_of(&key) {
                waiting.entry(tenant.organization_id().clone()).or_default().push(key);
            }
        }
        let mut sealed = 0;
        let mut failed = Ok(());
        for (organization, mut keys) in waiting {
            let tenant = Tenant::proven(organization);
            keys.sort_by(|one, other| one.sk.cmp(&other.sk));
            for keys in keys.chunks(MAX_RECORDS) {
                match self.seal_block(&tenant, keys, now).await {
                    Ok(count) => sealed += count,
                    Err(Error::Conflict { .. }) => break,
                    // One trail that cannot be sealed does not keep the others from it.
                    Err(error) => {
                        failed = Err(error);
                        break;
                    }
                }
            }
        }
        failed.map(|()| sealed)
    }

    /// The next block of an organization's chain, over those of the records that still wait.
    async fn seal_block(&self, tenant: &Tenant, keys: &[Key], now: Timestamp) -> Result<usize> {
        let head_key = head_key(tenant);
        let mut batch = self.get_batch(keys.iter().cloned().chain([head_key.clone()])).await?;
        let head: Option<Row<AuditHead>> = batch.take(&head_key)?;
        let mut rows: Vec<Row<AuditRecord>> = Vec::with_capacity(keys.len());
        for key in keys {
            rows.extend(batch.take(key)?.filter(|row: &Row<AuditRecord>| row.text(DUE_AT).is_some()));
        }
        if rows.is_empty() {
            return Ok(0);
        }
        let sealed = |row: &Row<AuditRecord>| {
            Ok(SealedRecord { id: row.value.id.clone(), sha256: canonical_sha256(&row.value)? })
        };
        let records: Vec<SealedRecord> = rows.iter().map(sealed).collect::<Result<_>>()?;
        let count = records.len();
        let before = head.as_ref().map_or_else(AuditHead::genesis, |row| row.value.clone());
        let block = AuditBlock {
            organization_id: tenant.organization_id().clone(),
            number: before.blocks + 1,
            previous_sha256: before.sha256,
            sealed_at: now,
            records,
        };
        let after = AuditHead { blocks: block.number, records: before.records + count as u64, sha256: block.sha256()? };
        let change = self.telemetry().create(&block_key(tenant, block.number), &block, changed_meanwhile());
        let change = match &head {
            Some(row) => change.replace(row, &after, Due::Keep),
            None => change.create(&head_key, &after, changed_meanwhile()),
        };
        rows.iter().fold(change, |change, row| change.note_sealed(&row.key, block.number)).commit().await?;
        Ok(count)
    }
}

impl Change<'_> {
    fn note_sealed(self, key: &Key, block: u64) -> Self {
        let block = vec![(BLOCK.to_owned(), AttributeValue::N(block.to_string()))];
        let update = update_of(key, block, &[DUE_SHARD, DUE_AT], &[]).condition_expression("attribute_exists(#r1)");
        self.update(update, changed_meanwhile())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_the_order_of_fields() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":{"d":"ä","c":null}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b":{"c":null,"d":"\u00e4"},"a":1}"#).unwrap();
        assert_eq!(canonical_sha256(&one).unwrap(), canonical_sha256(&other).unwrap());
        assert_ne!(canonical_sha256(&one).unwrap(), canonical_sha256(&json!({"a": 1})).unwrap());
    }
}
