//! Operations: their beginning, their progress, their end. Each but the progress is one transaction with what becomes of the thing
//! that they are about.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::cluster::Cluster;
use mainsheet_core::connection::{Connection, ConnectionEvent};
use mainsheet_core::measurement::Measurement;
use mainsheet_core::network::Network;
use mainsheet_core::operation::{
    FailureCode, Operation, OperationError, OperationEvent, OperationStatus, PROGRESS_INTERVAL, Progress, ResourceRef,
};
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::provisioning::{ProvisioningEvent, ProvisioningStatus};
use mainsheet_core::{Error, OperationId, OrganizationId, Result, Timestamp};
use serde_json::Value;

use crate::audit::Audit;
use crate::catalogs::catalog_key;
use crate::change::{Due, changed_meanwhile, retry_races, update_of};
use crate::clusters::cluster_key;
use crate::connections::connection_key;
use crate::outbox::Event;
use crate::provisioned::{ProvisionedEntity, provisioned_key};
use crate::row::attribute;
use crate::{Change, Entity, Item, Key, Row, Store, Tenant};

/// Beside an operation: how far it is.
const PROGRESS: &str = "progress";
/// Beside an operation: when that was noted.
const PROGRESS_AT: &str = "progress_at";
/// Beside an operation: how often it was noted.
const NOTES: &str = "notes";

impl Entity for Operation {
    const KIND: &'static str = "operation";
}

pub(crate) fn operation_key(tenant: &Tenant, operation: &OperationId) -> Key {
    Key::of_tenant(tenant, "OPERATIONS", operation.as_str())
}

/// How far an operation is.
#[must_use]
pub fn progress(row: &Row<Operation>) -> Progress {
    row.part(PROGRESS).unwrap_or_default()
}

/// How an operation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked for is so.
    Succeeded {
        /// What came of it, for whoever asked.
        result: Option<Value>,
    },
    /// It cannot be done, or was cancelled: [`FailureCode::Cancelled`].
    Failed {
        /// Why, and what to do.
        error: OperationError,
        /// What is left of the thing.
        left: Left,
    },
}

/// What an operation that did not succeed leaves of the thing that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Something that has to be destroyed: `failed`.
    Unusable,
    /// What was there before, which works as ever: only updates can leave that.
    AsBefore,
}

impl Outcome {
    fn event(&self) -> OperationEvent {
        match self {
            Self::Succeeded { .. } => OperationEvent::Succeed,
            Self::Failed { error, .. } if error.code == FailureCode::Cancelled => OperationEvent::Cancel,
            Self::Failed { .. } => OperationEvent::Fail,
        }
    }

    fn message(&self) -> Option<String> {
        match self {
            Self::Succeeded { .. } => None,
            Self::Failed { error, .. } => Some(format!("{} {}", error.message, error.remedy).trim().to_owned()),
        }
    }

    /// What it makes of the thing in its present status.
    fn effect(&self, status: ProvisioningStatus) -> ProvisioningEvent {
        match self {
            Self::Succeeded { .. } => ProvisioningEvent::Succeed,
            Self::Failed { left: Left::AsBefore, .. } if status == ProvisioningStatus::Updating => {
                ProvisioningEvent::Revert
            }
            Self::Failed { .. } => ProvisioningEvent::Fail,
        }
    }

    /// Whether the account lets the platform in no more.
    fn tells_of_lost_access(&self) -> bool {
        let lost = [FailureCode::RoleNotAssumable];
        matches!(self, Self::Failed { error, .. } if lost.contains(&error.code))
    }
}

impl Store {
    /// An operation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such operation.
    pub async fn operation(&self, tenant: &Tenant, operation: &OperationId) -> Result<Row<Operation>> {
        self.get(&operation_key(tenant, operation)).await?.ok_or(Error::NotFound)
    }

    /// The operation that a workflow's execution is named by, and its organization: that it is there proves that the two belong
    /// together.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the organization has no such operation.
    pub async fn operation_of_execution(
        &self,
        organization: &OrganizationId,
        operation: &OperationId,
    ) -> Result<(Tenant, Row<Operation>)> {
        let tenant = Tenant::proven(organization.clone());
        let row = self.operation(&tenant, operation).await?;
        Ok((tenant, row))
    }

    /// An operation's workflow begins: `pending` becomes `running`. Repeated, nothing happens.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such operation.
    pub async fn begin_operation(&self, tenant: &Tenant, operation: &OperationId) -> Result<Operation> {
        retry_races(|| async {
            let row = self.operation(tenant, operation).await?;
            let mut begun = row.value.clone();
            if begun.apply(OperationEvent::Start, self.now()).is_err() {
                return Ok(row.value);
            }
            self.change(Audit::of_platform(tenant, "operation.begin", operation))
                .replace(&row, &begun, Due::Keep)
                .note_connection_use(tenant, &begun.connection_id)
                .commit()
                .await?;
            Ok(begun)
        })
        .await
    }

