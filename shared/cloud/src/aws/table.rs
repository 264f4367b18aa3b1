//! The table on Amazon DynamoDB.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use mainsheet_core::{Clock, Result};
use mainsheet_store::Store;

use crate::aws::{EmbeddedMetrics, required};

/// The table whose name is in `MAINSHEET_TABLE`. What is measured of its changes goes where [`EmbeddedMetrics`] says.
///
/// # Errors
/// [`mainsheet_core::Error::Internal`] when a setting is missing.
pub fn store(config: &SdkConfig) -> Result<Store> {
    let store = Store::new(Client::new(config), required("MAINSHEET_TABLE")?, Clock::system());
    Ok(store.with_meter(Arc::new(EmbeddedMetrics::from_environment()?)))
}
