//! What a leased run executes.

use mainsheet_core::agent_protocol::LeasedSource;
use mainsheet_core::job::{EngineConfig, PythonSource};
use mainsheet_core::{Error, Result};
use mainsheet_store::job_runs::RunOfJob;
use mainsheet_store::{Store, Tenant};

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
    if let Some(Err(error)) = config.lakesail.as_ref().map(EngineConfig::environment) {
        return Ok(impossible(&format!("{error}.")));
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
    Resolved::Source(LeasedSource::Python {
        source: python.source.clone(),
        package_name: python.package_name.clone(),
        entry_point: python.entry_point.clone(),
        parameters: python.parameters.clone(),
        named_parameters: python.named_parameters.clone(),
    })
}

fn impossible(reason: &str) -> Resolved {
    Resolved::Impossible(reason.to_owned())
}
