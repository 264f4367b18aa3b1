//! What a leased run executes.

use std::collections::BTreeMap;

use mainsheet_core::agent_protocol::LeasedSource;
use mainsheet_core::job::{JobConfig, PythonSource};
use mainsheet_core::{Error, Result};
use mainsheet_store::job_runs::RunOfJob;
use mainsheet_store::{Store, Tenant};

/// Settings of `config.lakesail` that are environment variables of the job's code.
pub(crate) const VARIABLE_PREFIX: &str = "env.";
/// Settings of `config.lakesail` that name a secret for an environment variable.
const SECRET_PREFIX: &str = "secret.";

/// A run's source, or why there is none: a text for its status message.
pub(crate) enum Resolved {
    /// It can be executed.
    Source(LeasedSource),
    /// It cannot, for this reason.
    Impossible(String),
}

/// Reads a run's source. A saved query's text is read at the first lease and kept with the run: another try executes the same.
pub(crate) async fn resolve(store: &Store, tenant: &Tenant, found: &RunOfJob) -> Result<Resolved> {
    if let Some(text) = &found.run.value.resolved_sql {
        return Ok(Resolved::Source(LeasedSource::Sql { text: text.clone() }));
    }
    let config = &found.version.config;
    if let Err(reason) = environment(config) {
        return Ok(Resolved::Impossible(reason));
    }
    match (&config.sql, &config.python) {
        (Some(sql), _) => match (&sql.source, &sql.query_id) {
            (Some(text), _) => Ok(Resolved::Source(LeasedSource::Sql { text: text.clone() })),
            (None, Some(query)) => match store.query_saved(tenant, query).await {
                Ok(row) => Ok(Resolved::Source(LeasedSource::Sql { text: row.value.query.query_text })),
                Err(Error::NotFound) => Ok(impossible(&format!("The saved query {query} is gone."))),
                Err(error) => Err(error),
            },
            (None, None) => Err(Error::internal("a SQL job without source")),
        },
        (None, Some(python)) => Ok(resolve_python(python)),
        (None, None) => Err(Error::internal("a job without source")),
    }
}

fn resolve_python(python: &PythonSource) -> Resolved {
    let is_wheel =
        is_uri(&python.source) && python.source.split(['?', '#']).next().unwrap_or_default().ends_with(".whl");
    match (is_wheel, &python.package_name, &python.entry_point) {
        (true, Some(_), Some(_)) | (false, None, None) => Resolved::Source(LeasedSource::Python {
            source: python.source.clone(),
            package_name: python.package_name.clone(),
            entry_point: python.entry_point.clone(),
            parameters: python.parameters.clone(),
            named_parameters: python.named_parameters.clone(),
        }),
        (true, ..) => impossible("A wheel needs `python.packageName` and `python.entryPoint`."),
        (false, ..) => impossible("`python.packageName` and `python.entryPoint` go with the URI of a wheel."),
    }
}

fn is_uri(source: &str) -> bool {
    ["https://", "http://", "file://", "s3://"].iter().any(|scheme| source.starts_with(scheme))
}

/// The environment variables of a job, from its settings `env.<NAME>`, or why they cannot be what they should.
pub(crate) fn environment(config: &JobConfig) -> std::result::Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    for (setting, value) in config.lakesail.iter().flat_map(|engine| &engine.settings) {
        if setting.starts_with(SECRET_PREFIX) {
            return Err(format!("Secrets do not exist yet: remove `config.lakesail[\"{setting}\"]`."));
        }
        let Some(name) = setting.strip_prefix(VARIABLE_PREFIX) else { continue };
        if !is_variable(name) {
            return Err(format!("`{name}` is no name for an environment variable: `config.lakesail[\"{setting}\"]`."));
        }
        if is_reserved(name) {
            return Err(format!(
                "The environment variable `{name}` is the platform's: remove `config.lakesail[\"{setting}\"]`."
            ));
        }
        variables.insert(name.to_owned(), value.clone());
    }
    Ok(variables)
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

fn impossible(reason: &str) -> Resolved {
    Resolved::Impossible(reason.to_owned())
}
