//! A run is pending: it becomes ready unless it is held.

use mainsheet_core::job_run::{JobRun, RunEvent, RunStatus};
use mainsheet_core::{Error, JobId, JobRunId, Result};
use mainsheet_store::{Row, Store, Tenant, retry_races};

use crate::audit;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<()> {
    retry_races(|| release(store, tenant, job, run)).await
}

async fn release(store: &Store, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<()> {
    let row = match store.job_run(tenant, job, run).await {
        Ok(row) => row,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    if row.value.status != RunStatus::Pending || row.value.hold {
        return Ok(());
    }
    let change = store.change(audit(tenant, "job_run.release", run));
    let mut ready = row.value.clone();
    ready.apply(RunEvent::Release, change.now()).map_err(Error::internal)?;
    let released = change.require_cluster(tenant, &ready.cluster_id).replace_run(tenant, &row, &ready).commit().await;
    match released {
        Err(Error::NotFound) => cancel(store, tenant, &row).await,
        released => released,
    }
}

/// No agent will ever ask for a run of a cluster that is gone.
async fn cancel(store: &Store, tenant: &Tenant, row: &Row<JobRun>) -> Result<()> {
    let change = store.change(audit(tenant, "job_run.cancel", &row.value.id));
    let mut run = row.value.clone();
    run.apply(RunEvent::Cancel, change.now()).map_err(Error::internal)?;
    run.status_message = Some("Its cluster was retired.".to_owned());
    change.replace_run(tenant, row, &run).commit().await
}
