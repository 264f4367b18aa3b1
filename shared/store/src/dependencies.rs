//! Which jobs depend on which: never in a circle. Jobs name each other by their keys, so a circle can close where a version comes
//! into force, where a job is created, and where one is given another key.
//!
//! Whoever draws a new line between two jobs walks along the lines that are there, under the condition that nobody else draws one
//! meanwhile: a count beside the organization goes up with each new line, and is what it was when the walk began.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::job::Job;
use mainsheet_core::{Error, Result};

use crate::change::update_of;
use crate::jobs::job_key;
use crate::{Change, Key, Row, Store, Tenant};

/// The most jobs that depend on each other in a row.
pub const LONGEST_CHAIN: usize = 25;
/// The most jobs that one depends on, directly or through others.
pub const MOST_DEPENDED_ON: usize = 500;

/// Counts new lines.
const LINES: &str = "n";

/// Dependencies of a job that close no circle, as of a moment.
#[derive(Debug)]
#[must_use = "what was checked is a condition of the change"]
pub struct Dependencies {
    /// How many lines were ever drawn; `None` when none is new.
    drawn: Option<u64>,
}

fn lines_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "JOB_DEPENDENCIES")
}

/// The keys that a job's version in force depends on.
fn needs(job: &Job) -> impl Iterator<Item = &str> {
    job.current.depends_on.iter().map(|dependency| dependency.job_key.as_str())
}

/// Whether something depends on something in `after` that did not in `before`.
fn draws_lines(before: Option<&Job>, after: &Job) -> bool {
    let had = |key: &str| {
        before.is_some_and(|before| before.job_key == after.job_key && needs(before).any(|needed| needed == key))
    };
    needs(after).any(|key| !had(key))
}

impl Store {
    /// Checks that what a job depends on does not depend on it, as it would be after a change. Nothing is read unless the change
    /// makes it depend on something that it did not depend on; two round trips for each link of the longest chain otherwise.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the circle, or when it depends on more than [`MOST_DEPENDED_ON`] jobs or over a chain of more
    /// than [`LONGEST_CHAIN`].
    pub async fn dependencies(&self, tenant: &Tenant, before: Option<&Job>, after: &Job) -> Result<Dependencies> {
        if !draws_lines(before, after) {
            return Ok(Dependencies { drawn: None });
        }
        let lines = lines_key(tenant);
        let drawn = self.get_batch([lines.clone()]).await?.count(&lines, LINES);
        let mut walk = Walk::from(after)?;
        for _ in 0..LONGEST_CHAIN {
            let keys = std::mem::take(&mut walk.ahead);
            for job in self.jobs_by_keys(tenant, &keys).await? {
                walk.pass(&job.value)?;
            }
            if walk.ahead.is_empty() {
                return Ok(Dependencies { drawn: Some(drawn) });
            }
        }
        Err(refused(format!("leads over a chain of more than {LONGEST_CHAIN} jobs")))
    }

    /// The jobs that have these keys: two round trips.
    async fn jobs_by_keys(&self, tenant: &Tenant, keys: &[String]) -> Result<Vec<Row<Job>>> {
        let ids = self.job_ids_by_keys(tenant, keys).await?;
        let jobs: Vec<Key> = ids.iter().flatten().map(|id| job_key(tenant, id)).collect();
        let mut batch = self.get_batch(jobs.iter().cloned()).await?;
        jobs.iter().filter_map(|key| batch.take(key).transpose()).collect()
    }
}

impl Change<'_> {
    /// What a job depends on has to be what was checked.
    pub fn depend(self, tenant: &Tenant, checked: &Dependencies) -> Self {
        let Some(drawn) = checked.drawn else { return self };
        let update = update_of(&lines_key(tenant), Vec::new(), &[], &[(LINES, 1)])
            .condition_expression(if drawn == 0 { "attribute_not_exists(#lines)" } else { "#lines = :drawn" })
            .expression_attribute_names("#lines", LINES);
        let update = if drawn == 0 {
            update
        } else {
            update.expression_attribute_values(":drawn", AttributeValue::N(drawn.to_string()))
        };
        self.update(update, drawn_meanwhile())
    }
}

fn drawn_meanwhile() -> Error {
    let message = "Dependencies of another job were changed at this moment. Send the request again.";
    Error::conflict("dependencies_changed", message)
}

fn refused(message: impl Into<String>) -> Error {
    Error::invalid("dependsOn", message)
}

/// A walk over what a job depends on.
struct Walk<'j> {
    /// The key that must not be come by again.
    start: &'j str,
    /// Each key that was come by, and the one that it was come to from.
    from: HashMap<String, String>,
    /// Those that were not passed yet.
    ahead: Vec<String>,
}

impl<'j> Walk<'j> {
    /// Begins with a job's own lines. One that was right when it was written leads back to the job once that has its key.
    fn from(job: &'j Job) -> Result<Self> {
        let mut walk = Self { start: &job.job_key, from: HashMap::new(), ahead: Vec::new() };
        walk.pass(job)?;
        Ok(walk)
    }

    /// Looks where a job leads to.
    fn pass(&mut self, job: &Job) -> Result<()> {
        for key in needs(job) {
            if key == self.start {
                return Err(refused(format!("closes a circle: {}", self.circle(&job.job_key))));
            }
            self.come_to(key, &job.job_key);
        }
        if self.from.len() > MOST_DEPENDED_ON {
            return Err(refused(format!("leads to more than {MOST_DEPENDED_ON} jobs")));
        }
        Ok(())
    }

    fn come_to(&mut self, key: &str, from: &str) {
        if !self.from.contains_key(key) {
            self.from.insert(key.to_owned(), from.to_owned());
            self.ahead.push(key.to_owned());
        }
    }

    /// The circle whose last line leads from `last` to the start.
    fn circle(&self, last: &str) -> String {
        let back = std::iter::successors(Some(last), |key| self.from.get(*key).map(String::as_str));
        let mut keys: Vec<&str> = back.take_while(|key| *key != self.start).collect();
        keys.push(self.start);
        keys.reverse();
        keys.push(self.start);
        keys.join(" -> ")
    }
}
