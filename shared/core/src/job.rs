//! Jobs: what runs, where and when, in published versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CatalogId, ClusterId, JobId, MemberId, QueryId, TeamId, Timestamp};

/// The most teams that a job or a saved query can be shared with.
pub const MAX_TEAMS: usize = 50;

/// Seconds a run may take unless its job says otherwise: a day.
pub const DEFAULT_TIMEOUT_SECONDS: u32 = 86_400;

/// Settings of the engine that begin so are environment variables of the job's code.
pub const VARIABLE_PREFIX: &str = "env.";
/// The longest name of such a setting, in bytes: what a key of a Kubernetes Secret can have.
const MAX_VARIABLE_SETTING: usize = 253;
/// Settings of the engine that begin so are secrets among those.
const SECRET_PREFIX: &str = "secret.";
/// Where an agent reads sources and libraries from.
pub const READABLE_SCHEMES: [&str; 4] = ["https", "http", "file", "s3"];
/// The smallest volume of the types `st1` and `sc1`, in GiB.
const LEAST_HDD_GIB: u32 = 125;

/// A setting of the engine that cannot be what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`config.lakesail[\"{setting}\"]` {reason}")]
pub struct SettingError {
    /// Its name.
    pub setting: String,
    /// Why.
    pub reason: String,
}

/// A field of a volume that EC2 refuses beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct VolumeError {
    /// Its name.
    pub field: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// A job, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its name in the organization's language of things; unique there.
    pub job_key: String,
    /// Whether its schedule counts.
    pub status: JobStatus,
    /// What it is for.
    pub description: Option<String>,
    /// The teams that it is shared with; at least one, at most [`MAX_TEAMS`].
    pub team_ids: Vec<TeamId>,
    /// Since when and by whom, for teams that it was not shared with from its beginning.
    #[serde(default)]
    pub shared: BTreeMap<TeamId, Shared>,
    /// The published version in force.
    pub current: JobVersion,
    /// The number of the newest published version; versions are numbered without gaps.
    pub newest_version: u32,
    /// The number that its draft will have, if it has one.
    #[serde(default)]
    pub draft_version: Option<u32>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

/// Since when something is shared with a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shared {
    /// When it was shared.
    pub created_at: Timestamp,
    /// Who shared it.
    pub created_by: MemberId,
}

/// Whether a job's schedule counts. Runs asked for by a person work in either status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It does.
    #[default]
    Active,
    /// It does not.
    Paused,
}

/// What a job runs, where and when. Immutable once published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobVersion {
    /// Counted from 1.
    pub number: u32,
    /// The version that it was made from.
    pub based_on: Option<u32>,
    /// What the job is for, as it was said with this version.
    #[serde(default)]
    pub description: Option<String>,
    /// Where it runs.
    pub cluster_id: ClusterId,
    /// What runs, and with what.
    pub config: JobConfig,
    /// Seconds that a run may take; 0 means no limit.
    pub timeout_seconds: u32,
    /// Where its source came from.
    pub source_config: Option<SourceConfig>,
    /// Jobs that have to succeed first.
    pub depends_on: Vec<JobDependency>,
    /// When it runs by itself.
    pub schedule: Schedule,
    /// When it was published.
    pub created_at: Timestamp,
    /// Who published it.
    pub created_by: MemberId,
}

/// A version in the making. A job has one at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDraft {
    /// What would be published.
    pub version: JobVersion,
    /// Whether a description was given with it. Otherwise it has the job's, whatever that is by the time it is published.
    #[serde(default)]
    pub describes: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

/// When a job runs by itself, and what happens when that is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Five fields; `None` means only when asked for.
    pub cron_expression: Option<String>,
    /// IANA time zone.
    pub cron_timezone: String,
    /// What a tick does while a run has not ended.
    pub concurrency_policy: ConcurrencyPolicy,
    /// Runs at once under [`ConcurrencyPolicy::Allow`].
    pub max_concurrent_runs: u32,
    /// What happens to ticks that passed unseen.
    pub missed_schedule_policy: MissedSchedulePolicy,
}

/// What a tick does while a run has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyPolicy {
    /// Nothing.
    #[default]
    Skip,
    /// Runs beside it, up to `maxConcurrentRuns`.
    Allow,
    /// Cancels it, waits for its end, then runs.
    Replace,
}

/// What happens to ticks that passed while nobody could act on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissedSchedulePolicy {
    /// The newest runs once.
    #[default]
    Latest,
    /// None runs.
    Skip,
    /// All run, at most 100.
    All,
}

