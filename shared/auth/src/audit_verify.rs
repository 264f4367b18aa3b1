//! Checks an exported audit log, offline: that nothing in it was changed, left out, put in or moved.
//!
//! `infra/docs/audit.md` describes the export: one JSON object a line, `{"record": ...}` newest first, `{"block": ...}` from the
//! first one on, `{"checkpoint": "<JWS>"}`.

use std::collections::HashMap;
use std::time::Duration;

use mainsheet_core::{AuditId, Timestamp};
use mainsheet_store::audit_chain::{AuditBlock, GENESIS, canonical_sha256};
use serde::Deserialize;
use serde_json::Value;

use crate::audit_checkpoint::AuditCheckpoint;

/// How long a record may wait for its block while later blocks are there already.
const SEALED_WITHIN: Duration = Duration::from_secs(3600);

/// What was checked and found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records that blocks fix.
    pub records: usize,
    /// Blocks.
    pub blocks: usize,
    /// Records that are too young for a block: nothing speaks for them yet.
    pub unsealed: usize,
    /// Blocks that the checkpoint covers: up to there the log is as it was when the checkpoint was signed.
    pub covered: u64,
    /// The checkpoint's signature.
    pub signature: Signature,
}

/// What became of the checkpoint's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// It holds.
    Holds,
    /// There were no keys to check it with.
    Unchecked,
}

/// Public keys, as a JWKS lists them (RFC 7517).
#[derive(Debug, Deserialize)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kid: String,
    #[serde(default)]
    x: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Record(Value),
    Block(AuditBlock),
    Checkpoint(String),
}

#[derive(Deserialize)]
struct RecordHead {
    id: AuditId,
    at: Timestamp,
}

/// What the blocks say, by record.
struct Chain {
    organization_id: String,
    /// Hash and number of records after each block.
    heads: Vec<(String, u64)>,
    sealed: HashMap<AuditId, (String, u64)>,
    sealed_at: Option<Timestamp>,
}

/// Checks an export. `keys` are those that may have signed its checkpoint.
///
/// # Errors
/// The first thing that is wrong, in words.
pub fn verify<'l>(lines: impl IntoIterator<Item = &'l str>, keys: Option<&Jwks>) -> Result<Verified, String> {
    let (mut records, mut blocks, mut checkpoint) = (Vec::new(), Vec::new(), None);
    for (index, line) in lines.into_iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line).map_err(|error| format!("line {}: {error}", index + 1))? {
            Line::Record(record) => records.push(record),
            Line::Block(block) => blocks.push(block),
            Line::Checkpoint(jws) => checkpoint = Some(jws),
        }
    }
    let checkpoint = checkpoint.ok_or("there is no checkpoint")?;
    let chain = check_chain(&blocks)?;
    let unsealed = check_records(records, &chain)?;
    let (checkpoint, signature) = read_checkpoint(&checkpoint, keys)?;
    check_checkpoint(&checkpoint, &chain)?;
    Ok(Verified { records: chain.sealed.len(), blocks: blocks.len(), unsealed, covered: checkpoint.blocks, signature })
}

fn check_chain(blocks: &[AuditBlock]) -> Result<Chain, String> {
    let organization_id = blocks.first().map(|block| block.organization_id.to_string()).unwrap_or_default();
    let mut chain = Chain { organization_id, heads: Vec::new(), sealed: HashMap::new(), sealed_at: None };
    let mut previous = GENESIS.to_owned();
    for (number, block) in (1u64..).zip(blocks) {
        if block.number != number {
            return Err(format!("block {number} is missing or out of order: block {} is in its place", block.number));
        }
        if block.previous_sha256 != previous {
            return Err(format!("block {number} does not follow from the block before: one of the two was changed"));
        }
        if block.organization_id.as_str() != chain.organization_id {
            return Err(format!("block {number} is of another organization"));
        }
        for record in &block.records {
            if chain.sealed.insert(record.id.clone(), (record.sha256.clone(), number)).is_some() {
                return Err(format!("record {} is in two blocks", record.id));
            }
        }
        previous = block.sha256().map_err(|error| error.to_string())?;
        chain.heads.push((previous.clone(), chain.sealed.len() as u64));
        chain.sealed_at = Some(block.sealed_at);
    }
    Ok(chain)
}

/// Every record is as its block says, each is there, and they are in order; answers how many have no block yet.
fn check_records(records: Vec<Value>, chain: &Chain) -> Result<usize, String> {
    let mut last: Option<AuditId> = None;
    let (mut seen, mut unsealed) = (0, 0);
    for mut record in records {
        let head: RecordHead = serde_json::from_value(record.clone()).map_err(|error| format!("a record: {error}"))?;
        let id = head.id;
        if last.as_ref().is_some_and(|last| *last <= id) {
            return Err(format!("record {id} is out of order, or there twice"));
        }
        // Which block seals a record is noted beside it; the block's hash is over the record alone.
        let block = record.as_object_mut().and_then(|fields| fields.remove("block")).and_then(|block| block.as_u64());
        match chain.sealed.get(&id) {
            Some((_, number)) if block.is_some_and(|block| block != *number) => {
                return Err(format!("record {id} names another block than the one that has it"));
            }
            Some((sha256, _)) if canonical_sha256(&record).map_err(|error| error.to_string())? != *sha256 => {
                return Err(format!("record {id} was changed"));
            }
            Some(_) => seen += 1,
            None if block.is_some() => return Err(format!("record {id} names a block that does not have it")),
            None if chain.sealed_at.is_some_and(|sealed_at| sealed_at.since(head.at) > SEALED_WITHIN) => {
                return Err(format!("record {id} is in no block, though later ones are: it was put in afterwards"));
            }
            None => unsealed += 1,
        }
        last = Some(id);
    }
    if seen == chain.sealed.len() {
        return Ok(unsealed);
    }
    Err(format!("{} records are missing that blocks have", chain.sealed.len() - seen))
}

fn read_checkpoint(jws: &str, keys: Option<&Jwks>) -> Result<(AuditCheckpoint, Signature), String> {
    let Some(keys) = keys else { return Ok((AuditCheckpoint::read(jws)?, Signature::Unchecked)) };
    let find = |kid: &str| keys.keys.iter().find(|key| key.kid == kid).map(|key| key.x.clone());
    Ok((AuditCheckpoint::verify(jws, find)?, Signature::Holds))
}

fn check_checkpoint(checkpoint: &AuditCheckpoint, chain: &Chain) -> Result<(), String> {
    if !chain.heads.is_empty() && checkpoint.organization_id.as_str() != chain.organization_id {
        return Err("the checkpoint is of another organization".to_owned());
    }
    let genesis = (GENESIS.to_owned(), 0);
    let head = match usize::try_from(checkpoint.blocks).ok().and_then(|blocks| blocks.checked_sub(1)) {
        None => Some(&genesis),
        Some(index) => chain.heads.get(index),
    };
    let Some((sha256, records)) = head else {
        return Err(format!("blocks are missing: the checkpoint counts {}", checkpoint.blocks));
    };
    if (*sha256 == checkpoint.sha256) && (*records == checkpoint.records) {
        return Ok(());
    }
    Err(format!("block {} is not what the checkpoint says: the chain was written anew", checkpoint.blocks))
}
