//! The table on Amazon DynamoDB.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use mainsheet_core::{Clock, Result};
use mainsheet_store::Store;

use crate::aws::required;

/// The table whose name is in `MAINSHEET_TABLE`.
///
/// # Errors
/// [`mainsheet_core::Error::Internal`] when it is not set.
pub fn store(config: &SdkConfig) -> Result<Store> {
    Ok(Store::new(Client::new(config), required("MAINSHEET_TABLE")?, Clock::system()))
}
