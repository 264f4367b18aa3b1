//! The platform, before an account.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use mainsheet_cloud::account::{Access, CONNECTION_TAG, ClientToken, CloudAccount, CloudAccounts, Tags};
use mainsheet_cloud::aws::AwsAccounts;
use mainsheet_core::Timestamp;
use mainsheet_core::time::ManualClock;
use secrecy::SecretString;

use crate::answers;
use crate::endpoint::Endpoint;

/// When tests begin.
pub(crate) const START: &str = "2026-11-21T08:00:00.000Z";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/mainsheet-platform";

pub(crate) struct World {
    pub(crate) endpoint: Endpoint,
    pub(crate) accounts: AwsAccounts,
    pub(crate) clock: ManualClock,
}

impl World {
    /// The platform and an endpoint that lets it in.
    pub(crate) async fn new() -> Self {
        let endpoint = Endpoint::start().await;
        endpoint.on("sts:AssumeRole", answers::assumed());
        Self::before(endpoint)
    }

    /// The platform and an endpoint that says nothing yet.
    pub(crate) fn before(endpoint: Endpoint) -> Self {
        let clock = ManualClock::new(START.parse().unwrap());
        let accounts = AwsAccounts::new(&config(&endpoint.url), clock.clock());
        Self { endpoint, accounts, clock }
    }

    pub(crate) async fn enter(&self) -> Arc<dyn CloudAccount> {
        let account = self.accounts.open(&access()).await.unwrap();
        self.endpoint.calls();
        account
    }
}

/// The platform's own configuration. The SDK tries once: what it does about failures is its own to test.
pub(crate) fn config(url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIAPLATFORM", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(SdkRegion::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(url)
        .build()
}

pub(crate) fn access() -> Access {
    Access {
        role_arn: ROLE.parse().unwrap(),
        external_id: SecretString::from("5d0c6f7e-1f2b-4c3d-8e9f-0a1b2c3d4e5f"),
        region: "eu-central-1".parse().unwrap(),
        session_name: "mainsheet-O1".to_owned(),
    }
}

pub(crate) fn tags() -> Tags {
    [(CONNECTION_TAG, "C1"), ("Service", "mainsheet")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

pub(crate) fn token(text: &str) -> ClientToken {
    ClientToken::new(text)
}

pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}
