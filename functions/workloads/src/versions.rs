//! What a version of a job says, the rules that it has to keep, and what has to be there when it comes into force.

use garde::Validate;
use mainsheet_api::{App, text};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::job::{
    ConcurrencyPolicy, EbsConfig, EngineConfig, ExecutionMode, Job, JobConfig, JobDependency, JobVersion, Library,
    MissedSchedulePolicy, PythonSource, READABLE_SCHEMES, Requirements, Schedule, SourceConfig, scheme_of,
};
use mainsheet_core::query::SavedQuery;
use mainsheet_core::schedule::{self, check_time_zone};
use mainsheet_core::{ClusterId, Error, FieldErrors, MemberId, Result, Timestamp};
use mainsheet_store::jobs::query_gone;
use mainsheet_store::{Change, Row};
use serde::Deserialize;
use utoipa::ToSchema;

/// The longest configuration, in bytes of JSON: a job with its version in force is one item of the table.
const MAX_CONFIG_BYTES: usize = 80 * 1024;

/// What a version says, whoever publishes it and whatever its number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VersionSettings {
    pub(crate) description: Option<String>,
    pub(crate) cluster_id: ClusterId,
    pub(crate) config: JobConfig,
    pub(crate) timeout_seconds: u32,
    pub(crate) source_config: Option<SourceConfig>,
    pub(crate) depends_on: Vec<JobDependency>,
    pub(crate) schedule: Schedule,
}

impl VersionSettings {
    /// What the version in force says. Its description is the job's, which may have changed since.
    pub(crate) fn in_force(job: &Job) -> Self {
        Self { description: job.description.clone(), ..Self::of(&job.current) }
    }

    /// What a version says.
    pub(crate) fn of(version: &JobVersion) -> Self {
        let version = version.clone();
        Self {
            description: version.description,
            cluster_id: version.cluster_id,
            config: version.config,
            timeout_seconds: version.timeout_seconds,
            source_config: version.source_config,
            depends_on: version.depends_on,
            schedule: version.schedule,
        }
    }

    /// A version that says this.
    pub(crate) fn published(self, number: u32, based_on: Option<u32>, by: &MemberId, now: Timestamp) -> JobVersion {
        JobVersion {
            number,
            based_on,
            description: self.description,
            cluster_id: self.cluster_id,
            config: self.config,
            timeout_seconds: self.timeout_seconds,
            source_config: self.source_config,
            depends_on: self.depends_on,
            schedule: self.schedule,
            created_at: now,
            created_by: by.clone(),
        }
    }
}

/// What is different in a version from the one that it is made from. What is absent stays.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobVersionWrite {
    /// Where it runs.
    #[garde(skip)]
    cluster_id: Option<ClusterId>,
    /// What it is for.
    #[garde(inner(length(chars, max = 1023)), custom(text::optional_lines))]
    #[schema(max_length = 1023)]
    description: Option<String>,
    /// What runs, and with what; takes the place of the whole configuration.
    #[garde(dive)]
    config: Option<JobConfig>,
    /// Seconds that a run may take; 0 means no limit.
    #[garde(inner(range(max = i32::MAX as u32)))]
    #[schema(minimum = 0, maximum = 2_147_483_647)]
    timeout_seconds: Option<u32>,
    /// Where its source came from.
    #[garde(dive)]
    source_config: Option<SourceConfig>,
    /// Jobs that have to succeed before a scheduled run of this one.
    #[garde(custom(few), dive)]
    #[schema(max_items = 50)]
    depends_on: Option<Vec<JobDependency>>,
    /// Five fields; empty means only when asked for.
    #[garde(inner(length(chars, max = 100)))]
    #[schema(max_length = 100, examples("0 2 * * *"))]
    cron_expression: Option<String>,
    /// IANA time zone of the expression.
    #[garde(inner(length(chars, min = 1, max = 64)))]
    #[schema(min_length = 1, max_length = 64, examples("America/New_York"))]
    cron_timezone: Option<String>,
    /// What a tick does while a run has not ended.
    #[garde(skip)]
    concurrency_policy: Option<ConcurrencyPolicy>,
    /// Runs at once under `allow`.
    #[garde(inner(range(min = 1, max = 1000)))]
    #[schema(minimum = 1, maximum = 1000)]
    max_concurrent_runs: Option<u32>,
    /// What happens to ticks that passed while nobody could act on them.
    #[garde(skip)]
    missed_schedule_policy: Option<MissedSchedulePolicy>,
}

