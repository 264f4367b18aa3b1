//! Reads: one row, several rows, a page of a partition. Always consistent, never a Scan.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use backon::BackoffBuilder;
use futures::future::try_join_all;
use mainsheet_core::measurement::{Measurement, Meter, NoMeter};
use mainsheet_core::{Clock, Error, Result, Timestamp};
use tokio::sync::OnceCell;

use crate::change::brief_backoff;
use crate::{Entity, Item, Key, Row};

/// The most rows that one query asks for: a megabyte, which is what DynamoDB reads for one, of the smallest rows there are.
pub const MOST_ROWS: i32 = 5_000;
/// The most keys DynamoDB takes in one batch read.
const BATCH: usize = 100;

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) clock: Clock,
    /// What markers are sealed with, once it was needed.
    pub(crate) marker_key: Arc<OnceCell<hmac::Key>>,
    meter: Arc<dyn Meter>,
}

impl Store {
    /// The table `table` behind `client`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Self {
        Self { client, table: table.into(), clock, marker_key: Arc::default(), meter: Arc::new(NoMeter) }
    }

    /// The same table; what is measured of its changes is taken by `meter`, once they are made.
    #[must_use]
    pub fn with_meter(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Takes a measurement of this moment.
    pub fn measure(&self, measurement: &Measurement) {
        self.meter.record(self.now(), measurement);
    }

    /// Where the present comes from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// One row.
    pub(crate) async fn get<T: Entity>(&self, key: &Key) -> Result<Option<Row<T>>> {
        self.get_item(key).await?.map(Row::of_item).transpose()
    }

    /// One row as it stands in the table.
    pub(crate) async fn get_item(&self, key: &Key) -> Result<Option<Item>> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key.to_item())).consistent_read(true);
        Ok(request.send().await.map_err(failed)?.item)
    }

    /// Several rows in one round trip for every 100 of them. Absent ones are left out.
    pub(crate) async fn get_batch(&self, keys: impl IntoIterator<Item = Key>) -> Result<Batch> {
        let distinct: HashSet<Key> = keys.into_iter().collect();
        let wanted: Vec<Key> = distinct.into_iter().collect();
        let chunks = try_join_all(wanted.chunks(BATCH).map(|chunk| self.read_chunk(chunk))).await?;
        Ok(Batch(chunks.into_iter().flatten().collect()))
    }

    async fn read_chunk(&self, keys: &[Key]) -> Result<HashMap<Key, Item>> {
        let mut found = HashMap::with_capacity(keys.len());
        let keys = keys.iter().map(Key::to_item).collect();
        let request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let mut pending = HashMap::from([(self.table.clone(), request.map_err(Error::internal)?)]);
        // DynamoDB leaves keys over when it has too much to do: they are asked for again, a little later.
        let mut delays = brief_backoff().build();
        loop {
            let answer = self.client.batch_get_item().set_request_items(Some(pending)).send().await.map_err(failed)?;
            let items = answer.responses.unwrap_or_default().into_values().flatten();
            found.extend(items.filter_map(|item| Some((Key::of_item(&item)?, item))));
            pending = answer.unprocessed_keys.unwrap_or_default();
            if pending.is_empty() {
                return Ok(found);
            }
            let delay =
                delays.next().ok_or_else(|| Error::unavailable("the table leaves keys of a batch unprocessed"))?;
            tokio::time::sleep(delay).await;
        }
    }
}

/// Rows read together.
#[derive(Debug, Default)]
pub struct Batch(HashMap<Key, Item>);

impl Batch {
    /// Takes a row out.
    pub(crate) fn take<T: Entity>(&mut self, key: &Key) -> Result<Option<Row<T>>> {
        self.0.remove(key).map(Row::of_item).transpose()
    }

    /// Takes a row out as it stands in the table.
    pub(crate) fn take_item(&mut self, key: &Key) -> Option<Item> {
        self.0.remove(key)
    }

    /// A number of a row; 0 when there is none.
    pub(crate) fn count(&self, key: &Key, attribute: &str) -> u64 {
        self.0.get(key).and_then(|item| crate::row::number(item, attribute)).unwrap_or_default()
    }

    /// The texts of a row whose attributes' names begin so.
    pub(crate) fn texts<'b>(&'b self, key: &Key, beginning: &str) -> impl Iterator<Item = &'b str> {
        let attributes = self.0.get(key).into_iter().flatten();
        attributes
            .filter_map(move |(name, value)| value.as_s().ok().filter(|_| name.starts_with(beginning)))
            .map(String::as_str)
    }
}

/// What a failed call of the table means to a caller: it can be tried again.
pub(crate) fn failed<E, R>(error: SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    // What the table will never take is a defect of ours, not a time to try again.
    if error.code() == Some("ValidationException") {
        return Error::internal(DisplayErrorContext(error));
    }
    Error::unavailable(DisplayErrorContext(error))
}
