//! What the design asks of every call of the table, whichever test makes it. What breaks a rule is refused as DynamoDB refuses what it
//! does not take, and the test fails at its end.
//!
//! - Reads are `GetItem`, `BatchGetItem` and `Query`; writes are transactions, so that none goes without its conditions and its audit
//!   record. `Scan`, single writes and batches of writes are refused.
//! - Reads are consistent, but for those of the due index, which cannot be. Tables that tests stand on always are: a read that may be old
//!   would show only in AWS.
//! - A `Query` is bounded: it says in `Limit` how many rows it takes at most, up to [`MOST_ROWS`], and has no filter, which would read
//!   more than it answers. A batch read has at most 100 keys.
//! - A row is smaller than 100 KB, and a transaction has at most 100 writes, on different rows. What an update adds to a row is seen by
//!   itself; a row that has grown too large bit by bit is seen when it is read.
//! - A transaction is smaller than 4 MB. DynamoDB says only that its items may not come to more in all, so each counts as it is before or
//!   after, whichever is larger, also where it is deleted or only looked at. Only a transaction of so many writes that it may be too heavy
//!   is weighed: its rows are read before.

use std::collections::{HashMap, HashSet};

use mainsheet_store::MOST_ROWS;
use mainsheet_store::schema::DUE;
use serde_json::Value;

use crate::transaction::{self, Write, keyed, rows_told, writes};

/// The bytes that a row stays below. DynamoDB takes 400 KB.
const ROW_BYTES: usize = 100 * 1024;
/// The bytes that a transaction stays below.
const TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// The most keys of a batch read.
const MOST_KEYS: usize = 100;
/// The most writes of a transaction.
const MOST_WRITES: usize = 100;
/// The calls that are made. The last two are how tests and the embedded platform make their table.
const CALLS: [&str; 6] = ["GetItem", "BatchGetItem", "Query", "TransactWriteItems", "CreateTable", "DescribeTable"];

/// Which rule a call breaks.
pub(crate) fn breach(operation: &str, body: &Value) -> Option<String> {
    match operation {
        "GetItem" => old(operation, body),
        "BatchGetItem" => old(operation, body).or_else(|| too_many(body)),
        "Query" => old(operation, body).or_else(|| unbounded(body)),
        "TransactWriteItems" => too_much(body),
        _ if CALLS.contains(&operation) => None,
        _ => Some(format!("{operation} is none of {CALLS:?}")),
    }
}

/// A read that may answer what was there a moment ago.
fn old(operation: &str, read: &Value) -> Option<String> {
    let may_be_old = |read: &Value| read["ConsistentRead"] != true;
    let is_old = match operation {
        "BatchGetItem" => {
            read["RequestItems"].as_object().into_iter().flatten().any(|(_, of_table)| may_be_old(of_table))
        }
        _ => read["IndexName"] != DUE && may_be_old(read),
    };
    is_old.then(|| format!("a read of what may be old: {operation} {read}"))
}

fn too_many(batch: &Value) -> Option<String> {
    let tables = batch["RequestItems"].as_object().into_iter().flatten();
    let keys: usize = tables.filter_map(|(_, of_table)| of_table["Keys"].as_array()).map(Vec::len).sum();
    (keys > MOST_KEYS).then(|| format!("a batch read of {keys} keys"))
}

fn unbounded(query: &Value) -> Option<String> {
    let limit = query["Limit"].as_u64().unwrap_or_default();
    let has_filter = ["FilterExpression", "QueryFilter"].iter().any(|filter| !query[filter].is_null());
    let is_bounded = (1..=u64::from(MOST_ROWS.unsigned_abs())).contains(&limit) && !has_filter;
    (!is_bounded).then(|| format!("a query without a bound of at most {MOST_ROWS} rows: {query}"))
}

