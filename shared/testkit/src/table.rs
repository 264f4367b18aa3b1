//! The embedded table, with a proxy in front of it that counts, guards and shakes, and a side door for tests to look in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use dynoxide::Database;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::types::{AttributeValue, Item};
use mainsheet_core::Clock;
use mainsheet_embedded::{EmbeddedDynamoDb, Stream, client};
use mainsheet_store::{Store, schema};
use serde_json::Value;

use crate::guard;
use crate::proxy::{Permission, Proxy, Rule};

/// The table's name.
pub(crate) const TABLE: &str = "mainsheet";

/// A table, in memory unless it says otherwise. Everything that the control plane asks of it goes through the proxy.
#[derive(Clone)]
pub struct TestTable {
    dynamodb: EmbeddedDynamoDb,
    client: Client,
    proxy: Option<Proxy>,
    /// What its file is in, if it has one.
    _folder: Option<Arc<tempfile::TempDir>>,
    /// Where the client reaches it.
    address: String,
}

impl TestTable {
    /// An empty table, behind the proxy.
    pub async fn start() -> Self {
        let dynamodb = EmbeddedDynamoDb::in_memory().await.unwrap();
        let (proxy, address) = Proxy::start(dynamodb.endpoint()).await;
        Self::with(dynamodb, Some(proxy), &address).await
    }

