//! What a request has come to, such that two of them can be compared whose ids differ.

use std::collections::HashSet;

use mainsheet_testkit::Dump;
use serde_json::{Value, json};

/// The rows of a table, with one name for all ids and digests that were not there before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome(Vec<String>);

/// The names that a table has: ids, and digests in hex.
pub(super) struct Names(HashSet<String>);

impl Names {
    pub(super) fn of(dump: &Dump) -> Self {
        let rows = dump.rows.iter().map(|((pk, sk), row)| format!("{pk} {sk} {row}"));
        Self(
            rows.flat_map(|row| words(&row).filter(|word| is_name(word)).map(str::to_owned).collect::<Vec<_>>())
                .collect(),
        )
    }
}

impl Outcome {
    pub(super) fn of(dump: &Dump, known: &Names) -> Self {
        // Whoever sends a heartbeat again has sent two.
        let rows = dump.rows.iter().filter(|(_, row)| row.get("beats").is_none());
        let rows = rows.filter_map(|((pk, sk), row)| Some(format!("{pk} {sk} {}", uncut(row)?)));
        let mut rows: Vec<String> = rows.map(|row| rename(&row, known)).collect();
        rows.sort();
        Self(rows)
    }

    /// Asserts that both are the same.
    #[track_caller]
    pub(super) fn assert_is(&self, expected: &Self, context: &str) {
        let lacks = |these: &Self, others: &Self| -> Vec<String> {
            let mut rest = others.0.clone();
            let missing = |row: &&String| match rest.iter().position(|other| other == *row) {
                Some(place) => {
                    rest.swap_remove(place);
                    false
                }
                None => true,
            };
            these.0.iter().filter(missing).cloned().collect()
        };
        if self != expected {
            let (more, less) = (lacks(self, expected).join("\n+ "), lacks(expected, self).join("\n- "));
            panic!("{context}: the table is not what it is without the fault:\n+ {more}\n- {less}");
        }
    }
}

/// How a trail is cut into blocks tells when somebody came to seal it. That its records are sealed, and how many, is what counts.
fn uncut(row: &Value) -> Option<Value> {
    let mut row = row.clone();
    match row["kind"].as_str() {
        Some("audit_block") => return None,
        Some("audit_head") => row = row["data"]["records"].take(),
        Some("audit") if row["block"].is_number() => row["block"] = json!("sealed"),
        _ => {}
    }
    Some(row)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
}

/// An id has 20 capital letters and digits, a digest 64 lower-case hex digits.
fn is_name(word: &str) -> bool {
    let is_id = word.len() == 20 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_id || is_digest
}

fn rename(text: &str, known: &Names) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // Which shard of those that wait for a block an audit record is in, its id decides.
        let is_new = renamed.ends_with("SEAL#") || (is_name(word) && !known.0.contains(word));
        renamed.push_str(if is_new { "NEW" } else { word });
        let next = after.chars().next().map_or(0, char::len_utf8);
        renamed.push_str(&after[..next]);
        rest = &after[next..];
    }
    renamed
}