impl JobVersionWrite {
    /// Whether it says what the job is for.
    pub(crate) fn describes(&self) -> bool {
        self.description.is_some()
    }

    /// What a version says that is made from another one.
    pub(crate) fn over(self, base: VersionSettings) -> VersionSettings {
        let cron = self.cron_expression.map(|text| Some(text).filter(|text| !text.trim().is_empty()));
        let before = base.schedule;
        let schedule = Schedule {
            cron_expression: cron.unwrap_or(before.cron_expression),
            cron_timezone: self.cron_timezone.unwrap_or(before.cron_timezone),
            concurrency_policy: self.concurrency_policy.unwrap_or(before.concurrency_policy),
            max_concurrent_runs: self.max_concurrent_runs.unwrap_or(before.max_concurrent_runs),
            missed_schedule_policy: self.missed_schedule_policy.unwrap_or(before.missed_schedule_policy),
        };
        VersionSettings {
            description: self.description.or(base.description),
            cluster_id: self.cluster_id.unwrap_or(base.cluster_id),
            config: self.config.unwrap_or(base.config),
            timeout_seconds: self.timeout_seconds.unwrap_or(base.timeout_seconds),
            source_config: self.source_config.or(base.source_config),
            depends_on: self.depends_on.unwrap_or(base.depends_on),
            schedule,
        }
    }
}

/// At most 50 jobs to depend on.
fn few(dependencies: &Option<Vec<JobDependency>>, (): &()) -> garde::Result {
    match dependencies {
        Some(dependencies) if dependencies.len() > 50 => Err(garde::Error::new("takes at most 50")),
        _ => Ok(()),
    }
}

/// What a version names has to be there when it is written: the jobs that it depends on, its catalogs, and that of `query`, the
/// saved query that it runs.
pub(crate) fn require_named<'s>(
    change: Change<'s>,
    caller: &Caller,
    job: &Job,
    version: &JobVersion,
    query: Option<&SavedQuery>,
) -> Change<'s> {
    change.require_job_keys(caller.tenant(), dependencies(version)).require_catalogs(
        caller.tenant(),
        &version.config,
        query,
        &job.team_ids,
    )
}

/// The rules that concern more than one field of a version.
pub(crate) fn check_rules(job_key: &str, version: &JobVersion) -> Result<()> {
    let mut errors = FieldErrors::default();
    check_source(&version.config, &mut errors);
    check_compute(&version.config, &mut errors);
    if let Some(engine) = &version.config.lakesail {
        check_engine(engine, &mut errors);
    }
    check_schedule(&version.schedule, &mut errors);
    for (index, dependency) in version.depends_on.iter().enumerate() {
        let field = format!("dependsOn[{index}].jobKey");
        if dependency.job_key == job_key {
            errors.add(field, "is the job itself");
        } else if version.depends_on[..index].contains(dependency) {
            errors.add(field, "is named twice");
        }
    }
    if serde_json::to_vec(&version.config).map_or(usize::MAX, |text| text.len()) > MAX_CONFIG_BYTES {
        errors.add("config", "must not be longer than 80 KiB as JSON; keep large sources in a file and give its URI");
    }
    errors.into_result()
}

fn check_source(config: &JobConfig, errors: &mut FieldErrors) {
    match (&config.sql, &config.python) {
        (Some(sql), None) if sql.source.is_some() == sql.query_id.is_some() => {
            errors.add("config.sql", "needs exactly one of `source` and `queryId`");
        }
        (None, Some(python)) => check_python(python, errors),
        (Some(_), None) => {}
        _ => errors.add("config", "needs exactly one of `sql` and `python`"),
    }
}

