//! The one life that networks, provisioned clusters and provisioned catalogs share (contract, behaviour section 5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::operation::ResourceRef;
use crate::{ConnectionId, Error, MemberId, NetworkId, OperationId, Result, Timestamp};

/// Where something that is provisioned into a customer's account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProvisioningStatus {
    /// Described; nothing of it is in the account.
    Pending,
    /// It is being built.
    Provisioning,
    /// It is there and works.
    Active,
    /// It is there and is being changed.
    Updating,
    /// It is being torn down.
    Destroying,
    /// Nothing of it is in the account any more.
    Destroyed,
    /// The last operation failed or was cancelled; parts of it may be in the account until it is destroyed.
    Failed,
}

/// What may happen to something that is provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvisioningEvent {
    /// Somebody wants it built.
    Provision,
    /// Somebody wants it changed.
    Update,
    /// Somebody wants it torn down.
    Destroy,
    /// What was under way is done.
    Succeed,
    /// What was under way failed or was cancelled.
    Fail,
    /// A change failed or was cancelled, and what was there before works as ever.
    Revert,
}

/// An event that the present status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is {status:?} cannot {event:?}")]
pub struct InvalidTransition {
    /// Where it stands.
    pub status: ProvisioningStatus,
    /// What was to happen.
    pub event: ProvisioningEvent,
}

impl ProvisioningStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Provisioning,
        Self::Active,
        Self::Updating,
        Self::Destroying,
        Self::Destroyed,
        Self::Failed,
    ];

    /// Where `event` leads. The only way it changes.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the contract has no such step.
    pub fn next(self, event: ProvisioningEvent) -> Result<Self, InvalidTransition> {
        use ProvisioningEvent as E;
        match (self, event) {
            (Self::Pending, E::Provision) => Ok(Self::Provisioning),
            (Self::Active, E::Update) => Ok(Self::Updating),
            (Self::Active | Self::Failed, E::Destroy) => Ok(Self::Destroying),
            (Self::Provisioning | Self::Updating, E::Succeed) | (Self::Updating, E::Revert) => Ok(Self::Active),
            (Self::Destroying, E::Succeed) => Ok(Self::Destroyed),
            (Self::Provisioning | Self::Updating | Self::Destroying, E::Fail) => Ok(Self::Failed),
            (status, event) => Err(InvalidTransition { status, event }),
        }
    }

    /// An operation on it is under way.
    #[must_use]
    pub fn is_in_motion(self) -> bool {
        matches!(self, Self::Provisioning | Self::Updating | Self::Destroying)
    }

    /// Nothing of it can be in the account, so its record may go.
    #[must_use]
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Pending | Self::Destroyed)
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Updating => "updating",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
            Self::Failed => "failed",
        }
    }
}

impl ProvisioningEvent {
    /// Every event.
    pub const ALL: [Self; 6] = [Self::Provision, Self::Update, Self::Destroy, Self::Succeed, Self::Fail, Self::Revert];
}

/// What everything that is provisioned has in common: where it stands and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provisioning {
    /// Where it stands.
    pub status: ProvisioningStatus,
    /// Why it stands there, for a person.
    pub status_message: Option<String>,
    /// The operation that is under way.
    pub live_operation: Option<OperationId>,
    /// The operation that was started last.
    pub latest_operation: Option<OperationId>,
    /// The CloudFormation stack that holds it, once there is one.
    pub stack_name: Option<String>,
    /// What the stack puts out.
    pub outputs: BTreeMap<String, String>,
    /// When it was described.
    pub created_at: Timestamp,
    /// Who described it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last, or began what changed it.
    pub updated_by: MemberId,
}

/// Something that is provisioned into a customer's account.
pub trait Provisioned: Clone {
    /// Which one it is.
    fn reference(&self) -> ResourceRef;
    /// Its name, for people.
    fn name(&self) -> &str;
    /// The account that it is in.
    fn connection_id(&self) -> &ConnectionId;
    /// The network that it is in; `None` of a network.
    fn network_id(&self) -> Option<&NetworkId>;
    /// Where it stands.
    fn provisioning(&self) -> &Provisioning;
    /// Where it stands, to be changed.
    fn provisioning_mut(&mut self) -> &mut Provisioning;

    /// The operation that was under way has ended: what it aimed at is so, or is forgotten.
    fn settle(&mut self, _succeeded: bool) {}
}

impl Provisioning {
    /// Described, and nothing more.
    #[must_use]
    pub fn pending(by: &MemberId, now: Timestamp) -> Self {
        Self {
            status: ProvisioningStatus::Pending,
            status_message: None,
            live_operation: None,
            latest_operation: None,
            stack_name: None,
            outputs: BTreeMap::new(),
            created_at: now,
            created_by: by.clone(),
            updated_at: now,
            updated_by: by.clone(),
        }
    }

    /// An operation begins.
    ///
    /// # Errors
    /// [`Error::Conflict`] that says what stands against it: an operation under way (`operation_in_progress`), or the status
    /// (`not_pending`, `not_active`, `not_destroyable`). It is unchanged then.
    pub fn begin(
        &mut self,
        event: ProvisioningEvent,
        operation: &OperationId,
        by: &MemberId,
        now: Timestamp,
    ) -> Result<()> {
        if let Some(live) = &self.live_operation {
            return Err(operation_in_progress(live));
        }
        self.status = self.status.next(event).map_err(refused)?;
        self.status_message = None;
        self.live_operation = Some(operation.clone());
        self.latest_operation = Some(operation.clone());
        self.updated_at = now;
        self.updated_by = by.clone();
        Ok(())
    }

    /// The operation that is under way ends.
    ///
    /// # Errors
    /// [`InvalidTransition`] when none is under way that could end like this; it is unchanged then.
    pub fn end(
        &mut self,
        event: ProvisioningEvent,
        message: Option<String>,
        now: Timestamp,
    ) -> Result<(), InvalidTransition> {
        self.status = self.status.next(event)?;
        self.status_message = message;
        self.live_operation = None;
        self.updated_at = now;
        Ok(())
    }

    /// Its record may go.
    ///
    /// # Errors
    /// [`Error::Conflict`] (`infrastructure_may_live`) while parts of it may be in the account.
    pub fn require_gone(&self) -> Result<()> {
        if self.status.is_gone() {
            return Ok(());
        }
        let status = self.status.as_str();
        Err(Error::conflict(
            "infrastructure_may_live",
            format!(
                "It is `{status}`, so parts of it may be in your account. Destroy it first; its record can go then."
            ),
        ))
    }
}

/// Another operation has to end first.
#[must_use]
pub fn operation_in_progress(live: &OperationId) -> Error {
    let message =
        format!("Operation {live} is under way. Wait for its end, or cancel it: `DELETE /operations/{live}`.");
    Error::conflict("operation_in_progress", message)
}

fn refused(InvalidTransition { status, event }: InvalidTransition) -> Error {
    let status = status.as_str();
    let (code, message) = match event {
        ProvisioningEvent::Provision => {
            ("not_pending", format!("It is `{status}`; only what is `pending` can be provisioned."))
        }
        ProvisioningEvent::Update => ("not_active", format!("It is `{status}`; only what is `active` can be changed.")),
        ProvisioningEvent::Destroy => (
            "not_destroyable",
            format!(
                "It is `{status}`; only what is `active` or `failed` can be destroyed. Delete the record of what is not there."
            ),
        ),
        ProvisioningEvent::Succeed | ProvisioningEvent::Fail | ProvisioningEvent::Revert => {
            return Error::internal(format!("what is {status} cannot {event:?}"));
        }
    };
    Error::conflict(code, message)
}
