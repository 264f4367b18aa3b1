//! `PUT /workloads/jobs/by-key/{jobKey}`: a job becomes what a file says, if it is anything else.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Query, Result, Tagged};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::job::{Job, Shared};
use mainsheet_core::query::SavedQuery;
use mainsheet_core::{Error, TeamId};
use mainsheet_store::dependencies::Dependencies;
use mainsheet_store::{Change, Row, retry_races_from};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::create::{JobCreate, prepare};
use crate::access::KeyedJob;
use crate::sharing::{require_added, require_team_left};
use crate::versions::{
    VersionSettings, check_rules, check_targets, query_left, require_cluster, require_named, require_no_draft,
};
use crate::view::JobView;

/// New teams and dependencies together, each of which is one of the 100 actions that a transaction takes. The rest are 22 at most: the
/// job, its row in the list, two entries of its ledger (ticks that are owed, and a pause), the version, the query that it ran and the
/// one that it runs, the count of lines between jobs, 10 catalogs and a default one besides, the cluster, the audit record, and the
/// event of an emergency. Two are to spare.
const MAX_CHECKED: usize = 76;

/// The parameters of the path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyPath {
    job_key: String,
}

/// Whether to look only.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ApplyQuery {
    /// `true` answers what would change, and changes nothing.
    #[serde(default)]
    #[garde(skip)]
    #[param(default = false)]
    dry_run: bool,
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobAction {
    /// There was none with this key.
    Created,
    /// A new version is in force.
    Published,
    /// Something beside its version is different: description, status or teams.
    Updated,
    /// It was what the file says.
    Unchanged,
}

/// A field that is different.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldChange {
    /// Its path, as in `config.sql.source`.
    field: String,
    /// What it was; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// What it is; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

/// What became of a job, or would.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobApplied {
    action: JobAction,
    /// Nothing was changed: somebody only looked.
    dry_run: bool,
    /// What is different from what was there, by the fields' names; empty for a job that is new.
    changes: Vec<FieldChange>,
    /// The job, as it is or would be. The id of one that would be created is not its id later.
    job: JobView,
}

/// What to do to a job.
struct Plan {
    action: JobAction,
    /// The teams as the file names them.
    named: Vec<TeamId>,
    changes: Vec<FieldChange>,
    job: Job,
    /// The saved query that a version which is new runs.
    query: Option<SavedQuery>,
    dependencies: Dependencies,
}

/// Apply a job file
///
/// Creates the job, or publishes a new version if something in it is different, or changes what is beside its version. Sending
/// the same file again changes nothing. What the file leaves out has its default.
#[utoipa::path(
    put, path = "/workloads/jobs/by-key/{jobKey}", operation_id = "applyJob", tag = "jobs",
    params(("jobKey" = String, Path, description = "The job's key, as the file has it."), ApplyQuery, ("If-Match" = Option<String>, Header, description = "The job's version to change.")),
    request_body = JobCreate,
    responses(
        (status = 200, description = "What became of the job, or would.", body = JobApplied, headers(("ETag" = String, description = "The job's version."))),
        (status = 201, description = "There was no job with this key: it was created.", body = JobApplied, headers(("ETag" = String, description = "The job's version."))),
    ),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn apply(
    State(app): State<App>,
    found: KeyedJob,
    Path(KeyPath { job_key }): Path<KeyPath>,
    Query(query): Query<ApplyQuery>,
    if_match: IfMatch,
    Body(file): Body<JobCreate>,
) -> Result<(StatusCode, Tagged<JobApplied>)> {
    if file.job_key != job_key {
        let message = "`jobKey` is another job than the one in the path.";
        return Err(Error::malformed("contradictory_keys", message).into());
    }
    // A tick of the job may be decided, or something else of it changed, at the same moment: then the job is read again.
    let once = |row| apply_once(&app, &found.caller, row, &file, &if_match, query.dry_run);
    Ok(retry_races_from(found.row.clone(), || found.read_again(&app, &job_key), once).await?)
}

async fn apply_once(
    app: &App,
    caller: &Caller,
    row: Option<Row<Job>>,
    file: &JobCreate,
    if_match: &IfMatch,
    dry_run: bool,
) -> mainsheet_core::Result<(StatusCode, Tagged<JobApplied>)> {
    if_match.check_if_there(row.as_ref().map(|row| row.version)).map_err(|problem| problem.0)?;
    let plan = match &row {
        None => plan_new(app, caller, file.clone()).await?,
        Some(row) => plan_change(app, caller, row, file.clone()).await?,
    };
    let now = app.now();
    let writes = !dry_run && plan.action != JobAction::Unchanged;
    if writes {
        carry_out(app, caller, row.as_ref(), &plan).await?;
    } else if dry_run {
        let before = row.as_ref().map(|row| &row.value);
        let look = app.store.conditions().require_query(caller.tenant(), before, &plan.job);
        required(look, caller, row.as_ref(), &plan).commit().await?;
    }
    let version = row.as_ref().map_or(0, |row| row.version) + u64::from(writes);
    let job = JobView::after(row.as_ref(), &plan.job, now)?;
    let body = JobApplied { action: plan.action, dry_run, changes: plan.changes, job };
    let is_new = writes && plan.action == JobAction::Created;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Tagged { body, version }))
}

