//! The table's stream: every change of a row, in order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::types::Item;
use mainsheet_core::{Error, Result};
use mainsheet_store::outbox::OutboxEvent;

/// The most records that one read takes.
const AT_ONCE: usize = 500;

/// A stream that is read from front to end. Clones go on from the same place, each for itself.
#[derive(Clone)]
pub struct Stream {
    database: Database,
    file: Option<PathBuf>,
    table: String,
    iterator: String,
    next: Option<String>,
}

/// A change of a row.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its place in the stream.
    pub sequence_number: String,
    /// The row's primary key.
    pub key: Item,
    /// The event that it brought into being, if the row is one.
    pub event: Option<OutboxEvent>,
}

impl Stream {
    pub(crate) fn open(database: Database, file: Option<PathBuf>, table: &str, after: Option<&str>) -> Result<Self> {
        let request = ListStreamsRequest { table_name: Some(table.to_owned()), ..ListStreamsRequest::default() };
        let streams = database.list_streams(request).map_err(Error::internal)?.streams;
        let stream_arn =
            streams.into_iter().next().ok_or_else(|| Error::internal("the table has no stream"))?.stream_arn;
        let describe = DescribeStreamRequest { stream_arn: stream_arn.clone(), ..DescribeStreamRequest::default() };
        let shards = database.describe_stream(describe).map_err(Error::internal)?.stream_description.shards;
        let shard = shards.into_iter().next().ok_or_else(|| Error::internal("the stream has no shard"))?;
        let kind = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let request = GetShardIteratorRequest {
            stream_arn,
            shard_id: shard.shard_id,
            shard_iterator_type: kind.to_owned(),
            sequence_number: after.map(str::to_owned),
        };
        let iterator = database.get_shard_iterator(request).map_err(Error::internal)?.shard_iterator;
        let iterator = iterator.ok_or_else(|| Error::internal("the stream gives no iterator"))?;
        Ok(Self { database, file, table: table.to_owned(), iterator, next: None })
    }

    /// The next records, the same ones until [`Stream::acknowledge`]; none when there are no more yet. A row that cannot be
    /// read is no event: it is logged and passed over, so that it does not hold up those behind it.
    ///
    /// # Errors
    /// [`Error::Internal`] when the stream cannot be read.
    pub fn peek(&mut self) -> Result<Vec<Record>> {
        let request = GetRecordsRequest { shard_iterator: self.iterator.clone(), limit: Some(AT_ONCE) };
        let answer = self.database.get_records(request).map_err(Error::internal)?;
        self.next = answer.next_shard_iterator;
        Ok(answer.records.iter().map(record).collect())
    }

    /// The records of the last [`Stream::peek`] were taken care of.
    pub fn acknowledge(&mut self) {
        if let Some(next) = self.next.take() {
            self.iterator = next;
        }
    }

    /// Forgets records that were read, all but the last one. DynamoDB does so after a day; this database never does.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file is busy.
    pub fn forget_before(&self, sequence_number: &str) -> Result<usize> {
        let Some(file) = &self.file else { return Ok(0) };
        let Some(position) = position(sequence_number) else { return Ok(0) };
        let connection = connection(file)?;
        let statement = "DELETE FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) < ?2";
        connection.execute(statement, rusqlite::params![self.table, position]).map_err(Error::unavailable)
    }
}

/// Each record is numbered one above the highest number that there is. This index says which that is; without it each write looks
/// through all records (dynoxide 3.2, `next_stream_sequence_number`).
const BY_NUMBER: &str = "CREATE INDEX IF NOT EXISTS stream_records_by_number \
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

/// Adds what the stream of a database lacks.
pub(crate) fn index(file: &Path) -> Result<()> {
    connection(file)?.execute(BY_NUMBER, []).map(|_| ()).map_err(Error::unavailable)
}

fn connection(file: &Path) -> Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(file).map_err(Error::unavailable)?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(Error::unavailable)?;
    Ok(connection)
}

/// The number that a public sequence number stands for: it is padded to 21 digits behind a leading 1.
fn position(sequence_number: &str) -> Option<i64> {
    sequence_number.strip_prefix('1')?.parse().ok()
}

fn record(record: &dynoxide::actions::get_records::Record) -> Record {
    let sequence_number = record.dynamodb.sequence_number.clone();
    let event = event(record).unwrap_or_else(|error| {
        tracing::error!(sequence_number, %error, "an event cannot be read");
        None
    });
    Record { sequence_number, key: record.dynamodb.keys.clone(), event }
}

fn event(record: &dynoxide::actions::get_records::Record) -> Result<Option<OutboxEvent>> {
    let Some(image) = record.dynamodb.new_image.as_ref().filter(|_| record.event_name == "INSERT") else {
        return Ok(None);
    };
    let json = serde_json::to_value(image).map_err(Error::internal)?;
    let item: serde_dynamo::Item = serde_json::from_value(json).map_err(Error::internal)?;
    OutboxEvent::of_stream_image(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_is_looked_up() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("table.sqlite");
        let _database = Database::new(file.to_str().ok_or("a path")?)?;
        index(&file)?;
        // As dynoxide asks for it.
        let plan = "EXPLAIN QUERY PLAN \
            SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = ?1";
        let plan: String = connection(&file)?.query_row(plan, ["mainsheet"], |row| row.get("detail"))?;
        assert!(plan.contains("COVERING INDEX stream_records_by_number"), "{plan}");
        Ok(())
    }

    #[test]
    fn public_sequence_numbers_are_read() {
        assert_eq!(position("100000000000000000005"), Some(5));
        assert_eq!(position("5"), None);
    }
}
