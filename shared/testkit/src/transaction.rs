//! What a transaction writes, and the rows that it writes to, in DynamoDB's JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A write: its kind, such as `Put`, and the rest of it.
pub(crate) type Write<'t> = (&'t String, &'t Value);

/// What a transaction writes.
pub(crate) fn writes(transaction: &Value) -> impl Iterator<Item = Write<'_>> {
    transaction["TransactItems"].as_array().into_iter().flatten().filter_map(|write| write.as_object()?.iter().next())
}

/// What holds the primary key of a write's row.
pub(crate) fn keyed(write: &Value) -> &Value {
    if write["Key"].is_null() { &write["Item"] } else { &write["Key"] }
}

/// The batch read of the rows of writes, of all that they hold or of what a projection names; none where there are no writes.
pub(crate) fn rows_asked<'t>(writes: impl Iterator<Item = Write<'t>>, projection: Option<&str>) -> Option<Value> {
    let mut tables: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (_, write) in writes {
        let of = keyed(write);
        let key = json!({ "pk": of["pk"], "sk": of["sk"] });
        tables.entry(write["TableName"].as_str().unwrap_or_default()).or_default().push(key);
    }
    let asked = |keys: Vec<Value>| {
        let mut asked = json!({ "Keys": keys, "ConsistentRead": true });
        if let Some(projection) = projection {
            asked["ProjectionExpression"] = projection.into();
        }
        asked
    };
    let tables: Map<String, Value> = tables.into_iter().map(|(name, keys)| (name.to_owned(), asked(keys))).collect();
    (!tables.is_empty()).then(|| json!({ "RequestItems": tables }))
}

/// The rows that a batch read told.
pub(crate) fn rows_told(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["Responses"].as_object().into_iter().flatten().filter_map(|(_, rows)| rows.as_array()).flatten()
}
