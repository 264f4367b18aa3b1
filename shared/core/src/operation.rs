//! Operations: what takes its time in a customer's account, from its beginning to its end (contract, behaviour section 6).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::provisioning::ProvisioningEvent;
use crate::{CatalogId, ClusterId, ConnectionId, Error, MemberId, NetworkId, OperationId, Timestamp};

/// An operation, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id, which is also the name of the workflow's execution.
    pub id: OperationId,
    /// What is done.
    pub kind: OperationKind,
    /// To which thing.
    pub resource: ResourceRef,
    /// The account that it happens in.
    pub connection_id: ConnectionId,
    /// Who wants it.
    pub member_id: MemberId,
    /// Where it stands.
    pub status: OperationStatus,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed or was cancelled.
    pub error: Option<OperationError>,
    /// When somebody asked to stop it.
    pub cancel_requested_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed, progress apart.
    pub updated_at: Timestamp,
    /// When its workflow began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// What an operation does (contract, decisions, Infrastructure).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum OperationKind {
    /// Builds a network.
    #[serde(rename = "network.provision")]
    NetworkProvision,
    /// Tears a network down.
    #[serde(rename = "network.destroy")]
    NetworkDestroy,
    /// Builds a cluster.
    #[serde(rename = "cluster.provision")]
    ClusterProvision,
    /// Changes a cluster.
    #[serde(rename = "cluster.update")]
    ClusterUpdate,
    /// Tears a cluster down.
    #[serde(rename = "cluster.destroy")]
    ClusterDestroy,
    /// Builds a catalog.
    #[serde(rename = "catalog.provision")]
    CatalogProvision,
    /// Tears a catalog down.
    #[serde(rename = "catalog.destroy")]
    CatalogDestroy,
    /// Brings a connection's stack to the newest template.
    #[serde(rename = "connection.sync_template")]
    ConnectionSyncTemplate,
}

/// The thing that an operation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum ResourceRef {
    /// A connection.
    Connection(ConnectionId),
    /// A network.
    Network(NetworkId),
    /// A provisioned cluster.
    Cluster(ClusterId),
    /// A provisioned catalog.
    Catalog(CatalogId),
}

/// What kind of thing an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A connection.
    Connection,
    /// A network.
    Network,
    /// A provisioned cluster.
    Cluster,
    /// A provisioned catalog.
    Catalog,
}

impl ResourceRef {
    /// What kind of thing it is.
    #[must_use]
    pub fn kind(&self) -> ResourceKind {
        match self {
            Self::Connection(_) => ResourceKind::Connection,
            Self::Network(_) => ResourceKind::Network,
            Self::Cluster(_) => ResourceKind::Cluster,
            Self::Catalog(_) => ResourceKind::Catalog,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Connection(id) => id.as_str(),
            Self::Network(id) => id.as_str(),
            Self::Cluster(id) => id.as_str(),
            Self::Catalog(id) => id.as_str(),
        }
    }
}

impl ResourceKind {
    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Network => "network",
            Self::Cluster => "cluster",
            Self::Catalog => "catalog",
        }
    }
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NetworkProvision,
        Self::NetworkDestroy,
        Self::ClusterProvision,
        Self::ClusterUpdate,
        Self::ClusterDestroy,
        Self::CatalogProvision,
        Self::CatalogDestroy,
        Self::ConnectionSyncTemplate,
    ];

    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkProvision => "network.provision",
            Self::NetworkDestroy => "network.destroy",
            Self::ClusterProvision => "cluster.provision",
            Self::ClusterUpdate => "cluster.update",
            Self::ClusterDestroy => "cluster.destroy",
            Self::CatalogProvision => "catalog.provision",
            Self::CatalogDestroy => "catalog.destroy",
            Self::ConnectionSyncTemplate => "connection.sync_template",
        }
    }

    /// What its beginning does to the thing that it is about; `None` for connections, which have another life.
    #[must_use]
    pub fn event(self) -> Option<ProvisioningEvent> {
        match self {
            Self::NetworkProvision | Self::ClusterProvision | Self::CatalogProvision => {
                Some(ProvisioningEvent::Provision)
            }
            Self::ClusterUpdate => Some(ProvisioningEvent::Update),
            Self::NetworkDestroy | Self::ClusterDestroy | Self::CatalogDestroy => Some(ProvisioningEvent::Destroy),
            Self::ConnectionSyncTemplate => None,
        }
    }

    /// Whether nothing of the thing is left when it has succeeded.
    #[must_use]
    pub fn is_destroy(self) -> bool {
        self.event() == Some(ProvisioningEvent::Destroy)
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// Its workflow has not begun.
    Pending,
    /// Its workflow is at it.
    Running,
    /// What was asked for is so.
    Succeeded,
    /// It is not, and will not be by itself.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// What may happen to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationEvent {
    /// Its workflow begins.
    Start,
    /// What was asked for is so.
    Succeed,
    /// It cannot be done.
    Fail,
    /// It stops, because somebody asked for that.
    Cancel,
}

