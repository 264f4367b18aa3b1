//! A run is pending: it becomes ready unless it is held, or waits for other jobs or for the end of the runs that it replaces. One that
//! somebody let go before those had ended still takes their place.

use mainsheet_core::job_run::{JobRun, RunEvent, RunStatus, RunTrigger, Waiting};
use mainsheet_core::{Error, JobId, JobRunId, Result};
use mainsheet_store::{PageRequest, Row, Store, Tenant, retry_races};

use crate::audit;

/// Runs that are read at once.
const AT_ONCE: u32 = 100;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<()> {
    retry_races(|| release(store, tenant, job, run)).await
}

async fn release(store: &Store, tenant: &Tenant, job: &JobId, run: &JobRunId) -> Result<()> {
    let Some(mut row) = found(store.job_run(tenant, job, run).await)? else { return Ok(()) };
    if row.value.status.is_terminal() || row.value.hold {
        return Ok(());
    }
    let has_room = !row.value.replaces() || replace_older(store, tenant, &mut row).await?;
    if row.value.status != RunStatus::Pending || !has_room {
        return Ok(());
    }
    let mut ready = row.value.clone();
    if let Some(waiting) = &row.value.waiting {
        match successes(store, tenant, &row.value, waiting).await? {
            Successes::Missing => return Ok(()),
            Successes::Before => {}
            Successes::Since => ready.trigger = RunTrigger::Dependency,
        }
    }
    let change = store.change(audit(tenant, "job_run.release", run));
    ready.apply(RunEvent::Release, change.now()).map_err(Error::internal)?;
    ready.end_replacing();
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
    // Its job may be gone as well, and it goes with it.
    found(change.replace_run(tenant, row, &run).commit().await).map(|_| ())
}

/// The successes that a run waits for.
enum Successes {
    /// Not all of them are there.
    Missing,
    /// All of them were there when it was created.
    Before,
    /// The last of them came since: it is what starts the run.
    Since,
}

async fn successes(store: &Store, tenant: &Tenant, run: &JobRun, waiting: &Waiting) -> Result<Successes> {
    let dependencies = store.awaited(tenant, waiting).await?;
    let ended: Option<Vec<_>> =
        dependencies.iter().map(|dependency| Some(dependency.success.as_ref()?.finished_at)).collect();
    Ok(match ended {
        None => Successes::Missing,
        Some(ended) if ended.iter().flatten().any(|end| *end > run.created_at) => Successes::Since,
        Some(_) => Successes::Before,
    })
}

/// Stops the job's older runs. True when none of them is left, and no newer run takes the place of all of them.
async fn replace_older(store: &Store, tenant: &Tenant, by: &mut Row<JobRun>) -> Result<bool> {
    let mut request = PageRequest { limit: AT_ONCE, ..PageRequest::default() };
    let mut has_room = true;
    loop {
        let page = store.live_runs(tenant, &by.value.job_id, &request).await?;
        for row in &page.rows {
            if row.value.id == by.value.id {
                continue;
            }
            if row.value.is_older_than(&by.value) {
                has_room &= stop(store, tenant, row, by).await?;
            } else if row.value.replaces() {
                return Ok(false);
            }
        }
        request.marker = page.marker;
        if request.marker.is_none() {
            return Ok(has_room);
        }
    }
}

/// Stops a run in favour of another one, and answers whether it has ended. The other one waits for what this one waited for.
async fn stop(store: &Store, tenant: &Tenant, row: &Row<JobRun>, by: &mut Row<JobRun>) -> Result<bool> {
    let change = store.change(audit(tenant, "job_run.cancel", &row.value.id));
    let now = change.now();
    let mut run = row.value.clone();
    run.replaced_by = Some(by.value.id.clone());
    run.updated_by = None;
    run.status_message = Some(format!("Replaced by run {} of a newer tick.", by.value.id));
    if run.status.is_active() {
        if row.value.cancel_requested_at.is_some() && row.value.replaced_by.is_some() {
            return Ok(false);
        }
        run.cancel_requested_at = run.cancel_requested_at.or(Some(now));
        run.updated_at = now;
        found(change.order_cancel(tenant, row, &run).commit().await)?;
        return Ok(false);
    }
    run.apply(RunEvent::Cancel, now).map_err(Error::internal)?;
    let change = change.replace_run(tenant, row, &run);
    let change = match store.tick_of(tenant, &run).await? {
        Some(tick) if run.attempt == 0 => change.replace_tick(tenant, &run.job_id, tick),
        _ => change,
    };
    let mut heir = by.value.clone();
    if !heir.inherit_wait(&row.value) {
        found(change.commit().await)?;
        return Ok(true);
    }
    if found(change.replace_run(tenant, by, &heir).commit().await)?.is_some() {
        by.value = heir;
        by.version += 1;
    }
    Ok(true)
}

/// What is there, or `None` where it is gone.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