/// What a job runs, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobConfig {
    /// SQL statements. Exactly one of `sql` and `python` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub sql: Option<SqlSource>,
    /// A Python program. Exactly one of `sql` and `python` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub python: Option<PythonSource>,
    /// Machines, where the cluster has a choice of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub compute: Option<Compute>,
    /// Settings of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub lakesail: Option<EngineConfig>,
}

/// SQL statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlSource {
    /// The statements themselves, separated by `;`; the last one's rows are the result. Exactly one of `source` and
    /// `queryId` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, min = 1, max = 65536)))]
    #[schema(min_length = 1, max_length = 65536, examples("SELECT 1 AS one"))]
    pub source: Option<String>,
    /// A saved query, whose text is read when a run starts. Exactly one of `source` and `queryId` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub query_id: Option<QueryId>,
}

/// A Python program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PythonSource {
    /// A URI (`s3://`, `https://`, `file://`) of a wheel or a `.py` file, else the script's text. It finds its Spark session
    /// through `SPARK_REMOTE`.
    #[garde(length(bytes, min = 1, max = 65536))]
    #[schema(min_length = 1, max_length = 65536)]
    pub source: String,
    /// The package of a wheel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 255)))]
    #[schema(min_length = 1, max_length = 255)]
    pub package_name: Option<String>,
    /// The entry point of a wheel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 255)))]
    #[schema(min_length = 1, max_length = 255)]
    pub entry_point: Option<String>,
    /// Arguments by position.
    #[serde(default)]
    #[garde(length(max = 100), inner(length(bytes, max = 4096)))]
    #[schema(max_items = 100)]
    pub parameters: Vec<String>,
    /// Arguments by name.
    #[serde(default)]
    #[garde(length(max = 100), custom(named_texts))]
    pub named_parameters: BTreeMap<String, String>,
}

/// Machines of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Compute {
    /// The machine of the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub driver: Option<DriverCompute>,
    /// The machines of the workers; `cluster` mode only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub worker: Option<WorkerCompute>,
}

/// A provider's name for machines: two parts in lower case, as the label of a Kubernetes node can have it for its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(transparent)]
#[garde(transparent)]
#[schema(
    min_length = 1,
    max_length = 63,
    pattern = "^[a-z0-9][a-z0-9-]*\\.[a-z0-9-]*[a-z0-9]$",
    examples("c8g.2xlarge")
)]
pub struct MachineName(#[garde(custom(machine))] pub String);

/// The machine of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriverCompute {
    /// The provider's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub instance_type: Option<MachineName>,
    /// Its volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub ebs_config: Option<EbsConfig>,
}

/// The machines of workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerCompute {
    /// The provider's name for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub instance_type: Option<MachineName>,
    /// Their volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub ebs_config: Option<EbsConfig>,
    /// The most of them at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1, max = 1000)))]
    #[schema(minimum = 1, maximum = 1000)]
    pub max_nodes: Option<u32>,
    /// How they are paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub capacity_type: Option<CapacityType>,
}

/// How machines are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// By the hour.
    OnDemand,
    /// At a lower price, and may be taken away.
    Spot,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EbsConfig {
    /// AWS volume type; `gp3` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(pattern("^(gp2|gp3|io1|io2|sc1|st1|standard)$")))]
    #[schema(pattern = "^(gp2|gp3|io1|io2|sc1|st1|standard)$", examples("gp3"))]
    pub volume_type: Option<String>,
    /// GiB; 100 unless given. At least 125 with `st1` and `sc1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1, max = 65536)))]
    #[schema(minimum = 1, maximum = 65536)]
    pub volume_size: Option<u32>,
    /// Operations a second; required with `io1` and `io2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1, max = 256_000)))]
    #[schema(minimum = 1, maximum = 256_000)]
    pub iops: Option<u32>,
    /// MiB a second; with `gp3` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1, max = 4000)))]
    #[schema(minimum = 1, maximum = 4000)]
    pub throughput: Option<u32>,
    /// Whether it goes with its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub delete_on_termination: Option<bool>,
}

