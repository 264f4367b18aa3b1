//! What runs leave behind: log lines and result previews.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::agent_protocol::{LogBatch, LogLine, ResultPreview};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::{Error, JobId, JobRunId, Result};
use serde::{Deserialize, Serialize};

use crate::change::update_of;
use crate::job_runs::run_key;
use crate::key::{SK, tenant_partition};
use crate::marker::bad_marker;
use crate::read::{MOST_ROWS, failed};
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
        let sort = chunk_sort_key(batch.attempt, batch.first_line);
        let chunk = LogChunk { lines: batch.lines.clone() };
        let moved = Error::conflict("log_moved", "Other lines came first. Ask for the next line's number again.");
        let head = update_of(&head_key(tenant, run, batch.attempt), Vec::new(), &[], &[("next", count)]);
        let head = if batch.first_line == 0 {
            head.condition_expression("attribute_not_exists(pk)")
        } else {
            head.condition_expression("#a0 = :first")
                .expression_attribute_values(":first", AttributeValue::N(batch.first_line.to_string()))
        };
        let change = self.telemetry();
        let change = if row.value.status.is_terminal() { change.require_ended(row) } else { change.require_lease(row) };
        change
            .update(head, moved.clone())
            .create(&Key::global(log_partition(tenant, run), sort), &chunk, moved)
            .commit()
            .await
    }

    /// A page of a run's log, all attempts in order: a query of what holds its lines, and one more where they go on in the next
    /// attempt. Chunks are read whole: a page begins and ends inside of one by its line numbers.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn log(&self, tenant: &Tenant, run: &JobRun, request: &PageRequest) -> Result<Page<LogLine>> {
        let listing = Listing::of(log_partition(tenant, &run.id));
        let mut place = self.log_place(&listing, request.marker.as_deref()).await?;
        let wanted = request.limit as usize;
        let mut lines: Vec<LogLine> = Vec::with_capacity(wanted);
        while wanted > 0 && place.attempt <= run.attempt {
            // Where the page ends there may be another line, which a marker leads to.
            let (chunks, is_last) = self.log_chunks(&listing, &place, wanted - lines.len()).await?;
            for (attempt, first_line, chunk) in chunks {
                let skip = if attempt == place.attempt { place.line.saturating_sub(first_line) } else { 0 };
                for (number, line) in (first_line..).zip(chunk).skip(usize::try_from(skip).unwrap_or(usize::MAX)) {
                    if lines.len() == wanted {
                        let place = LogPlace { attempt, chunk: first_line, line: number };
                        return Ok(Page::of(lines, Some(self.log_marker(&listing, &place).await?)));
                    }
                    lines.push(line);
                    place = LogPlace { attempt, chunk: number + 1, line: number + 1 };
                }
            }
            if is_last {
                place = LogPlace::beginning_of(place.attempt + 1);
            }
        }
        Ok(Page::of(lines, None))
    }

    /// What holds `wanted` lines of an attempt from a place on, and the line after them: by attempt and first line. Says whether
    /// the attempt has no more.
    async fn log_chunks(
        &self,
        listing: &Listing,
        place: &LogPlace,
        wanted: usize,
    ) -> Result<(Vec<(u32, u64, Vec<LogLine>)>, bool)> {
        let until = place.line.saturating_add(wanted as u64);
        let bound = |line: u64| AttributeValue::S(chunk_sort_key(place.attempt, line));
        let query = self
            .query(listing)
            .limit(i32::try_from(wanted + 1).map_or(MOST_ROWS, |chunks| chunks.min(MOST_ROWS)))
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :until")
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":from", bound(place.chunk))
            .expression_attribute_values(":until", bound(until));
        let answer = query.send().await.map_err(failed)?;
        let mut chunks = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let row: Row<LogChunk> = Row::of_item(item)?;
            let (attempt, first_line) = read_chunk_sort_key(&row.key.sk)?;
            chunks.push((attempt, first_line, row.value.lines));
        }
        Ok((chunks, answer.last_evaluated_key.is_none()))
    }

    async fn log_marker(&self, listing: &Listing, place: &LogPlace) -> Result<String> {
        let position = [u64::from(place.attempt), place.chunk, place.line].map(|number| number.to_string());
        self.seal_marker(&listing.scope(), position.to_vec()).await
    }

    async fn log_place(&self, listing: &Listing, marker: Option<&str>) -> Result<LogPlace> {
        let Some(marker) = marker else { return Ok(LogPlace::beginning_of(1)) };
        let position = self.open_marker(&listing.scope(), marker).await?;
        let place = match &position[..] {
            [attempt, chunk, line] => LogPlace::parse(attempt, chunk, line),
            _ => None,
        };
        place.ok_or_else(bad_marker)
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

/// A line's place in a run's log.
struct LogPlace {
    /// Its attempt, counted from 1.
    attempt: u32,
    /// The first line of the chunk that holds it.
    chunk: u64,
    /// Its number, counted from 0.
    line: u64,
}

impl LogPlace {
    fn beginning_of(attempt: u32) -> Self {
        Self { attempt, chunk: 0, line: 0 }
    }

    fn parse(attempt: &str, chunk: &str, line: &str) -> Option<Self> {
        Some(Self { attempt: attempt.parse().ok()?, chunk: chunk.parse().ok()?, line: line.parse().ok()? })
    }
}

fn chunk_sort_key(attempt: u32, first_line: u64) -> String {
    format!("{attempt:06}#{first_line:012}")
}

/// The attempt and the first line of a chunk.
fn read_chunk_sort_key(sk: &str) -> Result<(u32, u64)> {
    let parts = sk.split_once('#').and_then(|(attempt, line)| Some((attempt.parse().ok()?, line.parse().ok()?)));
    parts.ok_or_else(|| Error::internal(format!("{sk} is no place in a log")))
}