    /// Notes how far an operation is. What tells nothing but messages and durations is written at most once in
    /// [`PROGRESS_INTERVAL`]; anything else always. It makes no new version of the operation and is not audited. `advance` may be
    /// called more than once; after the operation's end nothing is written.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such operation.
    pub async fn note_progress(
        &self,
        tenant: &Tenant,
        operation: &OperationId,
        advance: impl Fn(&mut Progress) + Sync,
    ) -> Result<()> {
        retry_races(|| async {
            let row = self.operation(tenant, operation).await?;
            let (before, now) = (progress(&row), self.now());
            let mut after = before.clone();
            advance(&mut after);
            let noted_at = row.text(PROGRESS_AT).and_then(|text| text.parse::<Timestamp>().ok());
            let is_early = noted_at.is_some_and(|noted_at| now.since(noted_at) < PROGRESS_INTERVAL);
            let says_nothing = after == before || (is_early && !after.is_news_after(&before));
            if says_nothing || row.value.status.is_terminal() {
                return Ok(());
            }
            self.telemetry().note_progress(&row, &after)?.commit().await
        })
        .await
    }

    /// Notes why an operation will not succeed, before what it made is undone. The first reason stays. It is not audited: its end is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such operation.
    pub async fn note_failure(&self, tenant: &Tenant, operation: &OperationId, error: &OperationError) -> Result<()> {
        retry_races(|| async {
            let row = self.operation(tenant, operation).await?;
            if row.value.error.is_some() || row.value.status.is_terminal() {
                return Ok(());
            }
            let failing = Operation { error: Some(error.clone()), updated_at: self.now(), ..row.value.clone() };
            self.telemetry().replace(&row, &failing, Due::Keep).commit().await
        })
        .await
    }

    /// An operation ends, and with it what it did to the thing that it is about. Repeated, nothing happens.
    ///
    /// A network, cluster or catalog that is destroyed counts nowhere any more and gives its name back, and the logical cluster or
    /// catalog in front of it goes. A connection that lets the platform in no more becomes `failed`.
    ///
    /// # Errors
    /// [`Error::Internal`] for an end that the operation's status does not have.
    pub async fn finish_operation(
        &self,
        tenant: &Tenant,
        operation: &OperationId,
        outcome: &Outcome,
    ) -> Result<Operation> {
        retry_races(|| async {
            let row = self.operation(tenant, operation).await?;
            if row.value.status.is_terminal() {
                return Ok(row.value);
            }
            let change = self.change(Audit::of_platform(tenant, "operation.finish", operation));
            let (change, ended) = change.end_operation(&row, outcome)?;
            let change = match &ended.resource {
                ResourceRef::Connection(_) => change,
                ResourceRef::Network(id) => self.settle::<Network>(tenant, id, &ended, outcome, change).await?,
                ResourceRef::Cluster(id) => {
                    let change = self.settle_cluster_face(tenant, id, &ended, change).await?;
                    self.settle::<ProvisionedCluster>(tenant, id, &ended, outcome, change).await?
                }
                ResourceRef::Catalog(id) => {
                    let change = self.settle_catalog_face(tenant, id, &ended, change).await?;
                    self.settle::<ProvisionedCatalog>(tenant, id, &ended, outcome, change).await?
                }
            };
            self.settle_connection(tenant, &ended, outcome, change).await?.commit().await?;
            Ok(ended)
        })
        .await
    }

