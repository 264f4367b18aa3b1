//! The Lambda function behind `/workloads/queries*`, `/workloads/jobs*` and the catalogs.

use std::sync::Arc;

use lambda_http::Error;
use mainsheet_api::App;
use mainsheet_api::lambda::{self, Measured};
use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::aws;
use mainsheet_workloads::WorkloadsState;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws::config().await;
    let sealer = Sealer::derive(&aws::secret(&config, "MAINSHEET_SEALING_KEY_SECRET").await?)?;
    let app = App::new(aws::store(&config)?);
    // Read during INIT, which also opens the connection to the table.
    app.warm().await?;
    let table = app.store.clone();
    lambda::serve(&table, Measured::All, mainsheet_workloads::router(WorkloadsState { app, sealer: Arc::new(sealer) }))
        .await
}