/// An event that the present status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operation that is {status:?} cannot {event:?}")]
pub struct InvalidTransition {
    /// Where the operation stands.
    pub status: OperationStatus,
    /// What was to happen.
    pub event: OperationEvent,
}

impl OperationStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Where `event` leads. The only way an operation changes status.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the contract has no such step.
    pub fn next(self, event: OperationEvent) -> Result<Self, InvalidTransition> {
        use OperationEvent as E;
        match (self, event) {
            (Self::Pending, E::Start) => Ok(Self::Running),
            (Self::Running, E::Succeed) => Ok(Self::Succeeded),
            (Self::Pending | Self::Running, E::Fail) => Ok(Self::Failed),
            (Self::Pending | Self::Running, E::Cancel) => Ok(Self::Cancelled),
            (status, event) => Err(InvalidTransition { status, event }),
        }
    }

    /// Nothing will happen to it any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self >= Self::Succeeded
    }
}

impl OperationEvent {
    /// Every event.
    pub const ALL: [Self; 4] = [Self::Start, Self::Succeed, Self::Fail, Self::Cancel];
}

impl Operation {
    /// A new operation.
    #[must_use]
    pub fn new(
        kind: OperationKind,
        resource: ResourceRef,
        connection: &ConnectionId,
        by: &MemberId,
        now: Timestamp,
    ) -> Self {
        Self {
            id: OperationId::generate(now),
            kind,
            resource,
            connection_id: connection.clone(),
            member_id: by.clone(),
            status: OperationStatus::Pending,
            result: None,
            error: None,
            cancel_requested_at: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            completed_at: None,
        }
    }

    /// Moves the operation on.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the contract has no such step; the operation is unchanged then.
    pub fn apply(&mut self, event: OperationEvent, now: Timestamp) -> Result<(), InvalidTransition> {
        self.status = self.status.next(event)?;
        self.updated_at = now;
        if event == OperationEvent::Start {
            self.started_at = Some(now);
        }
        if self.status.is_terminal() {
            self.completed_at = Some(now);
        }
        Ok(())
    }

    /// Somebody asks to stop it. Asking again changes nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] (`operation_ended`) when there is nothing left to stop.
    pub fn request_cancellation(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.status.is_terminal() {
            let message = "The operation has ended; there is nothing left to cancel.";
            return Err(Error::conflict("operation_ended", message));
        }
        if self.cancel_requested_at.is_none() {
            self.cancel_requested_at = Some(now);
            self.updated_at = now;
        }
        Ok(())
    }
}

/// Why an operation failed: stable, machine-readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// There is no such role, or it does not trust the platform with this connection's external id: AWS answers both alike.
    RoleNotAssumable,
    /// The role, or its permissions boundary, does not permit a call.
    PermissionMissing,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// The provider has no machines of the wanted kind at the moment.
    CapacityUnavailable,
    /// The addresses are in use, or do not fit.
    AddressConflict,
    /// The provider does not have the wanted version.
    VersionUnsupported,
    /// The account does not have the region.
    RegionUnavailable,
    /// Something in the account that the platform did not make stands in the way.
    DependencyExists,
    /// Something that has to be there is not.
    DependencyMissing,
    /// The provider refused a request as it is.
    RequestRefused,
    /// What the provider was making failed there.
    ResourceFailed,
    /// It took longer than it may.
    TimedOut,
    /// The provider asked for patience for longer than it may.
    Throttled,
    /// The provider did not answer.
    ProviderUnavailable,
    /// Somebody cancelled it.
    Cancelled,
    /// A defect of ours.
    Internal,
}

