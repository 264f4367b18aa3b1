//! A job was deleted: its runs, versions and ledger go. An agent that still executes one is told to abandon it.

use mainsheet_core::{Error, JobId, Result};
use mainsheet_store::{PageRequest, Store, Tenant};

use crate::audit;

/// Runs that are read at once.
const AT_ONCE: u32 = 50;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, job: &JobId) -> Result<()> {
    loop {
        let request = PageRequest { limit: AT_ONCE, ..PageRequest::default() };
        let page = store.job_runs(tenant, job, &request).await?;
        if page.rows.is_empty() {
            break;
        }
        for row in &page.rows {
            let change = store.change(audit(tenant, "job_run.delete", &row.value.id));
            match change.erase_run(tenant, row).commit().await {
                // It changed at the same moment: it comes again with the next page.
                Ok(()) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    while !store.erase_versions(tenant, job).await? {}
    while !store.erase_ticks(tenant, job).await? {}
    Ok(())
}
