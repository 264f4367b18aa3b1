//! The Lambda function behind `/agent/*`.

use lambda_http::Error;
use mainsheet_agents::{Waiting, router_with};
use mainsheet_api::{App, lambda};
use mainsheet_cloud::aws;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app = App::new(aws::store(&aws::config().await)?);
    // Read during INIT, which also opens the connection to the table.
    app.access_keys.warm().await?;
    let clock = app.store.clock().clone();
    lambda::serve(&clock, router_with(app, Waiting::Polled)).await
}
