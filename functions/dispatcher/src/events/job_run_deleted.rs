//! A run was deleted: its log and preview go.

use mainsheet_core::{JobRunId, Result};
use mainsheet_store::{Store, Tenant};

pub(crate) async fn handle(store: &Store, tenant: &Tenant, run: &JobRunId) -> Result<()> {
    while !store.erase_remains(tenant, run).await? {}
    Ok(())
}
