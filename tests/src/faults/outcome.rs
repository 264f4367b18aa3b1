//! What something has come to, such that two outcomes can be compared whose ids and secrets differ.

use std::collections::HashSet;

use mainsheet_testkit::{ChangedRow, Dump, Rows, TestApp};
use serde_json::{Value, json};

/// How everything was before.
pub(super) struct Before {
    rows: Rows,
    /// The names that the table has: ids, and digests in hex.
    names: HashSet<String>,
    mails: usize,
    workflows: usize,
}

/// What is different since: rows, mails and workflows, with one name for all ids and digests that were not there before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome(Vec<String>);

/// Begins the line of a row that is gone.
const GONE: &str = "gone:";

impl Before {
    pub(super) fn of(app: &TestApp) -> Self {
        let (mails, workflows) = (app.mails().len(), app.started_workflows().len());
        Self { rows: app.rows(), names: names_of(&app.dump()), mails, workflows }
    }

    /// What became of a row; nothing where that does not count.
    fn tell(&self, row: &ChangedRow) -> Option<String> {
        let (pk, sk) = &row.key;
        let told =
            |row: &Value| Some(format!("{} {}", self.rename(&format!("{pk} {sk}")), self.text(&comparable(row)?)));
        let (was, is) = (row.before.as_ref().and_then(told), row.after.as_ref().and_then(told));
        match (was, is) {
            (Some(_), None) => Some(format!("{GONE} {}", self.rename(&format!("{pk} {sk}")))),
            (was, is) => is.filter(|is| was.as_ref() != Some(is)),
        }
    }

    /// A value with its new names renamed, and its fields in the order that they have then.
    fn text(&self, value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| format!("{}: {}", self.rename(name), self.text(value));
                let mut fields: Vec<String> = fields.iter().map(field).collect();
                fields.sort();
                format!("{{{}}}", fields.join(", "))
            }
            Value::Array(items) => {
                format!("[{}]", items.iter().map(|item| self.text(item)).collect::<Vec<_>>().join(", "))
            }
            other => self.rename(&other.to_string()),
        }
    }

    fn rename(&self, text: &str) -> String {
        let mut renamed = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            // Which shard an event is in, or of those that wait for a block an audit record, its id decides.
            let is_shard = ["SEAL#", "OUTBOX#"].iter().any(|shards| renamed.ends_with(shards));
            let is_new = is_shard || (is_name(word) && !self.names.contains(word));
            renamed.push_str(if is_new { "NEW" } else { word });
            let next = after.chars().next().map_or(0, char::len_utf8);
            renamed.push_str(&after[..next]);
            rest = &after[next..];
        }
        renamed
    }
}

impl Outcome {
    pub(super) fn of(app: &TestApp, before: &Before) -> Self {
        let rows = app.table().changes_since(&before.rows);
        let rows = rows.iter().filter_map(|row| before.tell(row));
        let mails = app.mails().into_iter().skip(before.mails).map(|mail| {
            // A code that somebody signs in with is part of its mail's subject.
            format!("a mail to {}: {}", mail.0.to, mail.0.subject.replace(|letter: char| letter.is_ascii_digit(), ""))
        });
        let workflows = app.started_workflows().into_iter().skip(before.workflows);
        let workflows = workflows.map(|start| before.rename(&format!("{start:?}")));
        let mut lines: Vec<String> = rows.chain(mails).chain(workflows).collect();
        lines.sort();
        Self(lines)
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
            panic!("{context}: what came of it is not what it is without the fault:\n+ {more}\n- {less}");
        }
    }

    /// Asserts that things are gone, and that nothing came or changed.
    #[track_caller]
    pub(super) fn assert_nothing_new(&self, context: &str) {
        let new: Vec<&String> = self.0.iter().filter(|line| !line.starts_with(GONE)).collect();
        assert!(new.is_empty(), "{context}: half of it was done: {new:#?}");
    }
}

/// A row as far as it is the same each time.
fn comparable(row: &Value) -> Option<Value> {
    // Whoever sends a heartbeat again has sent two.
    if row.get("beats").is_some() {
        return None;
    }
    let mut row = uncut(row)?;
    blank_secrets(&mut row);
    Some(row)
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

/// Sealed secrets, hashed passwords and beginnings of keys are different each time that they are made.
fn blank_secrets(value: &mut Value) {
    match value {
        Value::String(text) if ["$argon2id$", "msk_"].iter().any(|kind| text.starts_with(kind)) => text.clear(),
        Value::Object(fields) if fields.len() == 2 && fields.contains_key("dataKey") => fields.clear(),
        Value::Object(fields) => fields.values_mut().for_each(blank_secrets),
        Value::Array(items) => items.iter_mut().for_each(blank_secrets),
        _ => {}
    }
}

fn names_of(dump: &Dump) -> HashSet<String> {
    let rows = dump.rows.iter().map(|((pk, sk), row)| format!("{pk} {sk} {row}"));
    rows.flat_map(|row| words(&row).filter(|word| is_name(word)).map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
}

/// An id has 20 capital letters and digits, a digest 64 lower-case hex digits, the seal of credentials 32.
fn is_name(word: &str) -> bool {
    let is_id = word.len() == 20 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_digest = matches!(word.len(), 32 | 64)
        && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_id || is_digest
}
