//! The table that tests stand on: what it refuses, what it shakes, and how late its index is.
#![allow(clippy::disallowed_methods, reason = "what the guard refuses has to be asked for")]

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use mainsheet_store::Item;
use mainsheet_store::schema::{DUE_AT, DUE_SHARD};
use serde_json::{Value, json};

use crate::late_index::LateIndex;
use crate::shake;
use crate::table::{TABLE, TestTable};

fn item(sk: &str, attributes: &[(&str, &str)]) -> Item {
    let texts = [("pk", "P"), ("sk", sk)].into_iter().chain(attributes.iter().copied());
    texts.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned()))).collect()
}

/// The code of a call's error.
fn code<A, E: ProvideErrorMetadata>(answer: Result<A, E>) -> Option<String> {
    answer.err().and_then(|error| error.code().map(str::to_owned))
}

fn put(item: Item) -> TransactWriteItem {
    let put = Put::builder().table_name(TABLE).set_item(Some(item)).build().unwrap();
    TransactWriteItem::builder().put(put).build()
}

#[tokio::test]
async fn what_the_design_forbids_is_refused() {
    let table = TestTable::start().await;
    table.hold();
    let client = table.client();
    let query = || {
        let query = client.query().table_name(TABLE).key_condition_expression("pk = :pk");
        query.expression_attribute_values(":pk", AttributeValue::S("P".to_owned()))
    };
    let filtered = query().limit(1).filter_expression("attribute_exists(sk)");
    let write = |writes: Vec<Item>| {
        let writes = writes.into_iter().map(put).collect();
        client.transact_write_items().set_transact_items(Some(writes)).send()
    };
    let numbered =
        |count: usize, text: &str| (0..count).map(|number| item(&number.to_string(), &[("text", text)])).collect();
    assert!(query().limit(5_000).send().await.is_ok());
    assert!(write(numbered(40, &"x".repeat(100_000))).await.is_ok());
    let single = client.put_item().table_name(TABLE).set_item(Some(item("1", &[])));
    let refused = [
        ("a Scan", code(client.scan().table_name(TABLE).limit(1).send().await)),
        ("a single write", code(single.send().await)),
        ("no bound", code(query().send().await)),
        ("too wide", code(query().limit(5_001).send().await)),
        ("a filter", code(filtered.send().await)),
        ("a row", code(write(numbered(1, &"x".repeat(102_400))).await)),
        ("4 MB", code(write(numbered(42, &"x".repeat(100_000))).await)),
        ("101 rows", code(write(numbered(101, "x")).await)),
        ("one twice", code(write(vec![item("1", &[]), item("1", &[])]).await)),
    ];
    for (what, code) in &refused {
        assert_eq!(code.as_deref(), Some("ValidationException"), "{what}");
    }
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| table.assert_rules_kept()));
    assert!(told.is_err(), "a test that breaks a rule fails");
}

