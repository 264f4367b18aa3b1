//! What happens behind an answer: the table's stream, the relay, the queues and their consumers, step by step.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use mainsheet_cloud::queue::{Message, Queue, Queues};
use mainsheet_core::Result;
use mainsheet_store::Item;
use mainsheet_store::outbox::OutboxEvent;
use serde_json::Value;

/// Queues in memory.
#[derive(Default)]
pub(crate) struct MemoryQueues(Mutex<VecDeque<(Queue, Message)>>);

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue: Queue, message: Message) -> Result<()> {
        self.0.lock().unwrap().push_back((queue, message));
        Ok(())
    }
}

impl MemoryQueues {
    pub(crate) fn receive(&self) -> Option<(Queue, Message)> {
        self.0.lock().unwrap().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// The table's stream and how far it was read.
pub(crate) struct Stream {
    database: Database,
    iterator: Mutex<String>,
}

impl Stream {
    /// The stream from its beginning.
    pub(crate) fn of(database: Database) -> Self {
        let stream = database.list_streams(ListStreamsRequest::default()).unwrap().streams.remove(0);
        let describe = DescribeStreamRequest { stream_arn: stream.stream_arn.clone(), ..Default::default() };
        let shard = database.describe_stream(describe).unwrap().stream_description.shards.remove(0);
        let iterator = GetShardIteratorRequest {
            stream_arn: stream.stream_arn,
            shard_id: shard.shard_id,
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            sequence_number: None,
        };
        let iterator = database.get_shard_iterator(iterator).unwrap().shard_iterator.unwrap();
        Self { database, iterator: Mutex::new(iterator) }
    }

    /// The events that were written since the last call of this.
    pub(crate) fn take_events(&self) -> Vec<OutboxEvent> {
        let mut iterator = self.iterator.lock().unwrap();
        let mut events = Vec::new();
        loop {
            let (next, found) = self.read(&iterator);
            *iterator = next;
            match found {
                found if found.is_empty() => return events,
                found => events.extend(found.into_iter().flatten()),
            }
        }
    }

    /// Whether events wait; leaves them where they are.
    pub(crate) fn has_events(&self) -> bool {
        let mut iterator = self.iterator.lock().unwrap().clone();
        loop {
            let (next, found) = self.read(&iterator);
            if found.is_empty() || found.iter().any(Option::is_some) {
                return !found.is_empty();
            }
            iterator = next;
        }
    }

    /// Some records, those of other rows than events as `None`, and where to go on.
    fn read(&self, iterator: &str) -> (String, Vec<Option<OutboxEvent>>) {
        let request = GetRecordsRequest { shard_iterator: iterator.to_owned(), limit: None };
        let answer = serde_json::to_value(self.database.get_records(request).unwrap()).unwrap();
        let next = answer["NextShardIterator"].as_str().unwrap_or(iterator).to_owned();
        let records = answer["Records"].as_array().unwrap();
        (next, records.iter().map(event_of).collect())
    }
}

/// The event that a stream record tells of.
fn event_of(record: &Value) -> Option<OutboxEvent> {
    let image = record["dynamodb"]["NewImage"].as_object().filter(|_| record["eventName"] == "INSERT")?;
    let item: Item = image.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
    OutboxEvent::of_stream_image(item).unwrap()
}

/// DynamoDB's JSON as the SDK's value.
fn attribute(typed: &Value) -> aws_sdk_dynamodb::types::AttributeValue {
    use aws_sdk_dynamodb::types::AttributeValue as Attribute;
    let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => Attribute::S(text()),
        "N" => Attribute::N(text()),
        "BOOL" => Attribute::Bool(value.as_bool().unwrap()),
        "NULL" => Attribute::Null(true),
        "L" => Attribute::L(value.as_array().unwrap().iter().map(attribute).collect()),
        "M" => Attribute::M(
            value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect(),
        ),
        other => panic!("the table keeps no attributes of type {other}"),
    }
}
