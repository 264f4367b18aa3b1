//! The Lambda function behind `/org/*`. It alone can sign checkpoints of audit logs.

use std::sync::Arc;

use lambda_http::Error;
use mainsheet_api::{App, lambda};
use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_cloud::aws;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws::config().await;
    let secret = aws::secret(&config, "MAINSHEET_AUDIT_KEY_SECRET").await?;
    let audit_key = SigningKey::derive(&secret, Purpose::Audit)?;
    let app = App::new(aws::store(&config)?);
    audit_key.publish(&app.store).await?;
    // Read during INIT, which also opens the connection to the table.
    app.access_keys.warm().await?;
    let clock = app.store.clock().clone();
    lambda::serve(&clock, mainsheet_organization::router(app, Arc::new(audit_key))).await
}