#[test]
fn an_empty_first_page_leads_to_where_it_began() {
    let mut query = json!({ "Limit": 10 });
    let page = shake::empty_page(&query);
    query["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    assert!(shake::begins_again(&query));
    shake::begin_again(&mut query);
    assert_eq!(query, json!({ "Limit": 10 }));
    let start = json!({ "pk": { "S": "P" }, "sk": { "S": "1" } });
    let later = json!({ "ExclusiveStartKey": start });
    assert_eq!(shake::empty_page(&later)["LastEvaluatedKey"], start);
    assert!(!shake::begins_again(&later));
}

#[test]
fn keys_that_are_left_are_told() {
    let key = |number: usize| json!({ "sk": { "S": number.to_string() } });
    let mut batch = json!({ "RequestItems": { TABLE: { "Keys": [key(0), key(1), key(2)], "ConsistentRead": true } } });
    let left = shake::leave_keys(&mut batch);
    assert_eq!(batch["RequestItems"][TABLE]["Keys"], json!([key(0), key(2)]));
    assert_eq!(left, json!({ TABLE: { "Keys": [key(1)], "ConsistentRead": true } }));
    let mut single = json!({ "RequestItems": { TABLE: { "Keys": [key(0)] } } });
    assert_eq!(shake::leave_keys(&mut single), json!({}));
}

/// An entry of the due index.
fn entry(sk: &str, at: &str) -> Value {
    json!({ "pk": { "S": "P" }, "sk": { "S": sk }, DUE_SHARD: { "S": "DUE#1" }, DUE_AT: { "S": at } })
}

#[tokio::test]
async fn a_late_index_shows_rows_as_they_were() {
    let table = TestTable::start().await;
    let mut late = LateIndex::of(table.database().clone());
    let row = |sk: &str| ("P".to_owned(), sk.to_owned());
    late.moved(row("new"), None, 2);
    late.moved(row("gone"), Some(entry("gone", "3")), 2);
    late.moved(row("moved"), Some(entry("moved", "4")), 2);
    // A second move while the index has not heard of the first: it still shows what was before both.
    late.moved(row("moved"), Some(entry("moved", "5")), 1);
    late.moved(row("other"), Some(json!({ DUE_SHARD: { "S": "DUE#2" }, DUE_AT: { "S": "1" } })), 1);
    let query = json!({
        "Limit": 10, "IndexName": "due", "ExpressionAttributeValues": { ":shard": { "S": "DUE#1" }, ":now": { "S": "8" } },
    });
    assert!(LateIndex::is_look(&query) && !LateIndex::is_look(&json!({ "IndexName": "by_name" })));
    let mut look = || {
        let mut answer = json!({ "Items": [entry("old", "1"), entry("new", "2"), entry("moved", "7")], "Count": 3 });
        late.look(&query, &mut answer);
        let items = answer["Items"].as_array().unwrap();
        assert_eq!(answer["Count"], items.len());
        items.iter().map(|item| (item["sk"]["S"].clone(), item[DUE_AT]["S"].clone())).collect::<Vec<_>>()
    };
    let shown = |rows: &[(&str, &str)]| rows.iter().map(|(sk, at)| (json!(sk), json!(at))).collect::<Vec<_>>();
    assert_eq!(look(), shown(&[("old", "1"), ("gone", "3"), ("moved", "4")]));
    assert_eq!(look(), shown(&[("old", "1"), ("gone", "3"), ("moved", "7")]));
    assert_eq!(look(), shown(&[("old", "1"), ("new", "2"), ("moved", "7")]));
    assert!(late.catch_up(), "another shard was not looked at");
    assert!(!late.catch_up());
}

#[tokio::test]
async fn what_a_transaction_moves_in_the_index_is_noticed() {
    let table = TestTable::start().await;
    table.hold();
    let due = item("1", &[(DUE_SHARD, "DUE#1"), (DUE_AT, "2026-11-21T08:30:00.000Z")]);
    let _ = table.client().transact_write_items().transact_items(put(due)).send().await.unwrap();
    let late = LateIndex::of(table.database().clone());
    let key = json!({ "pk": { "S": "P" }, "sk": { "S": "1" } });
    let row = ("P".to_owned(), "1".to_owned());
    let before = Some(entry("1", "2026-11-21T08:30:00.000Z"));
    let names = |name: &str| json!({ "#r0": name });
    let writes = [
        (json!({ "Delete": { "Key": key } }), Some(before.clone())),
        (json!({ "Update": { "Key": key, "ExpressionAttributeNames": names(DUE_AT) } }), Some(before)),
        (json!({ "Update": { "Key": key, "ExpressionAttributeNames": names("data") } }), None),
        (json!({ "ConditionCheck": { "Key": key } }), None),
    ];
    for (write, moved) in writes {
        let found = late.about_to_move("TransactWriteItems", &json!({ "TransactItems": [write] }), true);
        assert_eq!(found, moved.map(|before| (row.clone(), before)).into_iter().collect::<Vec<_>>(), "{write}");
    }
    let fresh = json!({ "Put": { "Item": entry("2", "1") } });
    let found = late.about_to_move("TransactWriteItems", &json!({ "TransactItems": [fresh] }), true);
    assert_eq!(found, [(("P".to_owned(), "2".to_owned()), None)]);
}
