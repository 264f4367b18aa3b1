//! A job was deleted: its runs, versions and ledger go, in pieces that a message has time for. An agent that still executes
//! one is told to abandon it.

use mainsheet_core::{Error, JobId, Result};
use mainsheet_store::outbox::OutboxEvent;
use mainsheet_store::{PageRequest, Store, Tenant};

use crate::{audit, go_on};

/// Runs that one message removes.
const AT_ONCE: u32 = 100;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, event: &OutboxEvent, job: &JobId) -> Result<()> {
    let request = PageRequest { limit: AT_ONCE, ..PageRequest::default() };
    let page = store.job_runs(tenant, job, &request).await?;
    let mut is_last = page.marker.is_none();
    for row in &page.rows {
        let change = store.change(audit(tenant, "job_run.delete", &row.value.id));
        match change.erase_run(tenant, row).commit().await {
            Ok(()) => {}
            // It changed at the same moment: it comes again with the next piece.
            Err(Error::Conflict { .. }) => is_last = false,
            Err(error) => return Err(error),
        }
    }
    if is_last && store.erase_versions(tenant, job).await? && store.erase_ticks(tenant, job).await? {
        return Ok(());
    }
    go_on(store, tenant, event, "job.erase", job).await
}
