//! The Lambda function on the queue `runs`.

use std::sync::Arc;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mainsheet_cloud::aws;
use mainsheet_core::measurement::Measurement;
use mainsheet_store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let store = Arc::new(aws::store(&aws::config().await)?);
    run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let store = Arc::clone(&store);
        async move { Ok::<_, Error>(handle_all(&store, event.payload).await) }
    }))
    .await
}

/// Handles each message for itself: those that fail come again, the others do not.
async fn handle_all(store: &Store, batch: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in batch.records {
        let id = message.message_id.clone().unwrap_or_default();
        if let Err(error) = handle(store, message).await {
            store.measure(&Measurement::EventFailed);
            tracing::error!(id, %error, "a message could not be handled");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
    }
    response
}

async fn handle(store: &Store, message: SqsMessage) -> mainsheet_core::Result<()> {
    let event = serde_json::from_str(&message.body.unwrap_or_default()).map_err(mainsheet_core::Error::internal)?;
    // Boxed: the type of its future is nested too deeply for the compiler otherwise.
    Box::pin(mainsheet_dispatcher::handle(store, &event)).await
}