/// Settings of the engine. Further entries are texts of any name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase")]
pub struct EngineConfig {
    /// One process, or a driver with workers.
    #[serde(default)]
    #[garde(skip)]
    pub execution_mode: ExecutionMode,
    /// Automatic tries after an agent is lost.
    #[serde(default)]
    #[garde(range(max = 10))]
    #[schema(maximum = 10)]
    pub max_retries: u32,
    /// The engine's image; the cluster's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 1023)))]
    #[schema(min_length = 1, max_length = 1023)]
    pub lakesail_image_uri: Option<String>,
    /// Python packages for the job's code.
    #[serde(default)]
    #[garde(length(max = 100), dive)]
    #[schema(max_items = 100)]
    pub libraries: Vec<Library>,
    /// The catalogs that its code can name, besides the one in memory that is called `sail`. Each is shared with one of the
    /// job's teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 10))]
    #[schema(max_items = 10)]
    pub catalog_ids: Vec<CatalogId>,
    /// The catalog that unqualified names mean. Unless given, it is that of the saved query, else `sail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub default_catalog_id: Option<CatalogId>,
    /// The database there that unqualified table names mean; its levels are separated by `.`. Unless given, it is that of the
    /// saved query, else the catalog's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 255)), custom(database))]
    #[schema(min_length = 1, max_length = 255)]
    pub default_schema: Option<String>,
    /// Free-form settings by name.
    #[serde(flatten)]
    #[garde(length(max = 100), custom(named_texts))]
    pub settings: BTreeMap<String, String>,
}

/// How the engine is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionMode {
    /// One process.
    #[default]
    Standalone,
    /// A driver with workers.
    Cluster,
}

/// A Python package for a job's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Library {
    /// From a package index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub pypi: Option<IndexPackage>,
    /// A list of requirements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub requirements: Option<Requirements>,
    /// The URI of a wheel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 1023)))]
    #[schema(min_length = 1, max_length = 1023)]
    pub whl: Option<String>,
}

/// A package of a package index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IndexPackage {
    /// Name and version, as `pip` takes them.
    #[garde(length(chars, min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255)]
    pub package: String,
    /// The index; the public one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 1023)))]
    #[schema(min_length = 1, max_length = 1023)]
    pub repo: Option<String>,
}

/// A list of requirements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requirements {
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, min = 1, max = 16384)))]
    #[schema(min_length = 1, max_length = 16384)]
    pub source: Option<String>,
    /// Its URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 1023)))]
    #[schema(min_length = 1, max_length = 1023)]
    pub uri: Option<String>,
}

/// Where a job's source came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceConfig {
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 1023)))]
    #[schema(min_length = 1, max_length = 1023)]
    pub url: Option<String>,
    /// Who hosts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 64)))]
    #[schema(min_length = 1, max_length = 64)]
    pub provider: Option<String>,
    /// The branch, tag or commit that is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub reference: Option<GitReference>,
    /// The commit that the text was taken from: 40 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(pattern("^[0-9a-f]{40}$")))]
    #[schema(pattern = "^[0-9a-f]{40}$")]
    pub snapshot_commit: Option<String>,
}

/// A branch, tag or commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitReference {
    /// Which of them.
    #[serde(rename = "type")]
    #[garde(skip)]
    pub kind: GitReferenceType,
    /// Its name.
    #[garde(length(chars, min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255, examples("main"))]
    pub value: String,
}

/// What a Git reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GitReferenceType {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A commit.
    Commit,
}

/// A job that has to succeed first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobDependency {
    /// Its key.
    #[garde(length(chars, min = 1, max = 255))]
    #[schema(min_length = 1, max_length = 255)]
    pub job_key: String,
}

impl Job {
    /// The saved query that its current version runs.
    #[must_use]
    pub fn query_id(&self) -> Option<&QueryId> {
        self.current.query_id()
    }

    /// The job with a version in force that is new: it takes the job's description along, and the draft's place.
    #[must_use]
    pub fn published(&self, version: JobVersion) -> Self {
        Self {
            description: version.description.clone(),
            newest_version: version.number,
            draft_version: None,
            updated_at: version.created_at,
            updated_by: version.created_by.clone(),
            current: version,
            ..self.clone()
        }
    }

    /// The number that the next version will have.
    #[must_use]
    pub fn next_version(&self) -> u32 {
        self.newest_version.saturating_add(1)
    }
}

impl JobDraft {
    /// What it would have its job be for.
    #[must_use]
    pub fn description(&self, job: &Job) -> Option<String> {
        if self.describes { self.version.description.clone() } else { job.description.clone() }
    }
}

impl PythonSource {
    /// Whether its source is the URI of a wheel; a signed one's query does not count.
    #[must_use]
    pub fn is_wheel(&self) -> bool {
        let path = self.source.trim().split(['?', '#']).next().unwrap_or_default();
        scheme_of(&self.source).is_some() && path.ends_with(".whl")
    }
}

