//! The Lambda function behind `/org/*`. It signs the links of invitations, and it alone checkpoints of audit logs.

use std::sync::Arc;

use lambda_http::Error;
use mainsheet_api::App;
use mainsheet_api::lambda::{self, Measured};
use mainsheet_auth::keys::{KeyRing, Purpose, SigningKey};
use mainsheet_cloud::aws;
use mainsheet_cloud::breached::breached_passwords;
use mainsheet_cloud::guarded_http::{GuardedHttp, Reach};
use mainsheet_organization::OrganizationState;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws::config().await;
    let secret = aws::secret(&config, "MAINSHEET_MAIL_LINK_KEY_SECRET").await?;
    let key = SigningKey::derive(&secret, Purpose::MailLink)?;
    let audit_key = SigningKey::derive(&aws::secret(&config, "MAINSHEET_AUDIT_KEY_SECRET").await?, Purpose::Audit)?;
    let store = aws::store(&config)?;
    key.publish(&store).await?;
    audit_key.publish(&store).await?;
    let http = GuardedHttp::new(Reach::Internet)?;
    let breached = breached_passwords(http, aws::optional("MAINSHEET_BREACHED_PASSWORDS_URL").as_deref())?;
    let app = App::new(store.clone()).with_breached_passwords(breached);
    // Read during INIT, which also opens the connection to the table.
    app.warm().await?;
    let table = store.clone();
    let public_url = aws::required("MAINSHEET_PUBLIC_URL")?;
    let state = OrganizationState::new(app, Arc::new(key), KeyRing::new(store, Purpose::MailLink), public_url);
    lambda::serve(&table, Measured::All, mainsheet_organization::router(state, Arc::new(audit_key))).await
}