    /// An empty table in a file, as the embedded platform has it, behind the proxy. It does not wait for the disk after each
    /// transaction, which takes as long as the machine's disk does.
    pub async fn start_in_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dynamodb = EmbeddedDynamoDb::open(&folder.path().join("table"), 0).await.unwrap();
        // What dynoxide calls ordinary settings: SQLite's own, but for `synchronous = NORMAL`.
        dynamodb.database().disable_bulk_loading().unwrap();
        let (proxy, address) = Proxy::start(dynamodb.endpoint()).await;
        let table = Self::with(dynamodb, Some(proxy), &address).await;
        Self { _folder: Some(Arc::new(folder)), ..table }
    }

    /// An empty table that is spoken to directly: for measuring time.
    pub async fn start_without_proxy() -> Self {
        let dynamodb = EmbeddedDynamoDb::in_memory().await.unwrap();
        let address = dynamodb.endpoint();
        Self::with(dynamodb, None, &address).await
    }

    async fn with(dynamodb: EmbeddedDynamoDb, proxy: Option<Proxy>, address: &str) -> Self {
        // As patient as in AWS, without the waiting.
        let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
        let client = Client::from_conf(client(address).config().to_builder().retry_config(retries).build());
        schema::create_table(&client, TABLE).await.unwrap();
        Self { dynamodb, client, proxy, _folder: None, address: address.to_owned() }
    }

    /// The store over this table.
    #[must_use]
    pub fn store(&self, clock: Clock) -> Store {
        Store::new(self.client.clone(), TABLE, clock)
    }

    /// The store over this table, past the proxy: for measuring time.
    pub(crate) fn direct_store(&self, clock: Clock) -> Store {
        Store::new(client(&self.dynamodb.endpoint()), TABLE, clock)
    }

    /// A client of the table, through the proxy.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it answers, past the proxy.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.dynamodb.endpoint()
    }

    /// Where the proxy answers, or the table itself where there is none.
    #[must_use]
    pub fn proxied_endpoint(&self) -> String {
        self.address.clone()
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        TABLE
    }

    /// The database behind the table, past proxy and store.
    #[must_use]
    pub fn database(&self) -> &Database {
        self.dynamodb.database()
    }

    /// The table's stream from its beginning.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.dynamodb.stream(TABLE, None).unwrap()
    }

    /// The operations that reached the proxy since the last call of this, in order.
    #[must_use]
    pub fn take_operations(&self) -> Vec<String> {
        self.proxy.as_ref().map(Proxy::take_operations).unwrap_or_default()
    }

    /// What the calls since then took.
    #[must_use]
    pub fn permissions(&self) -> BTreeSet<Permission> {
        self.proxy.as_ref().map(Proxy::permissions).unwrap_or_default()
    }

    /// Decides from now on what becomes of each round trip. Until [`TestTable::heal`] the table does not shake.
    pub fn set_rule(&self, rule: Rule) {
        self.proxy.as_ref().expect("rules are the proxy's").set_rule(Some(rule));
    }

    /// No rule decides any more what becomes of a round trip.
    pub fn heal(&self) {
        self.proxy.as_ref().expect("rules are the proxy's").set_rule(None);
    }

    /// From now on the table does not shake: for tests that count its calls or have faults of their own.
    pub fn hold(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.shaking().hold();
            proxy.catch_up();
        }
    }

    /// It shakes again, once all who held it let go of it.
    pub(crate) fn let_go(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.shaking().let_go();
        }
    }

    /// The index shows everything that was written. Says whether it did not before.
    pub fn catch_up(&self) -> bool {
        self.proxy.as_ref().is_some_and(Proxy::catch_up)
    }

    /// Asserts that no call broke a rule of the design, and that no row has grown too large.
    pub(crate) fn assert_rules_kept(&self) {
        let broken = self.proxy.as_ref().map(Proxy::breaches).unwrap_or_default();
        assert!(broken.is_empty(), "calls of the table that the design forbids: {broken:#?}");
        for row in self.raw_rows() {
            let breach = guard::breach_of_row(&serde_json::to_value(row).unwrap());
            assert!(breach.is_none(), "{breach:?}");
        }
    }

    /// Keeps all of the database in a file that is not there yet.
    pub(crate) fn save(&self, file: &Path) {
        self.database().vacuum_into(file.to_str().unwrap()).unwrap();
    }

    /// The database is again what was kept in a file.
    pub(crate) fn load(&self, file: &Path) {
        self.database().restore_from(file.to_str().unwrap()).unwrap();
        self.catch_up();
    }

    /// The table's definition, as DynamoDB describes it.
    #[must_use]
    pub fn description(&self) -> Value {
        let request = DescribeTableRequest { table_name: TABLE.to_owned() };
        serde_json::to_value(self.database().describe_table(request).unwrap().table).unwrap()
    }

    /// All that is in the table.
    #[must_use]
    pub fn dump(&self) -> Dump {
        Dump { rows: self.raw_rows().iter().map(|row| (key_of(row), plain_row(row))).collect() }
    }

    /// Puts copies of a row beside it until there are `count`. Each has an id of its own wherever the row has its own.
    pub fn multiply(&self, kind: &str, id: &str, count: usize) {
        self.multiply_each(&[kind], &[id], count);
    }

    /// Like [`TestTable::multiply`], of several things that have a row of each kind. In the order of their ids the copies of all of
    /// them alternate.
    pub fn multiply_each(&self, kinds: &[&str], ids: &[&str], count: usize) {
        let is = |row: &Item, name: &str, text: &str| matches!(row.get(name), Some(AttributeValue::S(value)) if value == text);
        let rows = self.raw_rows();
        let mut copies: Vec<Item> = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            for kind in kinds {
                let row = rows.iter().find(|row| is(row, "kind", kind) && is(row, "sk", id)).unwrap();
                copies.extend((1..count).map(|number| {
                    let copy = format!("ZCOPY{:015}", number * ids.len() + place);
                    row.iter().map(|(name, value)| (name.clone(), replaced(value, id, &copy))).collect::<Item>()
                }));
            }
        }
        self.database().import_items(TABLE, copies, dynoxide::ImportOptions::default()).unwrap();
    }

    /// Takes a row away, as somebody does who operates a deployment.
    pub fn remove(&self, pk: &str, sk: &str) {
        let key = [("pk", pk), ("sk", sk)].map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
        let request =
            DeleteItemRequest { table_name: TABLE.to_owned(), key: key.into(), ..DeleteItemRequest::default() };
        let _ = self.database().delete_item(request).unwrap();
    }

    /// The rows as they are now, to see later what has changed. `stream` is at its end.
    #[must_use]
    pub fn rows(&self, stream: Stream) -> Rows {
        Rows { rows: self.raw_rows().into_iter().map(|row| (key_of(&row), row)).collect(), stream }
    }

    /// The rows that came, changed or went since a moment, by the stream: cheaper than to look at all rows.
    #[must_use]
    pub fn changes_since(&self, earlier: &Rows) -> Vec<ChangedRow> {
        let mut stream = earlier.stream.clone();
        let mut touched = BTreeMap::new();
        loop {
            let records = stream.peek().unwrap();
            if records.is_empty() {
                break;
            }
            touched.extend(records.into_iter().map(|record| (key_of(&record.key), record.key)));
            stream.acknowledge();
        }
        let changed = |(key, item): (Key, Item)| {
            let request = GetItemRequest { table_name: TABLE.to_owned(), key: item, ..GetItemRequest::default() };
            let after = self.database().get_item(request).unwrap().item;
            let before = earlier.rows.get(&key);
            let row = || ChangedRow { before: before.map(plain_row), after: after.as_ref().map(plain_row), key };
            (before != after.as_ref()).then(row)
        };
        touched.into_iter().filter_map(changed).collect()
    }

    /// All that is in the table, as the database has it.
    #[must_use]
    pub fn raw_rows(&self) -> Vec<Item> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let request =
                ScanRequest { table_name: TABLE.to_owned(), exclusive_start_key: start, ..ScanRequest::default() };
            let answer = self.database().scan(request).unwrap();
            rows.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return rows;
            }
        }
    }
}

