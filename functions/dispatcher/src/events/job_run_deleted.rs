//! A run was deleted: its log and preview go, in pieces that a message has time for.

use mainsheet_core::{JobRunId, Result};
use mainsheet_store::outbox::OutboxEvent;
use mainsheet_store::{Store, Tenant};

use crate::go_on;

/// Transactions that one message has time for, each of which removes up to 40 rows.
const AT_ONCE: usize = 250;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, event: &OutboxEvent, run: &JobRunId) -> Result<()> {
    for _ in 0..AT_ONCE {
        if store.erase_remains(tenant, run).await? {
            return Ok(());
        }
    }
    go_on(store, tenant, event, "job_run.erase", run).await
}
