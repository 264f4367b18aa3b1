//! A cluster was retired: runs that came at the same moment end.

use mainsheet_core::job_run::RunEvent;
use mainsheet_core::{ClusterId, Error, Result};
use mainsheet_store::clusters::InboxEntry;
use mainsheet_store::{Store, Tenant, retry_races};

use crate::audit;

/// Looks into the inbox before it gives up and is called again: each takes up to 100 runs.
const MAX_LOOKS: usize = 100;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, cluster: &ClusterId) -> Result<()> {
    for _ in 0..MAX_LOOKS {
        let inbox = store.inbox(tenant, cluster).await?;
        if inbox.is_empty() {
            return Ok(());
        }
        for entry in &inbox {
            retry_races(|| end(store, tenant, entry)).await?;
        }
    }
    Err(Error::unavailable(format!("the inbox of the retired cluster {cluster} does not empty")))
}

async fn end(store: &Store, tenant: &Tenant, entry: &InboxEntry) -> Result<()> {
    let row = match store.job_run(tenant, &entry.job_id, &entry.job_run_id).await {
        Ok(row) => row,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    if row.value.status.is_terminal() {
        return Ok(());
    }
    let change = store.change(audit(tenant, "job_run.cancel", &row.value.id));
    let mut run = row.value.clone();
    run.apply(RunEvent::Cancel, change.now()).map_err(Error::internal)?;
    run.status_message = Some("Its cluster was retired.".to_owned());
    match change.replace_run(tenant, &row, &run).commit().await {
        // Its job is gone as well, and it goes with it.
        Err(Error::NotFound) => Ok(()),
        ended => ended,
    }
}