/// A row's primary key.
type Key = (String, String);

fn key_of(row: &Item) -> Key {
    let text = |name: &str| match row.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        _ => panic!("a row without `{name}`"),
    };
    (text("pk"), text("sk"))
}

/// A row's attributes as plain JSON.
fn plain_row(row: &Item) -> Value {
    plain(&serde_json::json!({ "M": row }))
}

/// A value with a text of it replaced wherever it stands.
fn replaced(value: &AttributeValue, text: &str, by: &str) -> AttributeValue {
    match value {
        AttributeValue::S(value) => AttributeValue::S(value.replace(text, by)),
        AttributeValue::M(fields) => {
            AttributeValue::M(fields.iter().map(|(name, value)| (name.clone(), replaced(value, text, by))).collect())
        }
        other => other.clone(),
    }
}

/// DynamoDB's JSON (`{"S": "text"}`) as the value it stands for.
fn plain(typed: &Value) -> Value {
    let Some((kind, value)) = typed.as_object().and_then(|object| object.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "M" => value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        "L" => value.as_array().unwrap().iter().map(plain).collect(),
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

/// A table's rows at one moment, as the database has them, by primary key.
pub struct Rows {
    rows: HashMap<Key, Item>,
    stream: Stream,
}

/// A row that came, changed or went.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedRow {
    /// Its primary key.
    pub key: (String, String),
    /// What it was, attributes as plain JSON; none when it came.
    pub before: Option<Value>,
    /// What it is; none when it went.
    pub after: Option<Value>,
}

/// A table's rows at one moment, by primary key.
#[derive(Debug, Clone, PartialEq)]
pub struct Dump {
    /// The rows, attributes as plain JSON.
    pub rows: BTreeMap<(String, String), Value>,
}

impl Dump {
    /// The rows of a kind.
    pub fn of_kind<'d>(&'d self, kind: &'d str) -> impl Iterator<Item = &'d Value> {
        self.rows.values().filter(move |row| row["kind"] == kind)
    }

    /// The rows of a kind that are here and were not in `earlier`.
    pub fn new_of_kind<'d>(&'d self, earlier: &'d Self, kind: &'d str) -> Vec<&'d Value> {
        let is_new = |key: &(String, String)| !earlier.rows.contains_key(key);
        self.rows.iter().filter(|(key, row)| row["kind"] == kind && is_new(key)).map(|(_, row)| row).collect()
    }

    /// What became different since `earlier`, one line a row; for messages of assertions.
    #[must_use]
    pub fn difference(&self, earlier: &Self) -> Vec<String> {
        let keys: std::collections::BTreeSet<_> = self.rows.keys().chain(earlier.rows.keys()).collect();
        let line = |key: &&(String, String)| match (earlier.rows.get(key), self.rows.get(key)) {
            (None, Some(row)) => Some(format!("+ {} {}: {row}", key.0, key.1)),
            (Some(_), None) => Some(format!("- {} {}", key.0, key.1)),
            (Some(before), Some(after)) if before != after => {
                Some(format!("~ {} {}: {before} -> {after}", key.0, key.1))
            }
            _ => None,
        };
        keys.iter().filter_map(line).collect()
    }

    /// Asserts that nothing is different from `earlier`.
    #[track_caller]
    pub fn assert_same_as(&self, earlier: &Self, context: &str) {
        let difference = self.difference(earlier);
        assert!(difference.is_empty(), "{context}: the table changed:\n{}", difference.join("\n"));
    }
}