    /// What the end of an operation makes of the network, cluster or catalog.
    async fn settle<'s, T: ProvisionedEntity>(
        &'s self,
        tenant: &Tenant,
        id: &T::Id,
        ended: &Operation,
        outcome: &Outcome,
        change: Change<'s>,
    ) -> Result<Change<'s>> {
        let row: Row<T> = self.get(&provisioned_key::<T>(tenant, id)).await?.ok_or_else(|| gone(ended))?;
        let mut after = row.value.clone();
        after.settle(ended.status == OperationStatus::Succeeded);
        let provisioning = after.provisioning_mut();
        let effect = outcome.effect(provisioning.status);
        provisioning.end(effect, outcome.message(), change.now()).map_err(Error::internal)?;
        let change = match provisioning.status {
            ProvisioningStatus::Destroyed => change.leave(tenant, &row.value),
            _ => change,
        };
        Ok(change.replace(&row, &after, Due::Keep))
    }

    /// The logical cluster in front of one that is destroyed goes with it.
    async fn settle_cluster_face<'s>(
        &'s self,
        tenant: &Tenant,
        cluster: &mainsheet_core::ClusterId,
        ended: &Operation,
        change: Change<'s>,
    ) -> Result<Change<'s>> {
        if !is_destroyed(ended) {
            return Ok(change);
        }
        let face: Option<Row<Cluster>> = self.get(&cluster_key(tenant, cluster)).await?;
        Ok(match face {
            Some(row) => change.withdraw_cluster(&row).emit(Event::ClusterRetired { cluster_id: cluster.clone() }),
            None => change,
        })
    }

    /// The logical catalog in front of one that is destroyed goes with it.
    async fn settle_catalog_face<'s>(
        &'s self,
        tenant: &Tenant,
        catalog: &mainsheet_core::CatalogId,
        ended: &Operation,
        change: Change<'s>,
    ) -> Result<Change<'s>> {
        if !is_destroyed(ended) {
            return Ok(change);
        }
        let face: Option<Row<mainsheet_core::catalog::Catalog>> = self.get(&catalog_key(tenant, catalog)).await?;
        Ok(match face {
            Some(row) => change.delete(&row),
            None => change,
        })
    }

    /// What the end of an operation makes of the connection.
    async fn settle_connection<'s>(
        &'s self,
        tenant: &Tenant,
        ended: &Operation,
        outcome: &Outcome,
        change: Change<'s>,
    ) -> Result<Change<'s>> {
        let is_sync = matches!(ended.resource, ResourceRef::Connection(_));
        if !is_sync && !outcome.tells_of_lost_access() {
            return Ok(change);
        }
        let key = connection_key(tenant, &ended.connection_id);
        let row: Row<Connection> = self.get(&key).await?.ok_or_else(|| gone(ended))?;
        let (mut connection, now) = (row.value.clone(), change.now());
        if is_sync {
            connection.live_operation = None;
            connection.template_sync_message = Some(outcome.message().unwrap_or_else(|| "Up to date.".to_owned()));
            if ended.status == OperationStatus::Succeeded {
                connection.template_synced_at = Some(now);
            }
        }
        if outcome.tells_of_lost_access() {
            connection.apply(ConnectionEvent::Refuse, outcome.message(), now);
        }
        connection.updated_at = now;
        Ok(change.replace(&row, &connection, Due::Keep))
    }
}

impl Change<'_> {
    /// A new operation, and the event that begins its workflow.
    pub(crate) fn create_operation(self, tenant: &Tenant, operation: &Operation) -> Self {
        let used = Error::internal("an operation id that was used before");
        let event = Event::OperationStarted { operation_id: operation.id.clone(), kind: operation.kind };
        self.create(&operation_key(tenant, &operation.id), operation, used).emit(event)
    }

    /// Somebody asked to stop an operation: `after` is what [`Operation::request_cancellation`] made of the row.
    pub fn request_cancellation(self, row: &Row<Operation>, after: &Operation) -> Self {
        self.replace(row, after, Due::Keep)
    }

    fn note_progress(self, row: &Row<Operation>, after: &Progress) -> Result<Self> {
        let sets = progress_item(after, self.now())?;
        let update = update_of(&row.key, sets.into_iter().collect(), &[], &[(NOTES, 1)])
            .expression_attribute_names("#notes", NOTES);
        // Two steps that tell of different things at once: the second one reads again what the first one told.
        let update = match row.count(NOTES) {
            0 => update.condition_expression("attribute_exists(pk) AND attribute_not_exists(#notes)"),
            read => update
                .condition_expression("#notes = :read")
                .expression_attribute_values(":read", AttributeValue::N(read.to_string())),
        };
        Ok(self.update(update, changed_meanwhile()))
    }

    fn end_operation(self, row: &Row<Operation>, outcome: &Outcome) -> Result<(Self, Operation)> {
        let (mut ended, now) = (row.value.clone(), self.now());
        ended.apply(outcome.event(), now).map_err(Error::internal)?;
        match outcome {
            Outcome::Succeeded { result } => ended.result.clone_from(result),
            Outcome::Failed { error, .. } => ended.error = Some(error.clone()),
        }
        let mut last = progress(row);
        last.settle(ended.status, now);
        let beside = progress_item(&last, now)?;
        let measurement = Measurement::OperationEnded { kind: ended.kind, status: ended.status };
        Ok((self.measure(measurement).replace_with(row, &ended, Due::Keep, beside), ended))
    }
}

fn progress_item(progress: &Progress, now: Timestamp) -> Result<Item> {
    let at = AttributeValue::S(now.to_string());
    Ok(Item::from([(PROGRESS.to_owned(), attribute(progress)?), (PROGRESS_AT.to_owned(), at)]))
}

fn is_destroyed(ended: &Operation) -> bool {
    ended.kind.is_destroy() && ended.status == OperationStatus::Succeeded
}

fn gone(ended: &Operation) -> Error {
    Error::internal(format!("operation {} outlived {:?}", ended.id, ended.resource))
}
