//! The due index as DynamoDB keeps it: a global index hears of a write a moment later. Until then it shows the row as it was before:
//! not yet there, at the moment it was due, or still there when it is gone or not due any more.

use std::collections::BTreeMap;
use std::time::Duration;

use mainsheet_core::{Clock, Timestamp};
use mainsheet_store::schema::{DUE, DUE_AT, DUE_SHARD};
use serde_json::Value;

use crate::transaction::{Write, rows_asked, rows_told, writes};

/// How long the index is late at most.
pub(crate) const LATEST: Duration = Duration::from_secs(2);

/// What an entry holds, as a projection.
const ENTRY: &str = "pk, sk, due_shard, due_at";

/// A row's primary key.
pub(crate) type RowKey = (String, String);

/// What time it is for whoever looks at the index.
pub(crate) enum Time {
    /// Tests move it, and say so: [`LateIndex::catch_up`].
    Standing,
    /// It goes with the machine's. The embedded platform's clock can be moved ahead of that: looks tell how far it is.
    Running { machine: Clock, ahead: Duration },
}

/// A row that the index is late with.
struct Late {
    /// Its entry before; none when it had none.
    before: Option<Value>,
    /// The looks that still see it so.
    looks: u64,
    /// When it was written, where time runs.
    since: Option<Timestamp>,
}

/// What the index does not show yet. Tests do not wait: a write is late by a number of looks that would have found it. Where time runs,
/// it is late no longer than [`LATEST`] either.
pub(crate) struct LateIndex {
    time: Time,
    rows: BTreeMap<RowKey, Late>,
}

impl LateIndex {
    pub(crate) fn of(time: Time) -> Self {
        Self { time, rows: BTreeMap::new() }
    }

    /// It shows everything that was written. Says whether it did not before.
    pub(crate) fn catch_up(&mut self) -> bool {
        let was_late = !self.rows.is_empty();
        self.rows.clear();
        was_late
    }

    /// Whether a call looks at the index.
    pub(crate) fn is_look(body: &Value) -> bool {
        body["IndexName"] == DUE
    }

    /// The rows that a transaction may move in the index. None while nothing is late or `may_be`.
    pub(crate) fn about_to_move(&self, operation: &str, body: &Value, may_be: bool) -> Vec<RowKey> {
        if operation != "TransactWriteItems" || (self.rows.is_empty() && !may_be) {
            return Vec::new();
        }
        writes(body).filter_map(moved_key).map(row_key).collect()
    }

    /// The index hears of a row's move after so many looks.
    pub(crate) fn moved(&mut self, row: RowKey, before: Option<Value>, looks: u64) {
        let since = self.let_time_pass();
        let before = self.rows.remove(&row).map_or(before, |late| late.before);
        if looks > 0 {
            self.rows.insert(row, Late { before, looks, since });
        }
    }

    /// Makes of the index's answer to a query what it shows by now.
    pub(crate) fn look(&mut self, query: &Value, answer: &mut Value) {
        let text = |name: &str| query["ExpressionAttributeValues"][name]["S"].as_str().unwrap().to_owned();
        let (shard, now) = (text(":shard"), text(":now"));
        self.hear(&now);
        let is_found = |entry: &Value| {
            entry[DUE_SHARD]["S"] == shard.as_str() && entry[DUE_AT]["S"].as_str() <= Some(now.as_str())
        };
        let room = query["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let is_first = query["ExclusiveStartKey"].is_null();
        let mut shown = answer["Items"].as_array().cloned().unwrap_or_default();
        for (row, late) in &mut self.rows {
            let place = shown.iter().position(|entry| row_key(entry) == *row);
            let before = late.before.clone().filter(is_found);
            late.looks -= match (place, before) {
                (Some(place), Some(before)) => {
                    shown[place] = before;
                    1
                }
                (Some(place), None) => {
                    shown.remove(place);
                    1
                }
                (None, Some(before)) if is_first && shown.len() < room => {
                    shown.push(before);
                    1
                }
                (None, _) => 0,
            };
        }
        self.rows.retain(|_, late| late.looks > 0);
        shown.sort_by_key(|entry| (entry[DUE_AT]["S"].to_string(), row_key(entry)));
        answer["Count"] = shown.len().into();
        answer["ScannedCount"] = shown.len().into();
        answer["Items"] = shown.into();
    }

    /// Hears what time it is for whoever looks. Nobody's clock goes back.
    fn hear(&mut self, now: &str) {
        if let (Time::Running { machine, ahead }, Ok(now)) = (&mut self.time, now.parse::<Timestamp>()) {
            *ahead = now.since(machine.now()).max(*ahead);
        }
        self.let_time_pass();
    }

    /// What is late for long enough is so no longer. Answers the present.
    fn let_time_pass(&mut self) -> Option<Timestamp> {
        let Time::Running { machine, ahead } = &self.time else { return None };
        let now = machine.now() + *ahead;
        self.rows.retain(|_, late| late.since.is_none_or(|since| now.since(since) < LATEST));
        Some(now)
    }
}

/// The batch read of the entries that a transaction may move, as they are before; none where all its rows are new.
pub(crate) fn entries_asked(body: &Value) -> Option<Value> {
    rows_asked(writes(body).filter(|write| moved_key(*write).is_some() && !is_new(write)), Some(ENTRY))
}

/// The entries that the batch read told, by their rows.
pub(crate) fn entries_told(answer: &Value) -> BTreeMap<RowKey, Value> {
    rows_told(answer).filter(|row| !row[DUE_AT].is_null()).map(|row| (row_key(row), row.clone())).collect()
}

/// What holds the primary key of a row that a write may move in the index.
fn moved_key((kind, write): Write<'_>) -> Option<&Value> {
    match kind.as_str() {
        // What is not due may stand in the place of what was.
        "Put" => Some(&write["Item"]).filter(|item| !item[DUE_AT].is_null() || !is_new(&(kind, write))),
        "Update" => {
            let mut names = write["ExpressionAttributeNames"].as_object()?.values();
            names.any(|name| name == DUE_AT || name == DUE_SHARD).then(|| &write["Key"])
        }
        "Delete" => Some(&write["Key"]),
        _ => None,
    }
}

/// Whether a write takes effect only where there was no row.
fn is_new((_, write): &Write<'_>) -> bool {
    write["ConditionExpression"] == "attribute_not_exists(pk)"
}

fn row_key(of: &Value) -> RowKey {
    let text = |name: &str| of[name]["S"].as_str().unwrap().to_owned();
    (text("pk"), text("sk"))
}
