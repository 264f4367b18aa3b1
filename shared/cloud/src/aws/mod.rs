//! Adapters for AWS. One configuration per process; clients are made during INIT.

#[cfg(feature = "aws-accounts")]
mod account;
mod mailer;
mod meter;
mod queues;
mod secrets;
mod settings;
mod table;
mod workflows;

use aws_config::{BehaviorVersion, SdkConfig};

#[cfg(feature = "aws-accounts")]
pub use account::AwsAccounts;
pub use mailer::SesMailer;
pub use meter::EmbeddedMetrics;
pub use queues::SqsQueues;
pub use secrets::{SecretBefore, secret, secret_before};
pub use settings::{list, optional, required};
pub use table::store;
pub use workflows::StepFunctions;

/// The configuration of this process: region, credentials and endpoints from its environment.
pub async fn config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}
