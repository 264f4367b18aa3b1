//! What runs leave behind: log lines and result previews.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::agent_protocol::{LogBatch, LogLine, ResultPreview};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::{Error, JobId, JobRunId, Result};
use serde::{Deserialize, Serialize};

use crate::change::update_of;
use crate::job_runs::run_key;
use crate::key::tenant_partition;
use crate::page::bad_marker;
use crate::{Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// Rows that are removed at once: a transaction holds 4 MB, and a row of log lines is up to 80 KB.
const ERASED_AT_ONCE: u32 = 40;

/// Lines of a run's log that came together.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogChunk {
    lines: Vec<LogLine>,
}

impl Entity for LogChunk {
    const KIND: &'static str = "log";
}

/// A result preview, as JSON text: its values are of any type.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPreview {
    attempt: u32,
    json: String,
}

impl Entity for StoredPreview {
    const KIND: &'static str = "result";
}

fn log_partition(tenant: &Tenant, run: &JobRunId) -> String {
    tenant_partition(tenant, format!("RUN#{run}#LOG"))
}

fn head_key(tenant: &Tenant, run: &JobRunId, attempt: u32) -> Key {
    Key::of_tenant(tenant, format!("RUN#{run}"), format!("LOG_HEAD#{attempt:06}"))
}

fn preview_key(tenant: &Tenant, run: &JobRunId) -> Key {
    Key::of_tenant(tenant, format!("RUN#{run}"), "RESULT")
}

impl Store {
    /// A run and the number of the log line that is expected next from its present attempt: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such run.
    pub async fn run_and_log_head(
        &self,
        tenant: &Tenant,
        job: &JobId,
        run: &JobRunId,
        attempt: u32,
    ) -> Result<(Row<JobRun>, u64)> {
        let (run_key, head_key) = (run_key(tenant, job, run), head_key(tenant, run, attempt));
        let mut batch = self.get_batch([run_key.clone(), head_key.clone()]).await?;
        let head = batch.count(&head_key, "next");
        Ok((batch.take(&run_key)?.ok_or(Error::NotFound)?, head))
    }

    /// Appends lines that begin where the log of the attempt ends.
    ///
    /// # Errors
    /// [`Error::Conflict`] when others were appended meanwhile.
    pub async fn append_log(&self, tenant: &Tenant, row: &Row<JobRun>, batch: &LogBatch) -> Result<()> {
        let run = &row.value.id;
        let count = i64::try_from(batch.lines.len()).map_err(Error::internal)?;
        let sort = format!("{:06}#{:012}", batch.attempt, batch.first_line);
        let chunk = LogChunk { lines: batch.lines.clone() };
        let moved = Error::conflict("log_moved", "Other lines came first. Ask for the next line's number again.");
        let head = update_of(&head_key(tenant, run, batch.attempt), Vec::new(), &[], &[("next", count)]);
        let head = if batch.first_line == 0 {
            head.condition_expression("attribute_not_exists(pk)")
        } else {
            head.condition_expression("#a0 = :first")
                .expression_attribute_values(":first", AttributeValue::N(batch.first_line.to_string()))
        };
        self.telemetry()
            .require_lease(row)
            .update(head, moved.clone())
            .create(&Key::global(log_partition(tenant, run), sort), &chunk, moved)
            .commit()
            .await
    }

    /// A page of a run's log, all attempts in order. Chunks are read whole: a page ends inside of one by its line number.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn log(&self, tenant: &Tenant, run: &JobRunId, request: &PageRequest) -> Result<Page<LogLine>> {
        let listing = Listing::of(log_partition(tenant, run));
        let mut position = LogPosition::of_marker(request.marker.as_deref(), &listing)?;
        let wanted = request.limit as usize;
        let mut lines: Vec<LogLine> = Vec::new();
        while lines.len() < wanted {
            let one = PageRequest { limit: 1, skip: 0, marker: position.after.clone() };
            let page: Page<Row<LogChunk>> = self.page(&listing, &one).await?;
            let Some(chunk) = page.rows.into_iter().next() else { break };
            let (length, room) = (chunk.value.lines.len(), wanted - lines.len());
            lines.extend(chunk.value.lines.into_iter().skip(position.skip).take(room));
            if position.skip.saturating_add(room) < length {
                position.skip += room;
            } else if page.marker.is_some() {
                position = LogPosition { after: page.marker, skip: 0 };
            } else {
                return Ok(Page { rows: lines, marker: None });
            }
        }
        let more = wanted > 0 && lines.len() == wanted;
        Ok(Page { rows: lines, marker: more.then(|| position.to_marker(&listing)) })
    }

    /// Keeps a run's result preview in place of an earlier one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn keep_preview(&self, tenant: &Tenant, row: &Row<JobRun>, preview: &ResultPreview) -> Result<()> {
        let json = serde_json::to_string(preview).map_err(Error::internal)?;
        let preview = StoredPreview { attempt: row.value.attempt, json };
        self.telemetry().require_lease(row).overwrite(&preview_key(tenant, &row.value.id), &preview).commit().await
    }

    /// The result preview of a run's attempt.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn preview(&self, tenant: &Tenant, run: &JobRunId, attempt: u32) -> Result<ResultPreview> {
        let row: Row<StoredPreview> = self.get(&preview_key(tenant, run)).await?.ok_or(Error::NotFound)?;
        if row.value.attempt != attempt {
            return Err(Error::NotFound);
        }
        serde_json::from_str(&row.value.json).map_err(Error::internal)
    }

    /// Removes what a run left behind, in steps that can be repeated. True when nothing is left.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn erase_remains(&self, tenant: &Tenant, run: &JobRunId) -> Result<bool> {
        let request = PageRequest { limit: ERASED_AT_ONCE, ..PageRequest::default() };
        let partitions = [log_partition(tenant, run), tenant_partition(tenant, format!("RUN#{run}"))];
        for partition in partitions {
            let items: Page<Item> = self.page_of_items(&Listing::of(partition), &request).await?;
            let keys: Vec<Key> = items.rows.iter().filter_map(Key::of_item).collect();
            if !keys.is_empty() {
                keys.iter().fold(self.telemetry(), super::change::Change::remove).commit().await?;
            }
            if items.marker.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Where a page of a log ended: the marker of the chunk before the one it ended in, and the lines of that one to leave out.
struct LogPosition {
    after: Option<String>,
    skip: usize,
}

impl LogPosition {
    fn to_marker(&self, listing: &Listing) -> String {
        let text = format!("{}.{}", self.skip, self.after.as_deref().unwrap_or_default());
        format!("{}.{text}", listing.fingerprint(&text, 0))
    }

    fn of_marker(marker: Option<&str>, listing: &Listing) -> Result<Self> {
        let Some(marker) = marker else { return Ok(Self { after: None, skip: 0 }) };
        let read = || {
            let (fingerprint, text) = marker.split_once('.')?;
            let (skip, after) = text.split_once('.').filter(|_| fingerprint == listing.fingerprint(text, 0))?;
            Some(Self { after: (!after.is_empty()).then(|| after.to_owned()), skip: skip.parse().ok()? })
        };
        read().ok_or_else(bad_marker)
    }
}
