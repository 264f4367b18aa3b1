//! `GET /me/jobs/runs`: the runs of all jobs that the caller reaches through teams.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Member, Query, Result};
use mainsheet_auth::Relation;
use mainsheet_core::job::Job;
use mainsheet_store::KeptBy;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::reaches;
use crate::view::{JobRunView, total_of};

/// Some of the runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyJobRunPage {
    /// How many there are in all; absent where the list goes on after this answer or began before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    items: Vec<JobRunView>,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// List my runs
///
/// Newest first, of every job that is shared with one of the caller's teams.
#[utoipa::path(
    get, path = "/me/jobs/runs", operation_id = "listMyJobRuns", tag = "job-runs",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the runs.", body = MyJobRunPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MyJobRunPage>> {
    let request = query.request();
    let mine = |job: &Job| reaches(&caller, Relation::CanViewJobs, &job.team_ids);
    let page = app.store.runs_where(caller.tenant(), &request, KeptBy::Member(caller.member_id()), mine).await?;
    let total = total_of(&page, &request, None);
    let items = page.rows.iter().map(|row| JobRunView::from(&row.value)).collect();
    Ok(Json(MyJobRunPage { total, items, marker: page.marker }))
}
