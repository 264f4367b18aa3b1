//! `POST /workloads/jobs`: a job with its first published version.

use axum::extract::State;
use axum::http::StatusCode;
use croner::parser::{CronParser, Seconds, Year};
use garde::Validate;
use mainsheet_api::{App, Command, Member, Result, Tagged, created, text};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::cluster::ClusterStatus;
use mainsheet_core::job::{
    ConcurrencyPolicy, DEFAULT_TIMEOUT_SECONDS, Job, JobConfig, JobDependency, JobStatus, JobVersion,
    MissedSchedulePolicy, Schedule, SourceConfig,
};
use mainsheet_core::{ClusterId, FieldErrors, JobId, TeamId};
use mainsheet_store::clusters::{cluster_unusable, pulse};
use mainsheet_store::jobs::JobPrerequisites;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::routes::queries::create::distinct;
use crate::view::JobView;

/// The longest configuration, in bytes of JSON: a job with its version in force is one item of the table.
const MAX_CONFIG_BYTES: usize = 80 * 1024;

/// A new job.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobCreate {
    /// Lower-case letters, digits, `-` and `_`, beginning and ending with a letter or digit; unique in the organization.
    #[garde(length(chars, min = 1, max = 255), pattern("^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$"))]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = "^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$",
        examples("daily-sales-etl")
    )]
    job_key: String,
    /// Whether its schedule counts.
    #[serde(default)]
    #[garde(skip)]
    status: JobStatus,
    /// Where it runs.
    #[garde(skip)]
    cluster_id: ClusterId,
    /// What it is for.
    #[garde(inner(length(chars, max = 1023)), custom(text::optional_lines))]
    #[schema(max_length = 1023)]
    description: Option<String>,
    /// What runs, and with what.
    #[garde(dive)]
    config: JobConfig,
    /// Seconds that a run may take; 0 means no limit.
    #[garde(inner(range(max = i32::MAX as u32)))]
    #[schema(default = 86400, minimum = 0, maximum = 2_147_483_647)]
    timeout_seconds: Option<u32>,
    /// Where its source came from.
    #[garde(dive)]
    source_config: Option<SourceConfig>,
    /// Jobs that have to succeed before a scheduled run of this one.
    #[serde(default)]
    #[garde(length(max = 50), dive)]
    #[schema(max_items = 50)]
    depends_on: Vec<JobDependency>,
    /// The teams to share it with.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_items = 1, max_items = 50)]
    team_ids: Vec<TeamId>,
    /// Five fields; empty or absent means only when asked for.
    #[garde(inner(length(chars, max = 100)))]
    #[schema(max_length = 100, examples("0 2 * * *"))]
    cron_expression: Option<String>,
    /// IANA time zone of the expression.
    #[garde(inner(length(chars, min = 1, max = 64)))]
    #[schema(default = "UTC", min_length = 1, max_length = 64, examples("America/New_York"))]
    cron_timezone: Option<String>,
    /// What a tick does while a run has not ended.
    #[serde(default)]
    #[garde(skip)]
    concurrency_policy: ConcurrencyPolicy,
    /// Runs at once under `allow`.
    #[garde(inner(range(min = 1, max = 1000)))]
    #[schema(default = 1, minimum = 1, maximum = 1000)]
    max_concurrent_runs: Option<u32>,
    /// What happens to ticks that passed while nobody could act on them.
    #[serde(default)]
    #[garde(skip)]
    missed_schedule_policy: MissedSchedulePolicy,
}

