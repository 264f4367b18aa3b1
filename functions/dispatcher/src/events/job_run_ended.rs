//! A run ended: those that waited for it are looked at again. They are the runs that take its place, and those of jobs that depend
//! on its job. When the job is given another key, its runs are what is waited for under that one.

use mainsheet_core::{Error, JobId, Result};
use mainsheet_store::{PageRequest, Store, Tenant};

use super::job_run_pending;

/// Runs that are read at once.
const AT_ONCE: u32 = 100;

/// The run itself may be gone by now, and those that waited for it are there all the same.
pub(crate) async fn handle(store: &Store, tenant: &Tenant, job: &JobId) -> Result<()> {
    let job = match store.job(tenant, job).await {
        Ok(row) => row.value,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    release_replacing(store, tenant, &job.id).await?;
    release_dependent(store, tenant, &job.job_key).await
}

/// Runs that wait for the end of other runs of their own job.
async fn release_replacing(store: &Store, tenant: &Tenant, job: &JobId) -> Result<()> {
    let mut request = PageRequest { limit: AT_ONCE, ..PageRequest::default() };
    loop {
        let page = store.live_runs(tenant, job, &request).await?;
        for row in page.rows.iter().filter(|row| row.value.replaces()) {
            job_run_pending::handle(store, tenant, job, &row.value.id).await?;
        }
        request.marker = page.marker;
        if request.marker.is_none() {
            return Ok(());
        }
    }
}

/// Runs that wait for the success of a job.
async fn release_dependent(store: &Store, tenant: &Tenant, job_key: &str) -> Result<()> {
    let mut request = PageRequest { limit: AT_ONCE, ..PageRequest::default() };
    loop {
        let page = store.waiting_runs(tenant, job_key, &request).await?;
        for waiting in &page.rows {
            job_run_pending::handle(store, tenant, &waiting.job_id, &waiting.job_run_id).await?;
        }
        request.marker = page.marker;
        if request.marker.is_none() {
            return Ok(());
        }
    }
}