impl FailureCode {
    /// Whether the same operation may succeed later without anything else changing.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::CapacityUnavailable
                | Self::TimedOut
                | Self::Throttled
                | Self::ProviderUnavailable
                | Self::Cancelled
                | Self::Internal
        )
    }
}

/// Why an operation failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationError {
    /// Stable, machine-readable.
    pub code: FailureCode,
    /// What was wrong, as a sentence.
    pub message: String,
    /// What to change, as a sentence.
    pub remedy: String,
    /// What the provider said, shortened, without anything secret.
    pub caused_by: Option<String>,
}

/// How far an operation is. It is kept beside the operation and makes no new version of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What it is at, as the workflow calls it.
    pub stage: String,
    /// The same for a person.
    pub message: String,
    /// What it makes, changes or removes, in the order of the work.
    pub resources: Vec<ProgressResource>,
    /// Since when it is at this stage.
    #[serde(default)]
    pub stage_since: Option<Timestamp>,
    /// What it met at this stage that may pass.
    #[serde(default)]
    pub trouble: Option<OperationError>,
}

/// Something that an operation makes, changes or removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressResource {
    /// Its name among all of the operation's, as in `urn:mainsheet:<cluster>:AWS::EKS::Cluster:control-plane`.
    pub urn: String,
    /// What the provider calls its kind, as in `AWS::EKS::Cluster`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in the account.
    pub name: String,
    /// What is done to it.
    pub operation: ResourceAction,
    /// How far that is.
    pub status: ResourceProgress,
    /// How long that has taken, in seconds.
    pub duration: u64,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// What is done to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceAction {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
    /// Nothing: it is as it should be.
    Same,
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceProgress {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// It did not come about.
    Failed,
    /// Nothing had to be done.
    Unchanged,
}

/// How many of an operation's resources are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressSummary {
    /// All of them.
    pub total: u32,
    /// Not begun.
    pub pending: u32,
    /// Under way.
    pub running: u32,
    /// Done.
    pub succeeded: u32,
    /// Those that did not come about.
    pub failed: u32,
    /// Those that nothing had to be done to.
    pub unchanged: u32,
}

/// The least time between two notes that tell nothing but messages and durations.
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

impl Progress {
    /// How many resources are how far.
    #[must_use]
    pub fn summary(&self) -> ProgressSummary {
        self.resources.iter().fold(ProgressSummary::default(), |mut summary, resource| {
            summary.total += 1;
            *match resource.status {
                ResourceProgress::Pending => &mut summary.pending,
                ResourceProgress::Running => &mut summary.running,
                ResourceProgress::Succeeded => &mut summary.succeeded,
                ResourceProgress::Failed => &mut summary.failed,
                ResourceProgress::Unchanged => &mut summary.unchanged,
            } += 1;
            summary
        })
    }

    /// A resource is that far; one that is not known yet is added.
    pub fn note(&mut self, resource: ProgressResource, now: Timestamp) {
        let index = match self.resources.iter().position(|known| known.urn == resource.urn) {
            Some(index) => index,
            None => {
                self.resources.push(resource.clone());
                self.resources.len() - 1
            }
        };
        let known = &mut self.resources[index];
        let started_at = match resource.status {
            ResourceProgress::Pending | ResourceProgress::Unchanged => None,
            _ => known.started_at.or(resource.started_at).or(Some(now)),
        };
        let duration = started_at.map_or(0, |started_at| now.since(started_at).as_secs());
        // What has ended does not go on ageing.
        let ended = known.status == resource.status && resource.status >= ResourceProgress::Succeeded;
        let duration = if ended { known.duration } else { duration };
        *known = ProgressResource { started_at, duration, ..resource };
    }

    /// What is under way has been until `now`.
    pub fn age(&mut self, now: Timestamp) {
        for resource in self.resources.iter_mut().filter(|resource| resource.status == ResourceProgress::Running) {
            resource.duration = resource.started_at.map_or(0, |started_at| now.since(started_at).as_secs());
        }
    }

