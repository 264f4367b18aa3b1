//! The catalogs of a leased run, opened.

use std::collections::BTreeMap;

use mainsheet_auth::sealed::Context;
use mainsheet_core::catalog::{Catalog, LeasedCatalog, LeasedCatalogs, SECRET_FIELD};
use mainsheet_core::job_run::QueryDefaults;
use mainsheet_core::{CatalogId, Result};
use mainsheet_store::Tenant;
use mainsheet_store::job_runs::RunOfJob;

use crate::AgentsState;

/// The catalogs that a run's job and its saved query name, or why it cannot have them: a text for its status message.
/// Absent when neither names any.
///
/// Whether a catalog is still there and shared with the job is decided here, each time anew: a job that was created when it
/// was, does not keep it.
pub(crate) async fn catalogs(
    state: &AgentsState,
    tenant: &Tenant,
    found: &RunOfJob,
    defaults: QueryDefaults,
) -> Result<std::result::Result<Option<LeasedCatalogs>, String>> {
    let engine = found.version.config.lakesail.clone().unwrap_or_default();
    let default = engine.default_catalog_id.or(defaults.catalog_id);
    let schema = engine.default_schema.or(defaults.schema);
    let mut wanted: Vec<&CatalogId> = Vec::new();
    for id in engine.catalog_ids.iter().chain(&default) {
        if !wanted.contains(&id) {
            wanted.push(id);
        }
    }
    if wanted.is_empty() && schema.is_none() {
        return Ok(Ok(None));
    }
    let rows = state.app.store.catalogs_named(tenant, wanted.iter().copied()).await?;
    let mut there: BTreeMap<CatalogId, Catalog> =
        rows.into_iter().map(|row| (row.value.id.clone(), row.value)).collect();
    let default_settings = default.as_ref().and_then(|id| there.get(id));
    let database = schema.or_else(|| default_settings?.settings.default_database().map(str::to_owned));
    let default_catalog = default_settings.map(|catalog| catalog.name.clone());
    let mut list = Vec::with_capacity(wanted.len());
    for id in wanted {
        let Some(catalog) = there.remove(id) else {
            return Ok(Err(format!("The catalog {id} is gone. Name another one in the job or its saved query.")));
        };
        if !found.job.value.team_ids.iter().any(|team| catalog.teams.contains_key(team)) {
            let reason = format!("The catalog `{}` is not shared with a team of this job any more.", catalog.name);
            return Ok(Err(reason));
        }
        list.push(opened(state, tenant, catalog)?);
    }
    let default_database = database.iter().flat_map(|name| name.split('.')).map(str::to_owned).collect();
    Ok(Ok(Some(LeasedCatalogs { list, default_catalog, default_database })))
}

fn opened(state: &AgentsState, tenant: &Tenant, catalog: Catalog) -> Result<LeasedCatalog> {
    let context = Context::organization(tenant.organization_id(), SECRET_FIELD);
    let token = catalog.token.map(|token| state.sealer.open(&context, &token)).transpose()?;
    Ok(LeasedCatalog { name: catalog.name, settings: catalog.settings, token: token.map(Into::into) })
}
