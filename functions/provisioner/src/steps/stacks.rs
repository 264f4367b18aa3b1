//! The stacks of networks, clusters and catalogs: what goes into them, and what is learnt from them.

use std::collections::BTreeMap;

use mainsheet_cloud::account::{Stack, Template, network_parameters};
use mainsheet_core::Error;
use mainsheet_core::catalog::CatalogSettings;
use mainsheet_core::network::Network;
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::provisioning::Provisioning;

use crate::Reached;
use crate::steps::site::Site;
use crate::steps::stack;
use crate::trouble::Trouble;

/// The network's stack is there, and known by what it puts out.
pub(crate) async fn network_is_there(site: &Site<'_>) -> Result<Reached, Trouble> {
    let network = site.network()?;
    let parameters = network_parameters(&site.boundary_name(), network.config.cidr);
    let Some(stack) = stack::is_there(site, Template::Network, parameters).await? else { return Ok(Reached::NotYet) };
    let learn = |network: &mut Network| {
        network.provider_network_id = stack.outputs.get("VpcId").cloned();
        learn(&mut network.provisioning, &stack);
    };
    site.work.store().note_provisioned(&site.work.tenant, &network.id, learn).await?;
    Ok(Reached::Done)
}

/// The stack of the cluster's roles is there, and known by what it puts out.
pub(crate) async fn scaffolding_is_there(site: &Site<'_>) -> Result<Reached, Trouble> {
    let cluster = site.cluster()?;
    let parameters = parameters([
        ("BoundaryName", site.boundary_name()),
        ("ClusterName", site.cluster_name()),
        ("BucketPrefix", site.bucket_prefix()),
        ("ResultsBucketName", site.bucket_name("results")),
    ]);
    let Some(stack) = stack::is_there(site, Template::Cluster, parameters).await? else { return Ok(Reached::NotYet) };
    let learn = |cluster: &mut ProvisionedCluster| {
        cluster.job_runner_role_arn = stack.outputs.get("JobRunnerRoleArn").cloned();
        learn(&mut cluster.provisioning, &stack);
    };
    site.work.store().note_provisioned(&site.work.tenant, &cluster.id, learn).await?;
    Ok(Reached::Done)
}

/// The cluster's stack trusts the identities of the cluster's pods, which have an issuer now.
pub(crate) async fn identities_are_trusted(site: &Site<'_>) -> Result<Reached, Trouble> {
    let cluster = site.account.cluster(&site.cluster_name()).await?;
    let Some(issuer) = cluster.oidc_issuer else { return Ok(Reached::NotYet) };
    stack::is_as_wanted(site, &site.stack_name(), Template::Cluster, &parameters([("OidcIssuer", issuer)])).await
}

/// The catalog's stack is there, known by what it puts out, and the logical catalog stands in front of it.
pub(crate) async fn catalog_is_there(site: &Site<'_>) -> Result<Reached, Trouble> {
    let catalog = site.catalog()?;
    let parameters = parameters([("BucketName", site.bucket_name("tables")), ("DatabaseName", database_name(catalog))]);
    let Some(stack) = stack::is_there(site, Template::Catalog, parameters).await? else { return Ok(Reached::NotYet) };
    let learn = |catalog: &mut ProvisionedCatalog| learn(&mut catalog.provisioning, &stack);
    let (store, tenant) = (site.work.store(), &site.work.tenant);
    store.note_provisioned(tenant, &catalog.id, learn).await?;
    let settings = CatalogSettings::Glue {
        region: catalog.region.to_string(),
        default_database: stack.outputs.get("DatabaseName").cloned(),
        endpoint_url: None,
    };
    store.publish_provisioned_catalog(tenant, &catalog.id, &settings).await?;
    Ok(Reached::Done)
}

/// What the catalog's database is called, after the template's prefix. Databases of an account share their names within a region,
/// and catalogs of several networks and connections may be called the same: the id is part of it.
fn database_name(catalog: &ProvisionedCatalog) -> String {
    let name = catalog.config.catalog_name.as_deref().unwrap_or("default");
    format!("{name}_{}", catalog.id).to_lowercase()
}

/// The logical catalog is withdrawn, and the stack behind it is gone.
pub(crate) async fn catalog_is_gone(site: &Site<'_>) -> Result<Reached, Trouble> {
    site.work.store().withdraw_provisioned_catalog(&site.work.tenant, &site.catalog()?.id).await?;
    stack::is_gone(site, &site.stack_name()).await
}

/// What a stack of ours puts out; a defect when it does not.
pub(crate) fn output<'s>(provisioning: &'s Provisioning, name: &str) -> Result<&'s str, Trouble> {
    let output = provisioning.outputs.get(name).map(String::as_str);
    output.ok_or_else(|| Trouble::Ours(Error::internal(format!("a stack without the output {name}"))))
}

fn learn(provisioning: &mut Provisioning, stack: &Stack) {
    provisioning.stack_name = Some(stack.name.clone());
    provisioning.outputs.clone_from(&stack.outputs);
}

fn parameters<const N: usize>(values: [(&str, String); N]) -> BTreeMap<String, String> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
