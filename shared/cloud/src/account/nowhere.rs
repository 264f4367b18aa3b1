//! No accounts.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Access, CloudAccount, CloudAccounts, CloudError, CloudResult};

/// No account can be reached, and whoever tries is told so: what a deployment has as long as there is no adapter for AWS.
#[derive(Debug, Clone, Copy)]
pub struct NoAccounts;

#[async_trait]
impl CloudAccounts for NoAccounts {
    async fn open(&self, _: &Access) -> CloudResult<Arc<dyn CloudAccount>> {
        Err(CloudError::Unavailable { message: "this deployment cannot enter accounts yet".to_owned() })
    }
}