fn check_python(python: &PythonSource, errors: &mut FieldErrors) {
    if python.source.contains('\0') {
        errors.add("config.python.source", "must not contain the character U+0000, which Python refuses");
    } else if scheme_of(&python.source).is_some() {
        check_address("config.python.source", &python.source, errors);
    }
    let of_wheels = [("packageName", &python.package_name), ("entryPoint", &python.entry_point)];
    for (field, given) in of_wheels {
        let field = format!("config.python.{field}");
        match (python.is_wheel(), given) {
            (true, None) => errors.add(field, "is required with a wheel"),
            (false, Some(_)) => errors.add(field, "goes with the URI of a wheel as `source`"),
            (true, Some(_)) | (false, None) => {}
        }
    }
    let by_position = python.parameters.iter().enumerate().map(|(index, text)| (format!("parameters[{index}]"), text));
    let by_name = python.named_parameters.iter().map(|(name, text)| (format!("namedParameters.{name}"), text));
    for (field, _) in by_position.chain(by_name).filter(|(field, text)| field.contains('\0') || text.contains('\0')) {
        errors.add(format!("config.python.{field}"), "must not contain the character U+0000, which no argument can");
    }
}

/// Machines and volumes that no run of the job would have.
fn check_compute(config: &JobConfig, errors: &mut FieldErrors) {
    let mode = config.lakesail.as_ref().map_or_else(ExecutionMode::default, |engine| engine.execution_mode);
    let has_workers = config.compute.as_ref().is_some_and(|compute| compute.worker.is_some());
    if has_workers && mode == ExecutionMode::Standalone {
        errors.add("config.compute.worker", "goes with `cluster` as `config.lakesail.executionMode`");
    }
    let Some(compute) = &config.compute else { return };
    let driver = compute.driver.as_ref().and_then(|driver| driver.ebs_config.as_ref());
    let worker = compute.worker.as_ref().and_then(|worker| worker.ebs_config.as_ref());
    for (machine, volume) in [("driver", driver), ("worker", worker)] {
        if let Some(Err(error)) = volume.map(EbsConfig::check) {
            errors.add(format!("config.compute.{machine}.ebsConfig.{}", error.field), error.reason);
        }
    }
}

/// Settings of the engine and libraries: a run that cannot have them would fail each time.
fn check_engine(engine: &EngineConfig, errors: &mut FieldErrors) {
    if let Err(error) = engine.environment() {
        errors.add(format!("config.lakesail.{}", error.setting), error.reason);
    }
    for (index, library) in engine.libraries.iter().enumerate() {
        check_library(&format!("config.lakesail.libraries[{index}]"), library, errors);
    }
}

fn check_library(field: &str, library: &Library, errors: &mut FieldErrors) {
    match (&library.pypi, &library.requirements, &library.whl) {
        (Some(pypi), None, None) if pypi.package.trim().starts_with('-') => {
            errors.add(format!("{field}.pypi.package"), "must be a package, not an option of pip");
        }
        (Some(_), None, None) | (None, Some(Requirements { source: Some(_), uri: None }), None) => {}
        (None, Some(Requirements { source: None, uri: Some(uri) }), None) => {
            check_address(&format!("{field}.requirements.uri"), uri, errors);
        }
        (None, Some(_), None) => {
            errors.add(format!("{field}.requirements"), "needs exactly one of `source` and `uri`");
        }
        (None, None, Some(wheel)) => check_address(&format!("{field}.whl"), wheel, errors),
        _ => errors.add(field, "needs exactly one of `pypi`, `requirements` and `whl`"),
    }
}

fn check_address(field: &str, uri: &str, errors: &mut FieldErrors) {
    if !scheme_of(uri).is_some_and(|scheme| READABLE_SCHEMES.contains(&scheme)) {
        errors.add(field, "must be a URI with `https://`, `s3://` or `file://`");
    }
}

