//! The Lambda function that EventBridge calls every minute.

use std::sync::Arc;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mainsheet_cloud::aws;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let store = Arc::new(aws::store(&aws::config().await)?);
    run(service_fn(|_: LambdaEvent<EventBridgeEvent>| {
        let store = Arc::clone(&store);
        async move {
            let ticked = mainsheet_scheduler::tick(&store, mainsheet_scheduler::INTERVAL).await?;
            tracing::info!(settled = ticked.settled, extended = ticked.extended, "ticked");
            Ok::<_, Error>(())
        }
    }))
    .await
}