async fn plan_new(app: &App, caller: &Caller, file: JobCreate) -> mainsheet_core::Result<Plan> {
    caller.require_in_all(Relation::CanManageJobs, &file.team_ids)?;
    let named = file.team_ids.clone();
    let (job, query) = prepare(app, caller, file).await?;
    let dependencies = app.store.dependencies(caller.tenant(), None, &job).await?;
    Ok(Plan { action: JobAction::Created, named, changes: Vec::new(), job, query, dependencies })
}

async fn plan_change(app: &App, caller: &Caller, row: &Row<Job>, file: JobCreate) -> mainsheet_core::Result<Plan> {
    let before = &row.value;
    let named = file.team_ids.clone();
    let (settings, own) = file.into_parts();
    let now = app.now();
    let described = VersionSettings { description: before.description.clone(), ..settings.clone() };
    let publishes = described != VersionSettings::in_force(before);
    let mut job = before.clone();
    job.description = settings.description.clone();
    let mut query = None;
    if publishes {
        let version = settings.published(before.next_version(), Some(before.current.number), caller.member_id(), now);
        check_rules(&before.job_key, &version)?;
        require_no_draft(before)?;
        query = check_targets(app, caller, before, &version).await?;
        job = before.published(version);
    }
    let added: Vec<_> = own.team_ids.iter().filter(|team| !before.team_ids.contains(team)).cloned().collect();
    caller.require_in_all(Relation::CanManageJobs, &added)?;
    if added.len() + job.current.depends_on.len() > MAX_CHECKED {
        let message = "adds more teams at once than go with that many jobs in `dependsOn`; add some of them first";
        return Err(Error::invalid("teamIds", message));
    }
    // Those that are added have to be there; of those that were named before, some may be gone.
    if added.is_empty() && before.team_ids.iter().any(|team| !own.team_ids.contains(team)) {
        require_team_left(app, caller, &own.team_ids).await?;
    }
    let since = Shared { created_at: now, created_by: caller.member_id().clone() };
    job.shared.retain(|team, _| own.team_ids.contains(team));
    job.shared.extend(added.into_iter().map(|team| (team, since.clone())));
    // The order of teams means nothing.
    if job.team_ids.len() != own.team_ids.len() || own.team_ids.iter().any(|team| !job.team_ids.contains(team)) {
        job.team_ids = own.team_ids;
    }
    job.status = own.status;
    let mut changes = Vec::new();
    compare(String::new(), Some(&as_json(before)?), Some(&as_json(&job)?), &mut changes);
    let action = match (publishes, changes.is_empty()) {
        (true, _) => JobAction::Published,
        (false, false) => JobAction::Updated,
        (false, true) => JobAction::Unchanged,
    };
    if action == JobAction::Updated {
        job.updated_at = now;
        job.updated_by = caller.member_id().clone();
    }
    let dependencies = app.store.dependencies(caller.tenant(), Some(before), &job).await?;
    Ok(Plan { action, named, changes, job, query, dependencies })
}

/// What the transaction sees to beside the job itself: whatever the file names has to be there and usable.
fn required<'s>(change: Change<'s>, caller: &Caller, row: Option<&Row<Job>>, plan: &Plan) -> Change<'s> {
    let job = &plan.job;
    let before = row.map_or(&[][..], |row| &row.value.team_ids);
    let added: Vec<_> = job.team_ids.iter().filter(|team| !before.contains(team)).cloned().collect();
    let change = match plan.action {
        JobAction::Created | JobAction::Published => {
            require_named(change, caller, job, &job.current, plan.query.as_ref())
        }
        JobAction::Updated | JobAction::Unchanged => change,
    };
    match row {
        Some(row) => {
            let change = require_cluster(change, caller, &row.value, job);
            require_added(change, caller, &plan.named, &added)
        }
        // Cluster and teams of a job that is new were read.
        None => change,
    }
}

async fn carry_out(app: &App, caller: &Caller, row: Option<&Row<Job>>, plan: &Plan) -> mainsheet_core::Result<()> {
    let (tenant, job) = (caller.tenant(), &plan.job);
    let Some(row) = row else {
        let change = app.store.change(caller.audit("job.create", &job.id));
        let change = required(change, caller, None, plan).create_job(tenant, job);
        return change.depend(tenant, &plan.dependencies).commit().await;
    };
    let change = app.store.change(caller.audit("job.apply", &job.id));
    let change = if plan.action == JobAction::Published {
        let left = query_left(app, caller, &row.value, &job.current).await?;
        change.publish_version(tenant, row, job, left.as_ref()).depend(tenant, &plan.dependencies)
    } else {
        change.replace_job(tenant, row, job)
    };
    required(change, caller, Some(row), plan).commit().await
}

fn as_json(job: &Job) -> mainsheet_core::Result<Value> {
    serde_json::to_value(JobCreate::from(job)).map_err(Error::internal)
}

/// The fields in which two values differ, down to what is no object.
fn compare(field: String, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) else {
        changes.push(FieldChange { field, before: before.cloned(), after: after.cloned() });
        return;
    };
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let path = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
        compare(path, old.get(name), new.get(name), changes);
    }
}
