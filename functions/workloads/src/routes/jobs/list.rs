//! `GET /workloads/jobs`: all jobs of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewJobs;
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::{JobIncluded, JobItem};

/// Some of the jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// How many there are in all.
    total: u64,
    items: Vec<JobItem>,
    included: JobIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// List jobs
///
/// Oldest first, each with its latest run.
#[utoipa::path(
    get, path = "/workloads/jobs", operation_id = "listJobs", tag = "jobs",
    params(ListQuery),
    responses((status = 200, description = "Some of the jobs.", body = JobPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewJobs")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewJobs>,
    Query(query): Query<ListQuery>,
) -> Result<Json<JobPage>> {
    let page = app.store.jobs(caller.tenant(), &query.request()?).await?;
    let links = app.store.links_of_jobs(caller.tenant(), &page.rows).await?;
    let total = links.total;
    let items = page.rows.iter().map(JobItem::from).collect();
    Ok(Json(JobPage { total, items, included: JobIncluded::of(&page.rows, links), marker: page.marker }))
}
