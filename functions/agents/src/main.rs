//! The Lambda function behind `/agent/*`.

use std::sync::Arc;

use lambda_http::Error;
use mainsheet_agents::{AgentsState, Waiting, router};
use mainsheet_api::App;
use mainsheet_api::lambda::{self, Measured};
use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::aws;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws::config().await;
    let sealer = Sealer::derive(&aws::secret(&config, "MAINSHEET_SEALING_KEY_SECRET").await?)?;
    let app = App::new(aws::store(&config)?);
    // Read during INIT, which also opens the connection to the table.
    app.access_keys.warm().await?;
    let table = app.store.clone();
    let state = AgentsState { app, sealer: Arc::new(sealer), waiting: Waiting::Polled };
    lambda::serve(&table, Measured::Failures, router(state)).await
}
