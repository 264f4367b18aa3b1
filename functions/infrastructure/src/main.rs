//! The Lambda function behind `/infra/*`, `/operations/*`, `/workloads/clusters*` and `/me/clusters*`.

use std::sync::Arc;

use lambda_http::Error;
use mainsheet_api::App;
use mainsheet_api::lambda::{self, Measured};
use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::aws::{self, AwsAccounts};
use mainsheet_infrastructure::{Cloud, InfrastructureState, LocalRegion};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws::config().await;
    let sealer = Sealer::derive(&aws::secret(&config, "MAINSHEET_SEALING_KEY_SECRET").await?)?;
    let app = App::new(aws::store(&config)?);
    // Read during INIT, which also opens the connection to the table.
    app.warm().await?;
    let table = app.store.clone();
    let cloud = Cloud {
        accounts: Arc::new(AwsAccounts::new(&config, table.clock().clone())),
        sealer: Arc::new(sealer),
        principal_arn: aws::required("MAINSHEET_PRINCIPAL_ARN")?,
        template_url: aws::required("MAINSHEET_TEMPLATE_URL")?,
        public_url: aws::required("MAINSHEET_PUBLIC_URL")?,
    };
    let state = InfrastructureState { app, local_region: LocalRegion::Absent, cloud };
    lambda::serve(&table, Measured::All, mainsheet_infrastructure::router(state)).await
}