/// Create a job
///
/// Publishes version 1 at once. The cluster has to be active and shared with one of the job's teams, unless the caller may
/// manage clusters. The caller needs `CanManageJobs` over every team.
#[utoipa::path(
    post, path = "/workloads/jobs", operation_id = "createJob", tag = "jobs",
    request_body = JobCreate,
    responses((status = 201, description = "The new job.", body = JobView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanManageJobs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    Member(caller): Member,
    Command { body, idempotent }: Command<JobCreate>,
) -> Result<(StatusCode, Tagged<JobView>)> {
    if let Some(earlier) = idempotent.earlier::<JobId>()? {
        let row = app.store.job(caller.tenant(), &earlier).await?;
        caller.require_in_any(Relation::CanViewJobs, Relation::CanViewJobs, &row.value.team_ids)?;
        return Ok(created(JobView::from(&row.value), row.version));
    }
    caller.require_in_all(Relation::CanManageJobs, &body.team_ids)?;
    check_rules(&body)?;
    let change = app.store.change(caller.audit("job.create", &body.job_key));
    let job = new_job(&caller, body, change.now());
    let query = job.query_id();
    let found = app.store.job_prerequisites(caller.tenant(), &job.current.cluster_id, &job.team_ids, query).await?;
    check_prerequisites(&app, &caller, &job, &found)?;
    change
        .require_job_keys(caller.tenant(), job.current.depends_on.iter().map(|dependency| dependency.job_key.as_str()))
        .require_catalogs(
            caller.tenant(),
            &job.current.config,
            found.query.as_ref().map(|row| &row.value),
            &job.team_ids,
        )
        .create_job(caller.tenant(), &job)
        .idempotent(idempotent.request(), job.id.as_str())
        .commit()
        .await?;
    Ok(created(JobView::from(&job), 1))
}

/// The rules that concern more than one field.
fn check_rules(body: &JobCreate) -> Result<()> {
    let mut errors = FieldErrors::default();
    match (&body.config.sql, &body.config.python) {
        (Some(sql), None) if sql.source.is_some() == sql.query_id.is_some() => {
            errors.add("config.sql", "needs exactly one of `source` and `queryId`");
        }
        (None, Some(python)) => {
            let is_wheel = python.source.ends_with(".whl") && !python.source.contains('\n');
            if !is_wheel && (python.package_name.is_some() || python.entry_point.is_some()) {
                errors.add(
                    "config.python",
                    "takes `packageName` and `entryPoint` only with the URI of a wheel as `source`",
                );
            }
        }
        (Some(_), None) => {}
        _ => errors.add("config", "needs exactly one of `sql` and `python`"),
    }
    if let Some(expression) = body.cron_expression.as_deref().filter(|text| !text.trim().is_empty())
        && let Err(error) = cron_parser().parse(expression)
    {
        errors.add("cronExpression", error.to_string());
    }
    if let Some(zone) = &body.cron_timezone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        errors.add("cronTimezone", "is no time zone of the IANA database");
    }
    for (index, dependency) in body.depends_on.iter().enumerate() {
        let field = format!("dependsOn[{index}].jobKey");
        if dependency.job_key == body.job_key {
            errors.add(field, "is the job itself");
        } else if body.depends_on[..index].contains(dependency) {
            errors.add(field, "is named twice");
        }
    }
    if serde_json::to_vec(&body.config).map_or(usize::MAX, |text| text.len()) > MAX_CONFIG_BYTES {
        errors.add("config", "must not be longer than 80 KiB as JSON; keep large sources in a file and give its URI");
    }
    Ok(errors.into_result()?)
}

/// Five fields, and the `@daily` kin.
fn cron_parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

fn new_job(caller: &Caller, body: JobCreate, now: mainsheet_core::Timestamp) -> Job {
    let member = caller.member_id();
    let schedule = Schedule {
        cron_expression: body.cron_expression.filter(|text| !text.trim().is_empty()),
        cron_timezone: body.cron_timezone.unwrap_or_else(|| "UTC".to_owned()),
        concurrency_policy: body.concurrency_policy,
        max_concurrent_runs: body.max_concurrent_runs.unwrap_or(1),
        missed_schedule_policy: body.missed_schedule_policy,
    };
    let version = JobVersion {
        number: 1,
        based_on: None,
        cluster_id: body.cluster_id,
        config: body.config,
        timeout_seconds: body.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
        source_config: body.source_config,
        depends_on: body.depends_on,
        schedule,
        created_at: now,
        created_by: member.clone(),
    };
    Job {
        id: JobId::generate(now),
        job_key: body.job_key,
        status: body.status,
        description: body.description,
        team_ids: distinct(body.team_ids),
        current: version,
        created_at: now,
        created_by: member.clone(),
        updated_at: now,
        updated_by: member.clone(),
    }
}

/// What the job points at has to be there and to be the caller's to use.
fn check_prerequisites(app: &App, caller: &Caller, job: &Job, found: &JobPrerequisites) -> Result<()> {
    let mut errors = FieldErrors::default();
    for (index, team) in job.team_ids.iter().enumerate() {
        if !found.teams.contains_key(team) {
            errors.add(format!("teamIds[{index}]"), "is no team of this organization");
        }
    }
    let query = found.query.as_ref();
    let sees_query = query.is_some_and(|row| caller.may_in_any(Relation::CanViewQueries, &row.value.team_ids));
    if job.query_id().is_some() && !sees_query {
        errors.add("config.sql.queryId", "is no saved query that you can see");
    }
    let Some(cluster) = &found.cluster else {
        errors.add("clusterId", "is no cluster of this organization");
        return Ok(errors.into_result()?);
    };
    errors.into_result()?;
    let shared = job.team_ids.iter().any(|team| cluster.value.teams.contains_key(team));
    let active = pulse(cluster).status(app.now()) == ClusterStatus::Active;
    if active && (shared || caller.may(Relation::CanManageClusters)) { Ok(()) } else { Err(cluster_unusable().into()) }
}
