//! `GET /workloads/clusters/{cluster}/jobs`: the jobs whose version in force runs on a cluster.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_core::ClusterId;
use mainsheet_core::job::Job;
use mainsheet_store::KeptBy;

use crate::view::{JobPage, total_of};

/// List the jobs of a cluster
///
/// Those whose version in force runs there, oldest first, each with its latest run.
#[utoipa::path(
    get, path = "/workloads/clusters/{cluster}/jobs", operation_id = "listClusterJobs", tag = "jobs",
    params(("cluster" = ClusterId, Path, description = "The cluster."), ListQuery),
    responses((status = 200, description = "Some of the jobs.", body = JobPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewJobs>,
    Path(cluster): Path<ClusterId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<JobPage>> {
    let request = query.request()?;
    app.store.cluster(caller.tenant(), &cluster).await?;
    let there = |job: &Job| job.current.cluster_id == cluster;
    let page = app.store.jobs_where(caller.tenant(), &request, KeptBy::Cluster(&cluster), there).await?;
    let links = app.store.links_of_jobs(caller.tenant(), &page.rows).await?;
    let total = total_of(&page, &request, None);
    Ok(Json(JobPage::of(page, links, total)))
}
