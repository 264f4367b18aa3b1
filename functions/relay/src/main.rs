//! The Lambda function on the table's stream, and on the queue of what it once gave up.

use std::sync::Arc;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mainsheet_cloud::aws;
use mainsheet_core::Result;
use mainsheet_core::measurement::Measurement;
use mainsheet_store::Store;
use mainsheet_store::outbox::OutboxEvent;
use serde::Deserialize;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = aws::config().await;
    let (queues, workflows) =
        (aws::SqsQueues::from_environment(&config)?, aws::StepFunctions::from_environment(&config)?);
    let relay = Arc::new(Relay { store: aws::store(&config)?, queues, workflows });
    run(service_fn(|call: LambdaEvent<Call>| {
        let relay = Arc::clone(&relay);
        async move { Ok::<_, Error>(relay.answer(call.payload).await) }
    }))
    .await
}

/// A call of the function.
#[derive(Deserialize)]
#[serde(untagged)]
enum Call {
    /// With records of the table's stream.
    Stream(Event),
    /// With messages about records that were given up.
    GivenUp(SqsEvent),
}

/// Where events are, and where they are carried.
struct Relay {
    store: Store,
    queues: aws::SqsQueues,
    workflows: aws::StepFunctions,
}

impl Relay {
    /// What is to come again, in the words of SQS, which are those of streams.
    async fn answer(&self, call: Call) -> SqsBatchResponse {
        let failed: Vec<String> = match call {
            Call::Stream(batch) => self.carry_all(batch).await.into_iter().collect(),
            Call::GivenUp(batch) => self.carry_all_again(batch).await,
        };
        let mut response = SqsBatchResponse::default();
        response.set_failures(failed);
        response
    }

    /// Carries records in order, up to the first that fails, and answers that: Lambda sends it and all behind it again.
    async fn carry_all(&self, batch: Event) -> Option<String> {
        for record in batch.records {
            let sequence_number = record.change.sequence_number.clone();
            if let Err(error) = self.carry(record).await {
                self.store.measure(&Measurement::EventFailed);
                tracing::error!(?sequence_number, %error, "an event could not be carried");
                // Without a number all of the batch comes again.
                return Some(sequence_number.unwrap_or_default());
            }
        }
        None
    }

    async fn carry(&self, record: EventRecord) -> Result<()> {
        match OutboxEvent::of_stream_image(record.change.new_image)? {
            Some(event) => mainsheet_relay::carry(&self.queues, &self.workflows, &event).await,
            None => Ok(()),
        }
    }

    /// Takes each message for itself, and answers those that fail.
    async fn carry_all_again(&self, batch: SqsEvent) -> Vec<String> {
        let mut failed = Vec::new();
        for message in batch.records {
            let SqsMessage { message_id, body, .. } = message;
            let (id, body) = (message_id.unwrap_or_default(), body.unwrap_or_default());
            // Boxed: the type of its future is nested too deeply for the compiler otherwise.
            let carried = Box::pin(mainsheet_relay::carry_again(&self.store, &self.queues, &self.workflows, &body));
            if let Err(error) = carried.await {
                self.store.measure(&Measurement::EventFailed);
                tracing::error!(id, %error, "not all events of a message could be carried");
                failed.push(id);
            }
        }
        failed
    }
}
