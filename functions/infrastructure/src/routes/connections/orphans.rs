//! `GET /infra/connections/{connection}/orphans`: what is in an account on the platform's behalf and belongs to nothing.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanViewConnections;
use mainsheet_cloud::account::{CloudError, CloudResult, OwnedResource, RESOURCE_TAG};
use mainsheet_core::connection::Connection;
use mainsheet_core::network::Network;
use mainsheet_core::operation::{ResourceKind, ResourceRef};
use mainsheet_core::provisioning::Provisioned;
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, Result as CoreResult};
use mainsheet_store::provisioned::{Pointed, Pointers};
use mainsheet_store::{PageRequest, Row};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cloud::{Cloud, in_time, refused};

/// What belongs to nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrphanList {
    items: Vec<Orphan>,
    /// Where was looked: the connection's region, and those of its networks.
    regions: Vec<Region>,
}

/// Something that is in an account and belongs to nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Orphan {
    /// What the provider calls its kind.
    #[serde(rename = "type")]
    #[schema(examples("AWS::EKS::Cluster"))]
    kind: &'static str,
    name: String,
    arn: String,
    region: Region,
    /// What it was made for, where its tags say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<ResourceKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
}

/// List orphans of a connection
///
/// What the account has by the platform's tags, and what no network, cluster or catalog that may be there accounts for. There should
/// be none. The connection has to be active.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/orphans", operation_id = "listConnectionOrphans", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    responses((status = 200, description = "The orphans.", body = OrphanList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewConnections")))
)]
pub(crate) async fn orphans(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanViewConnections>,
    Path(id): Path<ConnectionId>,
) -> Result<Json<OrphanList>> {
    let connection = app.store.connection(caller.tenant(), &id).await?.value;
    connection.require_active()?;
    let regions = regions(&app, &caller, &connection).await?;
    let found = in_time(owned(&cloud, &caller, &connection, &regions)).await?;
    let found: Vec<_> = found.into_iter().map(|(region, resource)| (region, owner(&resource), resource)).collect();
    // What is there was looked at first: what comes to be known meanwhile is no orphan.
    let known =
        app.store.pointed(caller.tenant(), &pointers(found.iter().filter_map(|(_, owner, _)| owner.as_ref()))).await?;
    let is_orphan = |owner: Option<&ResourceRef>, resource: &OwnedResource| {
        connection.stack_arn.as_ref() != Some(&resource.arn) && owner.is_none_or(|owner| !may_be_there(&known, owner))
    };
    let items = found.into_iter().filter(|(_, owner, resource)| is_orphan(owner.as_ref(), resource));
    let items = items.map(|(region, owner, resource)| Orphan {
        kind: resource.kind.as_str(),
        name: resource.name,
        arn: resource.arn,
        region,
        resource_type: owner.as_ref().map(ResourceRef::kind),
        resource_id: owner.map(|owner| owner.id().to_owned()),
    });
    Ok(Json(OrphanList { items: items.collect(), regions: regions.iter().cloned().collect() }))
}

/// What an account has on behalf of a connection, region by region.
async fn owned(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
    regions: &BTreeSet<Region>,
) -> CoreResult<Vec<(Region, OwnedResource)>> {
    let mut found = Vec::new();
    for region in regions {
        match owned_in(cloud, caller, connection, region).await? {
            Ok(owned) => found.extend(owned.into_iter().map(|resource| (region.clone(), resource))),
            // Nothing can be there.
            Err(CloudError::RegionUnavailable { .. }) => {}
            Err(error) => return Err(refused(error)),
        }
    }
    Ok(found)
}

/// What it has in one region; the inner error is the account's.
async fn owned_in(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
    region: &Region,
) -> CoreResult<CloudResult<Vec<OwnedResource>>> {
    let Some(role) = &connection.role_arn else { return Ok(Ok(Vec::new())) };
    Ok(match cloud.try_role(caller, connection, role, Some(region)).await? {
        Ok(account) => account.owned(&connection.id).await,
        Err(error) => Err(error),
    })
}

/// Where something of a connection can be.
async fn regions(app: &App, caller: &Caller, connection: &Connection) -> CoreResult<BTreeSet<Region>> {
    let mut regions = BTreeSet::from([connection.region.clone()]);
    let mut request = PageRequest { limit: 100, ..PageRequest::default() };
    loop {
        let page = app.store.provisioned_page::<Network>(caller.tenant(), Some(&connection.id), &request).await?;
        regions.extend(page.rows.into_iter().map(|row| row.value.region));
        request.marker = page.marker;
        if request.marker.is_none() {
            return Ok(regions);
        }
    }
}

/// What something was made for, as its tags say.
fn owner(resource: &OwnedResource) -> Option<ResourceRef> {
    let (kind, id) = resource.tags.get(RESOURCE_TAG)?.split_once('/')?;
    match kind {
        "network" => id.parse().ok().map(ResourceRef::Network),
        "cluster" => id.parse().ok().map(ResourceRef::Cluster),
        "catalog" => id.parse().ok().map(ResourceRef::Catalog),
        _ => None,
    }
}

fn pointers<'o>(owners: impl Iterator<Item = &'o ResourceRef>) -> Pointers {
    let mut pointers = Pointers::default();
    for owner in owners {
        match owner {
            ResourceRef::Connection(_) => {}
            ResourceRef::Network(id) => drop(pointers.networks.insert(id.clone())),
            ResourceRef::Cluster(id) => drop(pointers.clusters.insert(id.clone())),
            ResourceRef::Catalog(id) => drop(pointers.catalogs.insert(id.clone())),
        }
    }
    pointers
}

/// Whether a record says that parts of it may be in the account.
fn may_be_there(known: &Pointed, owner: &ResourceRef) -> bool {
    fn any<T: Provisioned>(rows: &[Row<T>], owner: &ResourceRef) -> bool {
        rows.iter().any(|row| row.value.reference() == *owner && !row.value.provisioning().status.is_gone())
    }
    any(&known.networks, owner) || any(&known.clusters, owner) || any(&known.catalogs, owner)
}
