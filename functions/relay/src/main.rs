//! The Lambda function on the table's stream.

use std::sync::Arc;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mainsheet_cloud::aws;
use mainsheet_store::outbox::OutboxEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = aws::config().await;
    let (queues, workflows) =
        (aws::SqsQueues::from_environment(&config)?, aws::StepFunctions::from_environment(&config)?);
    let destinations = Arc::new(Destinations { queues, workflows });
    run(service_fn(|event: LambdaEvent<Event>| {
        let destinations = Arc::clone(&destinations);
        async move { Ok::<_, Error>(carry_all(&destinations, event.payload).await) }
    }))
    .await
}

/// Where events are carried.
struct Destinations {
    queues: aws::SqsQueues,
    workflows: aws::StepFunctions,
}

/// Carries records in order, up to the first that fails: Lambda sends that one and all behind it again.
async fn carry_all(destinations: &Destinations, batch: Event) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in batch.records {
        let sequence_number = record.change.sequence_number.clone();
        if let Err(error) = carry(destinations, record).await {
            tracing::error!(?sequence_number, %error, "an event could not be carried");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
            break;
        }
    }
    response
}

async fn carry(destinations: &Destinations, record: EventRecord) -> mainsheet_core::Result<()> {
    match OutboxEvent::of_stream_image(record.change.new_image)? {
        Some(event) => mainsheet_relay::carry(&destinations.queues, &destinations.workflows, &event).await,
        None => Ok(()),
    }
}
