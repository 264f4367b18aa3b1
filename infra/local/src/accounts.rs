//! Customers' accounts, of which this machine has none.

use std::sync::Arc;

use async_trait::async_trait;
use mainsheet_cloud::account::{Access, CloudAccount, CloudAccounts, CloudError, CloudResult};

/// No account lets anybody in.
pub(crate) struct NoAccounts;

#[async_trait]
impl CloudAccounts for NoAccounts {
    async fn open(&self, access: &Access) -> CloudResult<Arc<dyn CloudAccount>> {
        let message = "the embedded platform reaches no account".to_owned();
        Err(CloudError::RoleNotAssumable { role_arn: access.role_arn.clone(), message })
    }
}
