//! The Lambda function that the state machines call, and EventBridge when one of their executions has stopped.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::aws::{self, AwsAccounts};
use mainsheet_provisioner::{AgentSettings, Call, Images, Provisioner};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = aws::config().await;
    let sealer = Sealer::derive(&aws::secret(&config, "MAINSHEET_SEALING_KEY_SECRET").await?)?;
    let images =
        Images { agent: aws::required("MAINSHEET_AGENT_IMAGE")?, runtime: aws::required("MAINSHEET_RUNTIME_IMAGE")? };
    let agent = AgentSettings { api_url: aws::required("MAINSHEET_AGENT_URL")?, images };
    let store = aws::store(&config)?;
    let accounts = Arc::new(AwsAccounts::new(&config, store.clock().clone()));
    let mut provisioner = Provisioner::new(store, accounts, Arc::new(sealer), agent);
    if let Some(code) = aws::optional("MAINSHEET_MARKETPLACE_PRODUCT_CODE") {
        provisioner = provisioner.with_product_code(code.parse()?);
    }
    run(service_fn(|event: LambdaEvent<Call>| {
        let provisioner = provisioner.clone();
        async move { provisioner.handle(&event.payload.into_step()?).await.map_err(Error::from) }
    }))
    .await
}
