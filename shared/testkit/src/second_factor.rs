//! Second factors, as people have them in their pockets.

use mainsheet_auth::totp::Authenticator;
use serde_json::json;

use crate::app::TestApp;
use crate::client::Client;

/// An authenticator and recovery codes.
pub struct SecondFactor {
    authenticator: Authenticator,
    /// The codes that were shown once.
    pub recovery_codes: Vec<String>,
}

impl SecondFactor {
    /// Begins to set up an authenticator; it was not confirmed yet.
    pub async fn begin(client: &Client) -> Self {
        let started = client.act("/me/mfa/totp").await.expect(201);
        let authenticator = Authenticator::of_secret("somebody", &started.text("secret").into()).unwrap();
        Self { authenticator, recovery_codes: Vec::new() }
    }

    /// Sets up an authenticator, of which a mail tells.
    pub async fn set_up(app: &TestApp, client: &Client) -> Self {
        let begun = Self::begin(client).await;
        let body = json!({ "code": begun.code(app) });
        let confirmed = client.post("/me/mfa/totp/verify", body).await.expect(200).json();
        app.deliver().await;
        Self { recovery_codes: serde_json::from_value(confirmed["codes"].clone()).unwrap(), ..begun }
    }

    /// What the authenticator shows now.
    #[must_use]
    pub fn code(&self, app: &TestApp) -> String {
        self.authenticator.code_at(app.now())
    }
}
