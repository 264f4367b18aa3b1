//! The Lambda function on the queue `mail`.

use std::sync::Arc;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_auth::login_code::LoginCodeKey;
use mainsheet_cloud::aws;
use mainsheet_core::measurement::{Delivery, Measurement};
use mainsheet_notifier::{MailKeys, Notifier};
use mainsheet_store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = aws::config().await;
    let secret = aws::secret(&config, "MAINSHEET_MAIL_LINK_KEY_SECRET").await?;
    let key = SigningKey::derive(&secret, Purpose::MailLink)?;
    let store = aws::store(&config)?;
    key.publish(&store).await?;
    let mailer = Arc::new(aws::SesMailer::from_environment(&config)?);
    let public_url = aws::required("MAINSHEET_PUBLIC_URL")?;
    let keys = MailKeys { links: Arc::new(key), codes: Arc::new(LoginCodeKey::derive(&secret)?) };
    let notifier = Arc::new(Notifier::new(mailer, keys, store.clock().clone(), public_url)?);
    run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let (notifier, store) = (Arc::clone(&notifier), store.clone());
        async move { Ok::<_, Error>(handle_all(&notifier, &store, event.payload).await) }
    }))
    .await
}

/// Handles each message for itself: those that fail come again, the others do not.
async fn handle_all(notifier: &Notifier, store: &Store, batch: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in batch.records {
        let id = message.message_id.clone().unwrap_or_default();
        let handled = handle(notifier, message).await;
        let delivery = if handled.is_ok() { Delivery::Sent } else { Delivery::Failed };
        store.measure(&Measurement::Mail(delivery));
        if let Err(error) = handled {
            tracing::error!(id, %error, "a message could not be handled");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
    }
    response
}

async fn handle(notifier: &Notifier, message: SqsMessage) -> mainsheet_core::Result<()> {
    let event = serde_json::from_str(&message.body.unwrap_or_default()).map_err(mainsheet_core::Error::internal)?;
    notifier.handle(event).await
}
