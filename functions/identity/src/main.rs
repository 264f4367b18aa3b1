//! The Lambda function behind `/auth/*`, `/me` and what is below it but clusters. It alone can sign access tokens.

use std::sync::Arc;

use lambda_http::Error;
use mainsheet_api::App;
use mainsheet_api::lambda::{self, Measured};
use mainsheet_auth::keys::{KeyRing, Purpose, SigningKey};
use mainsheet_auth::login_code::LoginCodeKey;
use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::aws;
use mainsheet_cloud::breached::breached_passwords;
use mainsheet_cloud::guarded_http::{GuardedHttp, Reach};
use mainsheet_identity::{IdentityState, SingleSignOn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws::config().await;
    let secret = aws::secret(&config, "MAINSHEET_ACCESS_KEY_SECRET").await?;
    let key = SigningKey::derive(&secret, Purpose::Access)?;
    let store = aws::store(&config)?;
    key.publish(&store).await?;
    let http = GuardedHttp::new(Reach::Internet)?;
    let breached = breached_passwords(http.clone(), aws::optional("MAINSHEET_BREACHED_PASSWORDS_URL").as_deref())?;
    let app = App::new(store.clone()).with_breached_passwords(breached);
    app.warm().await?;
    let table = store.clone();
    let login_codes = LoginCodeKey::derive(&aws::secret(&config, "MAINSHEET_MAIL_LINK_KEY_SECRET").await?)?;
    let login_codes = match aws::secret_before(&config, "MAINSHEET_MAIL_LINK_KEY_SECRET").await? {
        Some(before) => login_codes.with_before(&before.text, before.changed_at)?,
        None => login_codes,
    };
    let sealing_secret = aws::secret(&config, "MAINSHEET_SEALING_KEY_SECRET").await?;
    let sso = SingleSignOn {
        http,
        sealer: Arc::new(Sealer::derive(&sealing_secret)?),
        public_url: aws::required("MAINSHEET_PUBLIC_URL")?,
        redirect_uris: aws::list("MAINSHEET_REDIRECT_URIS"),
    };
    let mail_links = KeyRing::new(store, Purpose::MailLink);
    let state = IdentityState::new(app, Arc::new(key), mail_links, Arc::new(login_codes), sso);
    lambda::serve(&table, Measured::All, mainsheet_identity::router(state)).await
}