/// The scheme of a URI; `None` of a text that is none, such as a script's. The runner reads it in the same way
/// (`infra/agent/python/fetch.py`).
#[must_use]
pub fn scheme_of(text: &str) -> Option<&str> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_scheme && !rest.is_empty() && !text.contains(char::is_whitespace)).then_some(scheme)
}

impl EngineConfig {
    /// The environment variables of a job's code, from the settings `env.<NAME>`.
    ///
    /// # Errors
    /// The first setting that cannot be what it should.
    pub fn environment(&self) -> Result<BTreeMap<String, String>, SettingError> {
        let mut variables = BTreeMap::new();
        for (setting, value) in &self.settings {
            let refused = |reason: String| SettingError { setting: setting.clone(), reason };
            if setting.starts_with(SECRET_PREFIX) {
                return Err(refused("is for secrets, which do not exist yet".to_owned()));
            }
            let Some(name) = setting.strip_prefix(VARIABLE_PREFIX) else { continue };
            if !is_variable(name) {
                return Err(refused(format!("has no name of an environment variable: `{name}`")));
            }
            if setting.len() > MAX_VARIABLE_SETTING {
                let most = MAX_VARIABLE_SETTING - VARIABLE_PREFIX.len();
                return Err(refused(format!(
                    "is too long: the name of an environment variable has at most {most} characters"
                )));
            }
            if is_reserved(name) {
                return Err(refused(format!("is the platform's: `{name}` cannot be set")));
            }
            if value.contains('\0') {
                return Err(refused(
                    "must not contain the character U+0000, which no environment variable can".to_owned(),
                ));
            }
            variables.insert(name.to_owned(), value.clone());
        }
        Ok(variables)
    }
}

fn is_variable(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// What the agent sets itself, or what decides which program is executed.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 6] = ["HOME", "PATH", "SPARK_REMOTE", "TMPDIR", "TZ", "LANG"];
    const PREFIXES: [&str; 4] = ["MAINSHEET_", "SAIL_", "PYTHON", "LD_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

impl EbsConfig {
    /// AWS volume type; `gp3` unless given.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.volume_type.as_deref().unwrap_or("gp3")
    }

    /// GiB; 100 unless given.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.volume_size.unwrap_or(100)
    }

    /// That EC2 makes such volumes at all.
    ///
    /// # Errors
    /// The first field that it always refuses beside the others.
    pub fn check(&self) -> Result<(), VolumeError> {
        let refused = |field: &'static str, reason: &'static str| Err(VolumeError { field, reason });
        match self.kind() {
            "io1" | "io2" if self.iops.is_none() => {
                refused("iops", "is required with the volume types `io1` and `io2`")
            }
            "st1" | "sc1" if self.size() < LEAST_HDD_GIB => refused(
                "volumeSize",
                "must be at least 125 with the volume types `st1` and `sc1`; it is 100 unless given",
            ),
            kind if kind != "gp3" && self.throughput.is_some() => {
                refused("throughput", "goes with the volume type `gp3`")
            }
            _ => Ok(()),
        }
    }
}

impl JobVersion {
    /// The saved query that it runs.
    #[must_use]
    pub fn query_id(&self) -> Option<&QueryId> {
        self.config.sql.as_ref()?.query_id.as_ref()
    }
}

fn machine(name: &str, (): &()) -> garde::Result {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let has_parts = name.split_once('.').is_some_and(|(family, size)| is_part(family) && is_part(size));
    if has_parts && name.len() <= 63 && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(());
    }
    Err(garde::Error::new("takes a provider's name for machines such as `c8g.2xlarge`, with at most 63 characters"))
}

/// Levels with `.` between them, without control characters.
fn database(name: &Option<String>, (): &()) -> garde::Result {
    let is_level = |level: &str| !level.trim().is_empty() && !level.chars().any(char::is_control);
    match name {
        Some(name) if !name.split('.').all(is_level) => Err(garde::Error::new("is no name of a database")),
        _ => Ok(()),
    }
}

/// Texts by name: names of 1 to 255 bytes, texts of at most 4,096.
fn named_texts(texts: &BTreeMap<String, String>, (): &()) -> garde::Result {
    if texts.keys().any(|name| !(1..=255).contains(&name.len())) {
        return Err(garde::Error::new("takes names of 1 to 255 bytes"));
    }
    if texts.values().any(|text| text.len() > 4096) {
        return Err(garde::Error::new("takes texts of at most 4,096 bytes"));
    }
    Ok(())
}