fn too_much(transaction: &Value) -> Option<String> {
    let count = writes(transaction).count();
    if count > MOST_WRITES {
        return Some(format!("a transaction of {count} writes"));
    }
    let mut rows = HashSet::new();
    for (kind, write) in writes(transaction) {
        let (key, size) = (name_of(keyed(write)), size_sent(write));
        if size >= ROW_BYTES {
            return Some(format!("{kind} of {size} bytes at {key}"));
        }
        if !rows.insert(key.clone()) {
            return Some(format!("two writes of a transaction at {key}"));
        }
    }
    None
}

/// What a write sends.
fn size_sent(write: &Value) -> usize {
    ["Item", "Key", "ExpressionAttributeValues"].iter().map(|part| size_of_row(&write[part])).sum()
}

/// The batch read of the rows of a transaction that may be too heavy with them. So few that each may be as large as any are not read.
pub(crate) fn rows_to_weigh(operation: &str, body: &Value) -> Option<Value> {
    let may_be_too_heavy = operation == "TransactWriteItems" && writes(body).count() > TRANSACTION_BYTES / ROW_BYTES;
    if may_be_too_heavy { transaction::rows_asked(writes(body), None) } else { None }
}

/// Whether a transaction is too heavy with its rows as the batch read told them.
pub(crate) fn breach_of_weight(transaction: &Value, told: &Value) -> Option<String> {
    let rows: HashMap<String, usize> = rows_told(told).map(|row| (name_of(row), size_of_row(row))).collect();
    let weight = |(kind, write): Write<'_>| {
        let (before, sent) = (rows.get(&name_of(keyed(write))).copied().unwrap_or_default(), size_sent(write));
        // What an update leaves cannot be told from here. It is no more than both together.
        if kind == "Update" { before + sent } else { before.max(sent) }
    };
    let sum: usize = writes(transaction).map(weight).sum();
    (sum >= TRANSACTION_BYTES).then(|| format!("a transaction of {sum} bytes, with its rows"))
}

/// Which rule a row of an answer breaks.
pub(crate) fn breach_of_answer(answer: &[u8]) -> Option<String> {
    // A row's JSON is no shorter than what DynamoDB counts.
    if answer.len() < ROW_BYTES {
        return None;
    }
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let listed = answer["Items"].as_array().into_iter().flatten().chain(rows_told(&answer));
    [&answer["Item"]].into_iter().chain(listed).find_map(breach_of_row)
}

/// Whether a row is too large.
pub(crate) fn breach_of_row(row: &Value) -> Option<String> {
    let size = size_of_row(row);
    (size >= ROW_BYTES).then(|| format!("a row of {size} bytes: {}", name_of(row)))
}

/// What a row is told by.
fn name_of(row: &Value) -> String {
    format!("{} {}", row["pk"]["S"], row["sk"]["S"])
}

/// The bytes of a row as DynamoDB counts them (developer guide, "DynamoDB item sizes and formats"), in its JSON.
pub(crate) fn size_of_row(row: &Value) -> usize {
    row.as_object().into_iter().flatten().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    let elements = || value.as_array().into_iter().flatten();
    let members = || elements().filter_map(Value::as_str);
    let text = value.as_str().unwrap_or_default();
    match kind.as_str() {
        "S" => text.len(),
        "N" => size_of_number(text),
        "B" => size_of_binary(text),
        "SS" => members().map(str::len).sum(),
        "NS" => members().map(size_of_number).sum(),
        "BS" => members().map(size_of_binary).sum(),
        "L" => 3 + elements().map(|value| 1 + size_of(value)).sum::<usize>(),
        "M" => {
            let fields = value.as_object().into_iter().flatten();
            3 + fields.map(|(name, value)| 1 + name.len() + size_of(value)).sum::<usize>()
        }
        // `BOOL` and `NULL`.
        _ => 1,
    }
}

/// A byte for two significant digits, and one more.
fn size_of_number(number: &str) -> usize {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len().div_ceil(2) + 1
}

/// The bytes that base64 stands for.
fn size_of_binary(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}
