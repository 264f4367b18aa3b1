//! The Lambda function behind `/workloads/clusters*` and `/me/clusters*`.

use lambda_http::Error;
use mainsheet_api::{App, lambda};
use mainsheet_cloud::aws;
use mainsheet_infrastructure::{InfrastructureState, LocalRegion};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app = App::new(aws::store(&aws::config().await)?);
    // Read during INIT, which also opens the connection to the table.
    app.warm().await?;
    let clock = app.store.clock().clone();
    let state = InfrastructureState { app, local_region: LocalRegion::Absent };
    lambda::serve(&clock, mainsheet_infrastructure::router(state)).await
}
