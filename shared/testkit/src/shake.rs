//! What DynamoDB may do with a call at any time and the embedded table never does. Every test runs with some of its calls shaken,
//! always the same ones: `MAINSHEET_TABLE_SEED` chooses others, `MAINSHEET_TABLE=steady` none.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::environment;
use crate::proxy::Verdict;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shake {
    /// A query answers at most so many rows, and where it goes on.
    ShortPage(u64),
    /// A query answers no rows, and where it goes on.
    EmptyPage,
    /// A batch read leaves every second key unprocessed.
    UnprocessedKeys,
    /// A transaction meets another one on its last row.
    TransactionConflict,
}

/// Of so many calls one is shaken.
const ONE_IN: u64 = 6;
/// The seed unless another one is asked for.
const SEED: u64 = 20_261_121;
/// In a key where a query goes on: that it goes on from where it began.
const FROM_WHERE_IT_BEGAN: &str = "shaken";

/// Which calls of a table are shaken. A seed and the number of the call decide.
pub(crate) struct Shaking {
    seed: Option<u64>,
    drawn: AtomicU64,
    /// How many want the table to be steady.
    steady: AtomicUsize,
}

impl Shaking {
    pub(crate) fn of_environment() -> Self {
        let is_steady = std::env::var("MAINSHEET_TABLE").is_ok_and(|mode| mode == "steady");
        let seed = environment::number("MAINSHEET_TABLE_SEED").unwrap_or(SEED);
        Self { seed: (!is_steady).then_some(seed), drawn: AtomicU64::new(0), steady: AtomicUsize::new(0) }
    }

    /// Whether it shakes at this moment.
    pub(crate) fn is_on(&self) -> bool {
        self.seed.is_some() && self.steady.load(Ordering::SeqCst) == 0
    }

    /// Holds the table steady.
    pub(crate) fn hold(&self) {
        self.steady.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets go of it.
    pub(crate) fn let_go(&self) {
        self.steady.fetch_sub(1, Ordering::SeqCst);
    }

    /// What becomes of the next call.
    pub(crate) fn verdict(&self, operation: &str) -> Verdict {
        if !self.is_on() {
            return Verdict::Forward;
        }
        let drawn = self.draw();
        let of_kind = drawn / ONE_IN;
        match operation {
            _ if !drawn.is_multiple_of(ONE_IN) => Verdict::Forward,
            "Query" if of_kind.is_multiple_of(3) => Verdict::Shake(Shake::EmptyPage),
            "Query" => Verdict::Shake(Shake::ShortPage(of_kind % 3)),
            "BatchGetItem" => Verdict::Shake(Shake::UnprocessedKeys),
            "TransactWriteItems" => Verdict::Shake(Shake::TransactionConflict),
            _ => Verdict::Forward,
        }
    }

    /// How many looks at an index a write comes too late for.
    pub(crate) fn looks(&self) -> u64 {
        self.draw() % 3
    }

    fn draw(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, self.drawn.fetch_add(1, Ordering::SeqCst)).hash(&mut hasher);
        hasher.finish()
    }
}

/// The query asks for at most so many rows.
pub(crate) fn shorten(query: &mut Value, rows: u64) {
    let asked = query["Limit"].as_u64().unwrap_or(rows);
    query["Limit"] = json!(asked.min(rows));
}

/// The answer without rows to a query.
pub(crate) fn empty_page(query: &Value) -> Value {
    let start = query["ExclusiveStartKey"].clone();
    let beginning = || json!({ "pk": { "S": " " }, "sk": { "S": " " }, FROM_WHERE_IT_BEGAN: { "BOOL": true } });
    let next = if start.is_null() { beginning() } else { start };
    json!({ "Count": 0, "ScannedCount": 0, "Items": [], "LastEvaluatedKey": next })
}

/// Whether a query goes on after an empty first page.
pub(crate) fn begins_again(body: &Value) -> bool {
    !body["ExclusiveStartKey"][FROM_WHERE_IT_BEGAN].is_null()
}

/// Has a query begin where the first one did.
pub(crate) fn begin_again(query: &mut Value) {
    if let Some(query) = query.as_object_mut() {
        query.remove("ExclusiveStartKey");
    }
}

/// Takes every second key out of a batch read, and answers those as DynamoDB tells of them. At least one is read.
pub(crate) fn leave_keys(batch: &mut Value) -> Value {
    let mut left = json!({});
    for (table, wanted) in batch["RequestItems"].as_object_mut().into_iter().flatten() {
        let keys = wanted["Keys"].as_array().cloned().unwrap_or_default();
        let (read, unread): (Vec<_>, Vec<_>) =
            keys.into_iter().enumerate().partition(|(place, _)| place.is_multiple_of(2));
        let keys = |keys: Vec<(usize, Value)>| keys.into_iter().map(|(_, key)| key).collect::<Value>();
        wanted["Keys"] = keys(read);
        if !unread.is_empty() {
            left[table] = wanted.clone();
            left[table]["Keys"] = keys(unread);
        }
    }
    left
}

/// The answer to a transaction that met another one.
pub(crate) fn conflict(transaction: &Value) -> Value {
    let count = transaction["TransactItems"].as_array().map_or(0, Vec::len);
    let mut reasons = vec![json!({ "Code": "None" }); count];
    if let Some(last) = reasons.last_mut() {
        *last = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
    }
    let mut answer = error("TransactionCanceledException", "Transaction cancelled, by the shaken table");
    answer["CancellationReasons"] = json!(reasons);
    answer
}

/// An error as DynamoDB tells of it.
pub(crate) fn error(kind: &str, message: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message })
}
