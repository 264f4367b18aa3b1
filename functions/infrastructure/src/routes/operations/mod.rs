//! Operations.

pub(crate) mod cancel;
pub(crate) mod get;

use mainsheet_api::{App, Result};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::operation::{Operation, ResourceKind};
use mainsheet_core::{Error, OperationId};
use mainsheet_store::Row;

/// An operation that the caller may see: those who may view the thing that it is about.
async fn visible(app: &App, caller: &Caller, operation: &OperationId) -> Result<Row<Operation>> {
    let row = app.store.operation(caller.tenant(), operation).await?;
    let (view, _) = relations(row.value.resource.kind());
    if caller.may(view) { Ok(row) } else { Err(Error::NotFound.into()) }
}

/// What it takes to see and to stop an operation about such a thing.
fn relations(kind: ResourceKind) -> (Relation, Relation) {
    match kind {
        ResourceKind::Connection => (Relation::CanViewConnections, Relation::CanManageConnections),
        ResourceKind::Network => (Relation::CanViewNetworks, Relation::CanManageNetworks),
        ResourceKind::Cluster => (Relation::CanViewClusters, Relation::CanManageClusters),
        ResourceKind::Catalog => (Relation::CanViewCatalogs, Relation::CanManageCatalogs),
    }
}
