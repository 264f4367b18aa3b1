//! The document against the contract: what is implemented agrees with it, and what is missing is on a list that may only
//! shrink.

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_testkit::TestApp;

use super::document::operations;

/// Facts of the contract: method, path, operation id and status of success of each operation.
const CONTRACT: &str = include_str!("../../contract/operations.tsv");
/// Operations of the contract that are not implemented, one a line. Take a line out with the work that implements it.
const NOT_IMPLEMENTED: &str = include_str!("../../contract/not-implemented.txt");
/// Operations that the contract does not have, in the form of the contract's list.
const EXTENSIONS: &str = include_str!("../../contract/extensions.tsv");

/// `GET /path -> 200` by operation id.
type Facts = BTreeMap<String, String>;

fn table(text: &str) -> Facts {
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [method, path, id, status] = columns[..] else { panic!("not four columns: {line}") };
        (id.to_owned(), format!("{method} {path} -> {status}"))
    };
    text.lines().skip(1).map(row).collect()
}

async fn implemented() -> Facts {
    let app = TestApp::start().await;
    let fact = |operation: super::document::Operation| {
        (operation.id, format!("{} {} -> {}", operation.method, operation.path, operation.success))
    };
    operations(&app).into_iter().map(fact).collect()
}

#[tokio::test]
async fn implemented_operations_agree_with_the_contract() {
    let (contract, extensions) = (table(CONTRACT), table(EXTENSIONS));
    for (id, fact) in implemented().await {
        let expected = contract.get(&id).or_else(|| extensions.get(&id));
        let expected = expected.unwrap_or_else(|| panic!("{id} ({fact}) is neither in the contract nor an extension"));
        assert_eq!(&fact, expected, "{id}");
    }
}

#[tokio::test]
async fn the_list_of_what_is_missing_is_exact() {
    let implemented = implemented().await;
    let missing: BTreeSet<String> = table(CONTRACT).into_keys().filter(|id| !implemented.contains_key(id)).collect();
    let listed: BTreeSet<String> = NOT_IMPLEMENTED.lines().map(str::to_owned).collect();
    let lines: Vec<&str> = NOT_IMPLEMENTED.lines().collect();
    assert!(lines.is_sorted() && lines.len() == listed.len(), "not-implemented.txt is sorted, without repetitions");
    assert_eq!(listed, missing, "not-implemented.txt (left) against what the document lacks (right)");
}

#[tokio::test]
async fn the_list_of_extensions_is_exact() {
    let (implemented, extensions, contract) = (implemented().await, table(EXTENSIONS), table(CONTRACT));
    for id in extensions.keys() {
        assert!(implemented.contains_key(id), "{id} is listed as an extension and not implemented");
        assert!(!contract.contains_key(id), "{id} is in the contract: it is no extension");
    }
}
