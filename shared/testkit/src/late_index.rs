//! The due index as DynamoDB keeps it: a global index hears of a write a moment later. Until then it shows the row as it was before:
//! not yet there, at the moment it was due, or still there when it is gone.

use std::collections::BTreeMap;

use dynoxide::Database;
use dynoxide::actions::get_item::GetItemRequest;
use mainsheet_store::schema::{DUE, DUE_AT, DUE_SHARD};
use serde_json::Value;

use crate::table::TABLE;

/// A row's primary key.
pub(crate) type RowKey = (String, String);

/// A row that the index is late with.
struct Late {
    /// Its entry before; none when it had none.
    before: Option<Value>,
    /// The looks that still see it so.
    looks: u64,
}

/// What the index does not show yet. Tests do not wait: a write is late by a number of looks that would have found it.
pub(crate) struct LateIndex {
    database: Database,
    rows: BTreeMap<RowKey, Late>,
}

impl LateIndex {
    pub(crate) fn of(database: Database) -> Self {
        Self { database, rows: BTreeMap::new() }
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

    /// The rows that a transaction may move in the index, and their entries before. None while nothing is late or `may_be`.
    pub(crate) fn about_to_move(&self, operation: &str, body: &Value, may_be: bool) -> Vec<(RowKey, Option<Value>)> {
        if operation != "TransactWriteItems" || (self.rows.is_empty() && !may_be) {
            return Vec::new();
        }
        let writes = body["TransactItems"].as_array().into_iter().flatten();
        writes.filter_map(moved_key).map(|key| (row_key(key), self.entry(key))).collect()
    }

    /// The index hears of a row's move after so many looks.
    pub(crate) fn moved(&mut self, row: RowKey, before: Option<Value>, looks: u64) {
        let before = self.rows.remove(&row).map_or(before, |late| late.before);
        if looks > 0 {
            self.rows.insert(row, Late { before, looks });
        }
    }

    /// Makes of the index's answer to a query what it shows by now.
    pub(crate) fn look(&mut self, query: &Value, answer: &mut Value) {
        let text = |name: &str| query["ExpressionAttributeValues"][name]["S"].as_str().unwrap().to_owned();
        let (shard, now) = (text(":shard"), text(":now"));
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

    /// A row's entry in the index.
    fn entry(&self, key: &Value) -> Option<Value> {
        let (pk, sk) = row_key(key);
        let key =
            [("pk", pk), ("sk", sk)].map(|(name, text)| (name.to_owned(), dynoxide::types::AttributeValue::S(text)));
        let request = GetItemRequest { table_name: TABLE.to_owned(), key: key.into(), ..GetItemRequest::default() };
        let row = serde_json::to_value(self.database.get_item(request).ok()?.item?).unwrap();
        let entry = ["pk", "sk", DUE_SHARD, DUE_AT].map(|name| (name.to_owned(), row[name].clone()));
        (!row[DUE_AT].is_null()).then(|| Value::Object(entry.into_iter().collect()))
    }
}

/// What holds the primary key of a row that a write may move in the index.
fn moved_key(write: &Value) -> Option<&Value> {
    let (kind, write) = write.as_object()?.iter().next()?;
    match kind.as_str() {
        "Put" => Some(&write["Item"]).filter(|item| !item[DUE_AT].is_null()),
        "Update" => {
            let mut names = write["ExpressionAttributeNames"].as_object()?.values();
            names.any(|name| name == DUE_AT || name == DUE_SHARD).then(|| &write["Key"])
        }
        "Delete" => Some(&write["Key"]),
        _ => None,
    }
}

fn row_key(of: &Value) -> RowKey {
    let text = |name: &str| of[name]["S"].as_str().unwrap().to_owned();
    (text("pk"), text("sk"))
}