fn check_schedule(schedule: &Schedule, errors: &mut FieldErrors) {
    let zone = schedule.cron_timezone.as_str();
    let expression = schedule.cron_expression.as_deref().map(|expression| schedule::Schedule::parse(expression, zone));
    let found = [expression.and_then(Result::err), check_time_zone(zone).err()];
    for error in found.into_iter().flatten() {
        errors.add(error.field(), error.to_string());
    }
}

/// The keys of the jobs that a version depends on.
pub(crate) fn dependencies(version: &JobVersion) -> impl Iterator<Item = &str> {
    version.depends_on.iter().map(|dependency| dependency.job_key.as_str())
}

/// What a version points at that the one in force does not has to be there and to be the caller's to use. Answers the saved query
/// that the version runs; one that the version in force runs as well may be gone. Nothing is read for a version on the same
/// cluster that runs none.
pub(crate) async fn check_targets(
    app: &App,
    caller: &Caller,
    job: &Job,
    version: &JobVersion,
) -> Result<Option<SavedQuery>> {
    let moves = version.cluster_id != job.current.cluster_id;
    let query = version.query_id();
    if !moves && query.is_none() {
        return Ok(None);
    }
    let found = app.store.job_prerequisites(caller.tenant(), &version.cluster_id, &[], query).await?;
    let mut errors = FieldErrors::default();
    if runs_another_query(job, version) && !found.query.as_ref().is_some_and(|row| sees_query(caller, row)) {
        errors.add("config.sql.queryId", "is no saved query that you can see");
    }
    if moves && found.cluster.is_none() {
        errors.add("clusterId", "is no cluster of this organization");
    }
    errors.into_result()?;
    Ok(found.query.map(|row| row.value))
}

/// The saved query of a version or draft that was written before it comes into force. Where the version in force runs another one,
/// it has to be there and to be the caller's to see: they name it by bringing the version into force.
pub(crate) async fn query_taken_up(
    app: &App,
    caller: &Caller,
    job: &Job,
    version: &JobVersion,
) -> Result<Option<SavedQuery>> {
    let query = app.store.query_of(caller.tenant(), version).await?;
    if runs_another_query(job, version) && !query.as_ref().is_some_and(|row| sees_query(caller, row)) {
        return Err(query_gone());
    }
    Ok(query.map(|row| row.value))
}

/// Whether a version runs a saved query that the one in force does not.
fn runs_another_query(job: &Job, version: &JobVersion) -> bool {
    version.query_id().is_some() && version.query_id() != job.query_id()
}

fn sees_query(caller: &Caller, query: &Row<SavedQuery>) -> bool {
    caller.may_in_any(Relation::CanViewQueries, &query.value.team_ids)
}

/// The transaction in which another version comes into force takes place only if its cluster can be used, where that is not the
/// cluster of the version before it.
pub(crate) fn require_cluster<'s>(change: Change<'s>, caller: &Caller, before: &Job, after: &Job) -> Change<'s> {
    if before.current.cluster_id == after.current.cluster_id {
        return change;
    }
    let teams = (!caller.may(Relation::CanManageClusters)).then_some(after.team_ids.as_slice());
    change.require_usable_cluster(caller.tenant(), &after.current.cluster_id, teams)
}

/// The saved query that the version in force runs, where another one is to run something else.
pub(crate) async fn query_left(
    app: &App,
    caller: &Caller,
    job: &Job,
    next: &JobVersion,
) -> Result<Option<Row<SavedQuery>>> {
    if job.query_id() == next.query_id() {
        return Ok(None);
    }
    app.store.query_of(caller.tenant(), &job.current).await
}

/// A draft stands against what would publish or activate past it.
pub(crate) fn require_no_draft(job: &Job) -> Result<()> {
    match job.draft_version {
        None => Ok(()),
        Some(_) => {
            let message = "The job has a draft. Publish or discard it first.";
            Err(Error::conflict("draft_exists", message))
        }
    }
}