    /// Whether this tells more than `earlier` did besides messages and durations.
    #[must_use]
    pub fn is_news_after(&self, earlier: &Self) -> bool {
        let essence = |progress: &Self| -> (String, BTreeMap<String, (ResourceProgress, String)>) {
            let resources = progress.resources.iter();
            let resources = resources.map(|resource| (resource.urn.clone(), (resource.status, resource.name.clone())));
            (progress.stage.clone(), resources.collect())
        };
        essence(self) != essence(earlier) || self.trouble != earlier.trouble
    }

    /// The operation has ended. When it succeeded, all of it came about, also what was last seen before it had begun; else what was
    /// under way did not.
    pub fn settle(&mut self, status: OperationStatus, now: Timestamp) {
        for resource in &mut self.resources {
            resource.status = match (resource.status, status) {
                (ResourceProgress::Pending | ResourceProgress::Running, OperationStatus::Succeeded) => {
                    ResourceProgress::Succeeded
                }
                (ResourceProgress::Running, _) => ResourceProgress::Failed,
                _ => continue,
            };
            resource.duration = resource.started_at.map_or(0, |started_at| now.since(started_at).as_secs());
        }
    }
}

/// Something that is about to be made in an account: written down before the call that makes it, so that whatever happens then,
/// it is known what may be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// What the provider calls its kind, as in `AWS::EKS::Cluster`.
    pub kind: String,
    /// Its name in the account.
    pub name: String,
    /// What makes the call the same one when it is sent again; at most 64 characters (AWS, client request tokens).
    pub client_token: String,
    /// The tags that it is made with.
    pub tags: BTreeMap<String, String>,
    /// The operation that makes it.
    pub operation_id: OperationId,
    /// The provider's own id of it, once it has answered.
    pub provider_id: Option<String>,
    /// When it was written down.
    pub created_at: Timestamp,
}

impl Intent {
    /// What a step of an operation is about to make. `step` names the step among all of the operation's, in at most 40 ASCII
    /// characters: repeated, it makes the same call again.
    #[must_use]
    pub fn new(
        operation: &OperationId,
        step: &str,
        (kind, name): (impl Into<String>, impl Into<String>),
        tags: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            client_token: format!("{operation}-{step}"),
            tags,
            operation_id: operation.clone(),
            provider_id: None,
            created_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(urn: &str, status: ResourceProgress) -> ProgressResource {
        ProgressResource {
            urn: urn.to_owned(),
            kind: "AWS::EC2::VPC".to_owned(),
            name: "vpc".to_owned(),
            operation: ResourceAction::Create,
            status,
            duration: 0,
            started_at: None,
        }
    }

    #[test]
    fn kinds_are_written_one_way() {
        for kind in OperationKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn progress_counts_and_measures() {
        let at = Timestamp::from_millisecond;
        let mut progress = Progress::default();
        progress.note(resource("a", ResourceProgress::Pending), at(0));
        progress.note(resource("b", ResourceProgress::Unchanged), at(0));
        progress.note(resource("a", ResourceProgress::Running), at(1_000));
        let before = progress.clone();
        progress.age(at(61_000));
        assert_eq!(progress.resources[0].duration, 60);
        assert!(!progress.is_news_after(&before), "a duration is no news");
        progress.note(resource("a", ResourceProgress::Succeeded), at(71_000));
        assert!(progress.is_news_after(&before));
        progress.note(resource("a", ResourceProgress::Succeeded), at(99_000));
        assert_eq!((progress.resources.len(), progress.resources[0].duration), (2, 70));
        let summary = progress.summary();
        assert_eq!((summary.total, summary.succeeded, summary.unchanged, summary.running), (2, 1, 1, 0));
    }

    #[test]
    fn what_was_under_way_ends_with_the_operation() {
        let mut progress = Progress::default();
        progress.note(resource("a", ResourceProgress::Running), Timestamp::from_millisecond(0));
        progress.note(resource("b", ResourceProgress::Pending), Timestamp::from_millisecond(0));
        let mut succeeded = progress.clone();
        progress.settle(OperationStatus::Failed, Timestamp::from_millisecond(5_000));
        assert_eq!((progress.resources[0].status, progress.resources[0].duration), (ResourceProgress::Failed, 5));
        assert_eq!(progress.resources[1].status, ResourceProgress::Pending, "nothing was done to it");
        succeeded.settle(OperationStatus::Succeeded, Timestamp::from_millisecond(5_000));
        assert_eq!(succeeded.summary().succeeded, 2);
    }
}
