//! The table that tests stand on: what it refuses, what it shakes, and how late its index is.
#![allow(clippy::disallowed_methods, reason = "what the guard refuses has to be asked for")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
};
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use mainsheet_core::time::ManualClock;
use mainsheet_embedded::{EmbeddedDynamoDb, client};
use mainsheet_store::schema::{DUE, DUE_AT, DUE_SHARD};
use mainsheet_store::{Item, schema};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::guard;
use crate::late_index::{self, LateIndex, Time};
use crate::proxy::{MOST_CALLS, Pause, Proxy, Seen, TableCall, Verdict};
use crate::shake::{self, Shake};
use crate::table::{TABLE, TestTable};
use crate::table_proxy::TableProxy;
use crate::upstream::{Trip, Upstream};

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
        let query = client.query().table_name(TABLE).consistent_read(true).key_condition_expression("pk = :pk");
        query.expression_attribute_values(":pk", AttributeValue::S("P".to_owned()))
    };
    let get = || client.get_item().table_name(TABLE).set_key(Some(item("1", &[])));
    let batch = |keys: KeysAndAttributesBuilder| {
        client.batch_get_item().request_items(TABLE, keys.keys(item("1", &[])).build().unwrap())
    };
    let filtered = query().limit(1).filter_expression("attribute_exists(sk)");
    let write = |writes: Vec<Item>| {
        let writes = writes.into_iter().map(put).collect();
        client.transact_write_items().set_transact_items(Some(writes)).send()
    };
    let numbered =
        |count: usize, text: &str| (0..count).map(|number| item(&number.to_string(), &[("text", text)])).collect();
    assert!(query().limit(5_000).send().await.is_ok());
    assert!(get().consistent_read(true).send().await.is_ok());
    assert!(batch(KeysAndAttributes::builder().consistent_read(true)).send().await.is_ok());
    assert!(write(numbered(40, &"x".repeat(100_000))).await.is_ok());
    let single = client.put_item().table_name(TABLE).set_item(Some(item("1", &[])));
    let refused = [
        ("a Scan", code(client.scan().table_name(TABLE).limit(1).send().await)),
        ("a single write", code(single.send().await)),
        ("one row that may be old", code(get().send().await)),
        ("rows that may be old", code(batch(KeysAndAttributes::builder()).send().await)),
        ("a page that may be old", code(query().limit(1).consistent_read(false).send().await)),
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

#[tokio::test]
async fn a_transaction_weighs_what_its_rows_do() {
    let table = TestTable::start().await;
    table.hold();
    let client = table.client();
    let send = |writes: Vec<TransactWriteItem>| client.transact_write_items().set_transact_items(Some(writes)).send();
    // `pk`, `P`, `sk`, two digits and `text` are 11 bytes.
    let row = |number: usize, bytes: usize| item(&format!("{number:02}"), &[("text", "x".repeat(bytes - 11).as_str())]);
    let key = |number: usize| Some(item(&format!("{number:02}"), &[]));
    let look = |number: usize| {
        let look = ConditionCheck::builder().table_name(TABLE).set_key(key(number));
        let look = look.condition_expression("attribute_exists(pk)").build().unwrap();
        TransactWriteItem::builder().condition_check(look).build()
    };
    // Its key is 7 bytes, `:n` with 1 is 4.
    let update = Update::builder().table_name(TABLE).set_key(key(1)).update_expression("SET n = :n");
    let update = update.expression_attribute_values(":n", AttributeValue::N("1".to_owned())).build().unwrap();
    let delete = Delete::builder().table_name(TABLE).set_key(key(2)).build().unwrap();
    let each_kind = [
        put(item("00", &[])),
        TransactWriteItem::builder().update(update).build(),
        TransactWriteItem::builder().delete(delete).build(),
    ];
    let transaction = || each_kind.iter().cloned().chain((3..41).map(look)).collect();
    assert!(send((1..41).map(|number| put(row(number, 102_300))).collect()).await.is_ok());
    // 40 rows of 102,300 bytes, 11 bytes sent, and this row: 4 MB, and a byte less.
    for (bytes, refused) in [(102_293, Some("ValidationException")), (102_292, None)] {
        assert!(send(vec![put(row(0, bytes))]).await.is_ok());
        assert_eq!(code(send(transaction()).await).as_deref(), refused, "{bytes}");
    }
}

#[test]
fn reads_have_a_bound_whatever_the_table_takes() {
    let batch = |count: usize| {
        let keys = vec![json!({ "pk": { "S": "P" } }); count];
        json!({ "RequestItems": { TABLE: { "ConsistentRead": true, "Keys": keys } } })
    };
    let query = |part: &str| json!({ "ConsistentRead": true, "Limit": 1, part: {} });
    for (operation, call, is_bounded) in [
        ("BatchGetItem", batch(100), true),
        ("BatchGetItem", batch(101), false),
        ("Query", query("ExclusiveStartKey"), true),
        ("Query", query("FilterExpression"), false),
        ("Query", query("QueryFilter"), false),
    ] {
        assert_eq!(guard::breach(operation, &call).is_none(), is_bounded, "{operation}");
    }
}

#[test]
fn rows_weigh_what_dynamodb_says() {
    let sizes = [
        (json!({ "name": { "S": "Grüße" } }), 4 + 7),
        (json!({ "n": { "N": "0" } }), 1 + 1),
        (json!({ "n": { "N": "-12345" } }), 1 + 4),
        (json!({ "n": { "N": "0.00120" } }), 1 + 2),
        (json!({ "n": { "N": "1200000" } }), 1 + 2),
        (json!({ "n": { "N": "1.5E+20" } }), 1 + 2),
        (json!({ "b": { "B": "AAECAw==" } }), 1 + 4),
        (json!({ "yes": { "BOOL": true }, "no": { "NULL": true } }), 3 + 1 + 2 + 1),
        (json!({ "s": { "SS": ["ab", "cde"] } }), 1 + 5),
        (json!({ "s": { "NS": ["1", "234"] } }), 1 + 2 + 3),
        (json!({ "s": { "BS": ["AAE=", "AAEC"] } }), 1 + 2 + 3),
        (json!({ "l": { "L": [{ "S": "ab" }, { "L": [] }] } }), 1 + 3 + (1 + 2) + (1 + 3)),
        (json!({ "m": { "M": { "key": { "S": "value" } } } }), 1 + 3 + (1 + 3 + 5)),
    ];
    for (row, size) in sizes {
        assert_eq!(guard::size_of_row(&row), size, "{row}");
        assert!(size <= row.to_string().len(), "{row}");
    }
}

#[test]
fn a_row_that_has_grown_too_large_is_seen_in_every_kind_of_answer() {
    let row = |bytes: usize| json!({ "pk": { "S": "P" }, "sk": { "S": "1" }, "text": { "S": "x".repeat(bytes) } });
    for (bytes, is_too_large) in [(102_300, false), (102_400, true)] {
        let answers = [
            json!({ "Item": row(bytes) }),
            json!({ "Items": [row(1), row(bytes)], "Count": 2 }),
            json!({ "Responses": { TABLE: [row(1), row(bytes)] }, "UnprocessedKeys": {} }),
        ];
        for answer in answers {
            assert_eq!(guard::breach_of_answer(answer.to_string().as_bytes()).is_some(), is_too_large);
        }
    }
}

/// An embedded table without a proxy.
async fn embedded() -> EmbeddedDynamoDb {
    let dynamodb = EmbeddedDynamoDb::in_memory().await.unwrap();
    schema::create_table(&dynamodb.client(), TABLE).await.unwrap();
    dynamodb
}

#[tokio::test]
async fn a_row_that_updates_make_too_large_is_a_breach_once_it_is_read() {
    let dynamodb = embedded().await;
    let (proxy, address) = Proxy::start(dynamodb.endpoint()).await;
    proxy.set_rule(Some(Arc::new(|_: &TableCall| Verdict::Forward)));
    let client = client(&address);
    let grow = |name: &str| {
        let update = Update::builder().table_name(TABLE).set_key(Some(item("1", &[])));
        let update = update.update_expression("SET #name = :text").expression_attribute_names("#name", name);
        let update = update.expression_attribute_values(":text", AttributeValue::S("x".repeat(60_000)));
        client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update.build().unwrap()).build())
    };
    let read = || client.get_item().table_name(TABLE).set_key(Some(item("1", &[]))).consistent_read(true).send();
    let _ = grow("one").send().await.unwrap();
    let _ = read().await.unwrap();
    let _ = grow("two").send().await.unwrap();
    assert!(proxy.breaches().is_empty(), "no call is too large by itself");
    let _ = read().await.unwrap();
    assert_eq!(proxy.breaches().len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_is_held_has_taken_effect() {
    let dynamodb = embedded().await;
    let (proxy, address) = Proxy::start(dynamodb.endpoint()).await;
    let pause = Pause::default();
    let held_back = pause.clone();
    proxy.set_rule(Some(Arc::new(move |call: &TableCall| {
        let is_it = call.body["TransactItems"][0]["Put"]["Item"]["sk"]["S"] == "1";
        if is_it { Verdict::HoldAnswer(held_back.clone()) } else { Verdict::Forward }
    })));
    let client = client(&address);
    let read = || client.get_item().table_name(TABLE).set_key(Some(item("1", &[]))).consistent_read(true).send();
    let seen = async {
        pause.reached().await;
        let seen = read().await.unwrap().item;
        pause.end();
        seen
    };
    let write = client.transact_write_items().transact_items(put(item("1", &[]))).send();
    let (written, seen) = tokio::join!(write, seen);
    assert!(written.is_ok());
    assert_eq!(seen, Some(item("1", &[])));
}

#[tokio::test]
async fn a_proxy_in_front_of_processes_tells_what_broke_a_rule() {
    let dynamodb = embedded().await;
    let proxy = TableProxy::start(Upstream::at(dynamodb.endpoint()), 0);
    let client = client(proxy.address());
    let one = client.get_item().table_name(TABLE).set_key(Some(item("1", &[]))).consistent_read(true);
    assert!(!proxy.was_asked());
    assert!(one.send().await.unwrap().item.is_none());
    assert!(proxy.was_asked());
    proxy.assert_rules_kept();
    let scan = client.scan().table_name(TABLE).limit(1);
    assert_eq!(code(scan.send().await).as_deref(), Some("ValidationException"));
    assert_eq!(proxy.breaches().len(), 1);
}

#[test]
fn calls_that_nobody_takes_are_not_kept_for_ever() {
    let mut seen = Seen::default();
    let mut sent = |number: usize| {
        let call = Request::builder().header("amz-sdk-invocation-id", number.to_string()).body(()).unwrap();
        let call = seen.note(&Trip::of_caller(call.into_parts().0, Bytes::new()));
        (call.index, call.attempt)
    };
    assert!((0..MOST_CALLS).all(|number| sent(number) == (number, 1)));
    assert_eq!(sent(0), (0, 2), "it is sent again, and no further call");
    assert_eq!(sent(MOST_CALLS), (0, 1), "they are counted anew");
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

fn row(sk: &str) -> (String, String) {
    ("P".to_owned(), sk.to_owned())
}

#[test]
fn a_late_index_shows_rows_as_they_were() {
    let mut late = LateIndex::of(Time::Standing);
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

#[test]
fn where_time_runs_an_index_is_late_for_two_seconds_at_most() {
    let machine = ManualClock::new("2026-11-21T08:30:00.000Z".parse().unwrap());
    let mut late = LateIndex::of(Time::Running { machine: machine.clock(), ahead: Duration::ZERO });
    // What a look shows of a row that is due at 07:00 now.
    let look = |late: &mut LateIndex, now: &str| {
        let query = json!({ "ExpressionAttributeValues": { ":shard": { "S": "DUE#1" }, ":now": { "S": now } } });
        let mut answer = json!({ "Items": [entry("1", "2026-11-21T07:00:00.000Z")] });
        late.look(&query, &mut answer);
        answer["Items"][0][DUE_AT]["S"].as_str().map(|at| at[11..16].to_owned())
    };
    let before = |at: &str| Some(entry("1", &format!("2026-11-21T{at}:00.000Z")));
    let shown = |at: &str| Some(at.to_owned());

    late.moved(row("1"), before("06:00"), 9);
    machine.advance(Duration::from_millis(1_999));
    assert_eq!(look(&mut late, "2026-11-21T08:30:01.999Z"), shown("06:00"));
    machine.advance(Duration::from_millis(1));
    assert_eq!(look(&mut late, "2026-11-21T08:30:02.000Z"), shown("07:00"), "two seconds passed");

    late.moved(row("1"), before("05:00"), 9);
    machine.advance(Duration::from_secs(3));
    late.moved(row("1"), before("06:00"), 9);
    assert_eq!(look(&mut late, "2026-11-21T08:30:05.000Z"), shown("06:00"), "it heard of the move before");

    assert_eq!(look(&mut late, "2026-11-21T10:30:05.000Z"), shown("07:00"), "the clock of the platform was moved");
    late.moved(row("1"), None, 9);
    assert_eq!(look(&mut late, "2026-11-21T10:30:05.000Z"), None);
    machine.advance(Duration::from_secs(2));
    assert_eq!(look(&mut late, "2026-11-21T10:30:07.000Z"), shown("07:00"), "and goes on from there");
}

#[test]
fn what_a_transaction_moves_in_the_index_is_noticed() {
    let at = "2026-11-21T08:30:00.000Z";
    let late = LateIndex::of(Time::Standing);
    let key = json!({ "pk": { "S": "P" }, "sk": { "S": "1" } });
    let names = |name: &str| json!({ "#r0": name });
    let asked = Some(json!({ "RequestItems": { TABLE: {
        "Keys": [key], "ConsistentRead": true, "ProjectionExpression": "pk, sk, due_shard, due_at",
    } } }));
    let put =
        |item: &Value, condition: &str| json!({ "TableName": TABLE, "Item": item, "ConditionExpression": condition });
    let update = |name: &str| json!({ "TableName": TABLE, "Key": key, "ExpressionAttributeNames": names(name) });
    let writes = [
        (json!({ "Delete": { "TableName": TABLE, "Key": key } }), true, asked.clone()),
        (json!({ "Update": update(DUE_AT) }), true, asked.clone()),
        (json!({ "Put": put(&entry("1", at), "#version = :expected") }), true, asked.clone()),
        (json!({ "Put": put(&entry("1", at), "attribute_not_exists(pk)") }), true, None),
        (json!({ "Put": put(&key, "#version = :expected") }), true, asked),
        (json!({ "Put": put(&key, "attribute_not_exists(pk)") }), false, None),
        (json!({ "Update": update("data") }), false, None),
        (json!({ "ConditionCheck": { "Key": key } }), false, None),
    ];
    for (write, moves, asked) in writes {
        let transaction = json!({ "TransactItems": [write] });
        let found = late.about_to_move("TransactWriteItems", &transaction, true);
        assert_eq!(found, moves.then(|| row("1")).into_iter().collect::<Vec<_>>(), "{write}");
        assert_eq!(late_index::entries_asked(&transaction), asked, "{write}");
    }
    let answer = json!({ "Responses": { TABLE: [entry("1", at), key] } });
    assert_eq!(late_index::entries_told(&answer), BTreeMap::from([(row("1"), entry("1", at))]));
}

/// Writes, again while another transaction is met.
async fn write(client: &Client, write: &TransactWriteItem) {
    for _ in 0..100 {
        if client.transact_write_items().transact_items(write.clone()).send().await.is_ok() {
            return;
        }
    }
    panic!("it cannot be written: {write:?}");
}

/// How many rows of a shard the index shows as due at each of two moments.
async fn due_at(client: &Client, moments: [&str; 2]) -> [usize; 2] {
    let (mut found, mut start) = ([0, 0], None);
    loop {
        let query = client.query().table_name(TABLE).index_name(DUE).limit(100).set_exclusive_start_key(start);
        let query = query.key_condition_expression("due_shard = :shard AND due_at <= :now");
        let query = query.expression_attribute_values(":shard", AttributeValue::S("DUE#1".to_owned()));
        let query = query.expression_attribute_values(":now", AttributeValue::S("9".to_owned()));
        let page = query.send().await.unwrap();
        for item in page.items() {
            let place = moments.iter().position(|at| item[DUE_AT] == AttributeValue::S((*at).to_owned()));
            found[place.unwrap()] += 1;
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn the_proxy_asks_the_table_for_what_a_late_index_shows() {
    let table = TestTable::start().await;
    let client = table.client();
    let due = |sk: usize, at: &str| item(&format!("{sk:02}"), &[(DUE_SHARD, "DUE#1"), (DUE_AT, at)]);
    for sk in 0..20 {
        write(client, &put(due(sk, "1"))).await;
    }
    table.catch_up();
    for sk in 0..20 {
        write(client, &put(due(sk, "2"))).await;
    }
    let is_steady = std::env::var("MAINSHEET_TABLE").is_ok_and(|mode| mode == "steady");
    let [before, after] = due_at(client, ["1", "2"]).await;
    assert_eq!((before + after, before > 0), (20, !is_steady), "some moves are late");
    for _ in 0..2 {
        let _ = due_at(client, ["1", "2"]).await;
    }
    assert_eq!(due_at(client, ["1", "2"]).await, [0, 20], "none by more than two looks");
}

/// A table that notes whose calls it gets, and for how many rows; it has none.
#[derive(Clone, Default)]
struct Checking {
    denied: &'static str,
    seen: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Checking {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(Self::answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn answer(State(this): State<Self>, headers: HeaderMap, body: String) -> Response {
        let authorization = headers[AUTHORIZATION].to_str().unwrap();
        let caller = authorization.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let query: Value = serde_json::from_str(&body).unwrap();
        this.seen.lock().unwrap().push((caller.clone(), query["Limit"].as_u64().unwrap()));
        if caller == this.denied {
            return (StatusCode::BAD_REQUEST, Json(shake::error("AccessDeniedException", "not for you")))
                .into_response();
        }
        Json(json!({ "Items": [], "Count": 0, "ScannedCount": 0 })).into_response()
    }
}

#[tokio::test]
async fn a_call_that_was_changed_is_sent_in_another_name_if_its_caller_may_make_it() {
    let seen = |calls: &[(&str, u64)]| calls.iter().map(|(who, rows)| ((*who).to_owned(), *rows)).collect::<Vec<_>>();
    for (denied, refused, calls) in [
        ("", None, seen(&[("embedded", 10), ("root", 1), ("embedded", 10)])),
        ("embedded", Some("AccessDeniedException"), seen(&[("embedded", 10), ("embedded", 10)])),
    ] {
        let table = Checking { denied, ..Checking::default() };
        let upstream = Upstream::at(table.start().await).in_the_name_of("root".to_owned());
        let proxy = Proxy::of(upstream, Time::Standing);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(proxy.clone().serve(listener));
        for verdict in [Verdict::Shake(Shake::ShortPage(1)), Verdict::Forward] {
            proxy.set_rule(Some(Arc::new(move |_: &TableCall| verdict.clone())));
            let query = client.query().table_name(TABLE).key_condition_expression("pk = :pk");
            let query = query.consistent_read(true).limit(10);
            let query = query.expression_attribute_values(":pk", AttributeValue::S("P".to_owned()));
            assert_eq!(code(query.send().await).as_deref(), refused);
        }
        assert_eq!(*table.seen.lock().unwrap(), calls);
    }
}
