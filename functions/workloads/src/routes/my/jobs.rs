//! `GET /me/jobs`: the jobs that the caller reaches through teams.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Member, Query, Result};
use mainsheet_auth::Relation;
use mainsheet_core::TeamId;
use mainsheet_store::KeptBy;
use mainsheet_store::job_list::JobOrder;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{FEW, reaches};
use crate::view::{JobPage, total_of};

/// What jobs can be sorted by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SortBy {
    /// Their keys.
    JobKey,
    /// When they were created.
    CreatedAt,
    /// When they were run last; when they were created, for those that never were.
    #[default]
    LastRunAt,
}

/// The order of the list.
pub(crate) type Order = mainsheet_api::Order<SortBy>;

/// List my jobs
///
/// Those that are shared with one of the caller's teams, each with its latest run.
#[utoipa::path(
    get, path = "/me/jobs", operation_id = "listMyJobs", tag = "jobs",
    params(ListQuery, Order),
    responses((status = 200, description = "Some of the jobs.", body = JobPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(query): Query<ListQuery>,
    Query(order): Query<Order>,
) -> Result<Json<JobPage>> {
    let request = query.request()?;
    let by = match order.sort_by {
        SortBy::JobKey => JobOrder::Key,
        SortBy::CreatedAt => JobOrder::Creation,
        SortBy::LastRunAt => JobOrder::LatestRun,
    };
    let mine = |teams: &[TeamId]| reaches(&caller, Relation::CanViewJobs, teams);
    let one_in = if caller.sits_in_all() { 1 } else { FEW };
    let order = (by, order.is_descending());
    let kept_by = KeptBy::Member(caller.member_id());
    let page = app.store.jobs_shared(caller.tenant(), order, &request, one_in, kept_by, mine).await?;
    let links = app.store.links_of_jobs(caller.tenant(), &page.rows).await?;
    let total = total_of(&page, &request, caller.sits_in_all().then_some(links.total));
    Ok(Json(JobPage::of(page, links, total)))
}
