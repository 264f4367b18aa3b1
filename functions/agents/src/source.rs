//! What a leased run executes.

use mainsheet_core::agent_protocol::LeasedSource;
use mainsheet_core::job::{EngineConfig, PythonSource};
use mainsheet_core::job_run::{JobRun, QueryDefaults};
use mainsheet_core::{Error, QueryId, Result};
use mainsheet_store::job_runs::RunOfJob;
use mainsheet_store::{Store, Tenant};

/// A run's source, or why there is none: a text for its status message.
pub(crate) enum Resolved {
    /// It can be executed, and this is what names in it mean where it is a saved query's.
    Source(LeasedSource, Option<QueryDefaults>),
    /// It cannot, for this reason.
    Impossible(String),
}

/// Reads a run's source. A saved query is read at the first lease and kept with the run: another try executes the same, also
/// when the query is gone by then.
pub(crate) async fn resolve(store: &Store, tenant: &Tenant, found: &RunOfJob) -> Result<Resolved> {
    let config = &found.version.config;
    if let Some(Err(error)) = config.lakesail.as_ref().map(EngineConfig::environment) {
        return Ok(impossible(&format!("{error}.")));
    }
    match (&config.sql, &config.python) {
        (Some(sql), _) => match (&sql.source, &sql.query_id) {
            (Some(text), _) => Ok(Resolved::Source(LeasedSource::Sql { text: text.clone() }, None)),
            (None, Some(query)) => resolve_query(store, tenant, &found.run.value, query).await,
            (None, None) => Err(Error::internal("a SQL job without source")),
        },
        (None, Some(python)) => Ok(resolve_python(python)),
        (None, None) => Err(Error::internal("a job without source")),
    }
}

async fn resolve_query(store: &Store, tenant: &Tenant, run: &JobRun, query: &QueryId) -> Result<Resolved> {
    if let (Some(text), Some(defaults)) = (&run.resolved_sql, &run.query_defaults) {
        return Ok(Resolved::Source(LeasedSource::Sql { text: text.clone() }, Some(defaults.clone())));
    }
    let query = match store.query_saved(tenant, query).await {
        Ok(row) => row.value.query,
        Err(Error::NotFound) => return Ok(impossible(&format!("The saved query {query} is gone."))),
        Err(error) => return Err(error),
    };
    // Runs that were leased before these were kept have kept the text.
    let text = run.resolved_sql.clone().unwrap_or(query.query_text);
    let defaults = QueryDefaults { catalog_id: query.catalog_id, schema: query.catalog_schema };
    Ok(Resolved::Source(LeasedSource::Sql { text }, Some(defaults)))
}

fn resolve_python(python: &PythonSource) -> Resolved {
    let source = LeasedSource::Python {
        source: python.source.clone(),
        package_name: python.package_name.clone(),
        entry_point: python.entry_point.clone(),
        parameters: python.parameters.clone(),
        named_parameters: python.named_parameters.clone(),
    };
    Resolved::Source(source, None)
}

fn impossible(reason: &str) -> Resolved {
    Resolved::Impossible(reason.to_owned())
}
