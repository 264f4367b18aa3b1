//! What runs leave behind: log lines and result previews.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::agent_protocol::{LogBatch, LogLine, ResultPreview};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::{Error, JobId, JobRunId, Result};
use serde::{Deserialize, Serialize};

use crate::change::update_of;
use crate::job_runs::run_key;
use crate::key::tenant_partition;
use crate::{Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

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
    pub async fn append_log(&self, tenant: &Tenant, run: &JobRunId, batch: &LogBatch) -> Result<()> {
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
        let (marker, skipped) = split_marker(request.marker.as_deref())?;
        let wanted = request.limit as usize;
        let mut lines: Vec<LogLine> = Vec::new();
        let mut inner = PageRequest { limit: 1, skip: 0, marker };
        let mut skip = skipped;
        if wanted == 0 {
            return Ok(Page { rows: lines, marker: None });
        }
        loop {
            // The chunk that a page ends in is read again by the next one, so a marker names the chunk before it.
            let page: Page<Row<LogChunk>> = self.page(&listing, &inner).await?;
            let Some(chunk) = page.rows.into_iter().next() else { return Ok(Page { rows: lines, marker: None }) };
            let chunk = chunk.value.lines;
            let length = chunk.len();
            let room = wanted - lines.len();
            lines.extend(chunk.into_iter().skip(skip).take(room));
            if skip + room < length {
                return Ok(Page { rows: lines, marker: Some(join_marker(inner.marker.as_deref(), skip + room)) });
            }
            skip = 0;
            match page.marker {
                None => return Ok(Page { rows: lines, marker: None }),
                Some(marker) if lines.len() == wanted => {
                    return Ok(Page { rows: lines, marker: Some(join_marker(Some(&marker), 0)) });
                }
                Some(marker) => inner.marker = Some(marker),
            }
        }
    }

    /// Keeps a run's result preview in place of an earlier one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn keep_preview(
        &self,
        tenant: &Tenant,
        run: &JobRunId,
        attempt: u32,
        preview: &ResultPreview,
    ) -> Result<()> {
        let json = serde_json::to_string(preview).map_err(Error::internal)?;
        self.telemetry().overwrite(&preview_key(tenant, run), &StoredPreview { attempt, json }).commit().await
    }

    /// A run's result preview.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn preview(&self, tenant: &Tenant, run: &JobRunId) -> Result<ResultPreview> {
        let row: Row<StoredPreview> = self.get(&preview_key(tenant, run)).await?.ok_or(Error::NotFound)?;
        serde_json::from_str(&row.value.json).map_err(Error::internal)
    }

    /// Removes what a run left behind, in steps that can be repeated. True when nothing is left.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn erase_remains(&self, tenant: &Tenant, run: &JobRunId) -> Result<bool> {
        let request = PageRequest { limit: 90, ..PageRequest::default() };
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

/// A log's marker is a list's marker and the number of lines to leave out of the chunk after it.
fn join_marker(marker: Option<&str>, skip: usize) -> String {
    format!("{skip}.{}", marker.unwrap_or_default())
}

fn split_marker(marker: Option<&str>) -> Result<(Option<String>, usize)> {
    let Some(marker) = marker else { return Ok((None, 0)) };
    let bad =
        || Error::malformed("invalid_marker", "`marker` is not one that this list answered; begin again without it.");
    let (skip, marker) = marker.split_once('.').ok_or_else(bad)?;
    let skip = skip.parse().map_err(|_| bad())?;
    Ok(((!marker.is_empty()).then(|| marker.to_owned()), skip))
}
