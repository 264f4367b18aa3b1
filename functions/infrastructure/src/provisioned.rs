//! What handlers of networks, clusters and catalogs have in common.

use axum::Json;
use axum::http::StatusCode;
use mainsheet_api::{App, Idempotent, IfMatch, MarkerQuery, Result};
use mainsheet_auth::Caller;
use mainsheet_core::operation::{Operation, OperationKind, Progress};
use mainsheet_core::provisioning::{ProvisioningEvent, ProvisioningStatus};
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, Error, NetworkId, OperationId};
use mainsheet_store::connections::require_uninhabited;
use mainsheet_store::provisioned::{Pointers, ProvisionedEntity, network_not_active};
use mainsheet_store::{Page, Row, retry_races};
use serde::Deserialize;

use crate::view::operation::OperationView;

/// An operation that goes on after its answer.
pub(crate) type Accepted = (StatusCode, Json<OperationView>);

/// Which thing of a connection a path names.
#[derive(Debug, Deserialize)]
pub(crate) struct ConnectionPath {
    /// The connection.
    pub(crate) connection: ConnectionId,
}

/// What is to be started.
pub(crate) struct Start<'r, T: ProvisionedEntity> {
    /// The connection that the path names.
    pub(crate) connection: &'r ConnectionId,
    /// The thing that the path names.
    pub(crate) id: &'r T::Id,
    /// What is to be done to it.
    pub(crate) kind: OperationKind,
    /// Whether the request came before; `None` where the method needs no key.
    pub(crate) idempotent: Option<&'r Idempotent>,
}

impl<T: ProvisionedEntity> Start<'_, T> {
    /// Starts it: one read and one transaction. Of several at once one is started; `prepare` looks at what was read, and may say
    /// what is to become of it.
    ///
    /// # Errors
    /// [`Error::Conflict`] that says what stands against it.
    pub(crate) async fn go(
        &self,
        app: &App,
        caller: &Caller,
        prepare: impl Fn(&mut T) -> Result<(), Error> + Sync,
    ) -> Result<(Operation, T)> {
        let tenant = caller.tenant();
        let event = self.kind.event().ok_or_else(|| Error::internal("an operation that begins with nothing"))?;
        let started = retry_races(|| async {
            let row = app.store.provisioned_in::<T>(tenant, self.connection, self.id).await?;
            let change = app.store.change(caller.audit(self.kind.as_str(), self.id));
            let (now, mut after) = (change.now(), row.value.clone());
            let operation = Operation::new(self.kind, after.reference(), self.connection, caller.member_id(), now);
            after.provisioning_mut().begin(event, &operation.id, caller.member_id(), now)?;
            prepare(&mut after)?;
            if event == ProvisioningEvent::Destroy {
                require_uninhabited(&row)?;
            }
            change
                .start_operation(tenant, &row, &after, &operation)
                .idempotent(self.idempotent.and_then(Idempotent::request), operation.id.as_str())
                .commit()
                .await?;
            Ok((operation, after))
        });
        Ok(started.await?)
    }

    /// [`Start::go`] as the contract answers it.
    pub(crate) async fn answer(
        &self,
        app: &App,
        caller: &Caller,
        prepare: impl Fn(&mut T) -> Result<(), Error> + Sync,
    ) -> Result<Accepted> {
        if let Some(earlier) = self.idempotent.map(Idempotent::earlier::<OperationId>).transpose()?.flatten() {
            let row = app.store.operation(caller.tenant(), &earlier).await?;
            return Ok((StatusCode::ACCEPTED, Json(OperationView::of(caller.tenant(), &row))));
        }
        let (operation, _) = self.go(app, caller, prepare).await?;
        Ok(accepted(caller, &operation))
    }
}

/// An operation that has just been asked for.
pub(crate) fn accepted(caller: &Caller, operation: &Operation) -> Accepted {
    (StatusCode::ACCEPTED, Json(OperationView::with(caller.tenant(), operation, Progress::default())))
}

/// The id that a body repeats has to be the path's.
///
/// # Errors
/// [`Error::Malformed`] (`contradictory_ids`) when it is another one.
pub(crate) fn require_same(path: &ConnectionId, body: Option<&ConnectionId>) -> Result<()> {
    match body {
        Some(body) if body != path => {
            let message = "`connectionId` in the body is not the connection that the path names.";
            Err(Error::malformed("contradictory_ids", message).into())
        }
        _ => Ok(()),
    }
}

/// A page of a connection's networks, clusters or catalogs. Whether there is such a connection is asked when there is nothing in it.
///
/// # Errors
/// [`Error::NotFound`] when the tenant has no such connection.
pub(crate) async fn page_in<T: ProvisionedEntity>(
    app: &App,
    caller: &Caller,
    connection: &ConnectionId,
    query: &MarkerQuery,
) -> Result<Page<Row<T>>> {
    let page = app.store.provisioned_page(caller.tenant(), Some(connection), &query.request()).await?;
    if page.rows.is_empty() {
        app.store.connection(caller.tenant(), connection).await?;
    }
    Ok(page)
}

/// Erases the record of something that is not there.
///
/// # Errors
/// [`Error::Conflict`] (`infrastructure_may_live`) while parts of it may be in the account.
pub(crate) async fn delete_record<T: ProvisionedEntity>(
    app: &App,
    caller: &Caller,
    id: &T::Id,
    if_match: &IfMatch,
    action: &'static str,
) -> Result<StatusCode> {
    let row = app.store.provisioned::<T>(caller.tenant(), id).await?;
    if_match.check(row.version)?;
    row.value.provisioning().require_gone()?;
    app.store.change(caller.audit(action, id)).delete_provisioned(caller.tenant(), &row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be in a network can be: both it and its connection are active, and it is in the region that the body names.
///
/// # Errors
/// [`Error::NotFound`] when there is no such connection; [`Error::Invalid`] for a network or region that does not fit;
/// [`Error::Conflict`] when one of the two is not active.
pub(crate) async fn network_for(
    app: &App,
    caller: &Caller,
    connection: &ConnectionId,
    network: &NetworkId,
    region: &Region,
) -> Result<()> {
    let pointers = Pointers {
        connections: [connection.clone()].into(),
        networks: [network.clone()].into(),
        ..Pointers::default()
    };
    let pointed = app.store.pointed(caller.tenant(), &pointers).await?;
    let found = pointed.connections.first().ok_or(Error::NotFound)?;
    let network = pointed.networks.first().filter(|row| row.value.connection_id == *connection);
    let network = network.ok_or_else(|| Error::invalid("networkId", "is no network of this connection"))?;
    if network.value.region != *region {
        let message = format!("must be the network's, which is {}", network.value.region);
        return Err(Error::invalid("region", message).into());
    }
    found.value.require_active()?;
    match network.value.provisioning.status {
        ProvisioningStatus::Active => Ok(()),
        _ => Err(network_not_active().into()),
    }
}
