//! A step at hand: what it belongs to, and what it writes down.

use std::collections::BTreeMap;

use mainsheet_cloud::account::{CONNECTION_TAG, PARTNER_TAG, RESOURCE_TAG, SERVICE, SERVICE_TAG, TENANT_TAG};
use mainsheet_core::operation::{
    Intent, Operation, OperationError, Progress, ProgressResource, ResourceAction, ResourceProgress,
};
use mainsheet_core::{Result, Timestamp};
use mainsheet_store::{Store, Tenant};
use mainsheet_workflow::{Stage, StepOutcome};

use crate::Provisioner;

/// A step of an operation.
pub(crate) struct Work<'p> {
    pub(crate) provisioner: &'p Provisioner,
    pub(crate) tenant: Tenant,
    pub(crate) operation: Operation,
    pub(crate) stage: Stage,
    /// How far the operation was when the step was asked.
    pub(crate) before: Progress,
}

/// Something in an account, by what the provider calls its kind, and its name there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thing<'n> {
    pub(crate) kind: &'static str,
    pub(crate) name: &'n str,
}

impl Work<'_> {
    pub(crate) fn store(&self) -> &Store {
        &self.provisioner.store
    }

    /// Tells that the operation is at this step, and answers since when it is. Trouble of the step before is over.
    pub(crate) async fn enter(&self) -> Result<Timestamp> {
        let stage = self.stage.step.as_str();
        if let Some(since) = self.before.stage_since.filter(|_| self.before.stage == stage) {
            return Ok(since);
        }
        let now = self.store().now();
        let enter = |progress: &mut Progress| {
            stage.clone_into(&mut progress.stage);
            progress.message = self.stage.step.message().to_owned();
            progress.stage_since = Some(now);
            progress.trouble = None;
        };
        self.store().note_progress(&self.tenant, &self.operation.id, enter).await?;
        Ok(now)
    }

    /// Writes down what is about to be made. What was written down before is the answer: its token makes the same call again.
    pub(crate) async fn intend(&self, thing: Thing<'_>) -> Result<Intent> {
        let (operation, tags) = (&self.operation, self.tags());
        let step = self.stage.step.as_str();
        let intent = Intent::new(&operation.id, step, (thing.kind, thing.name), tags, self.store().now());
        self.store().record_intent(&self.tenant, &operation.resource, &intent).await
    }

    /// The tags of everything that is made: they say whose it is, also when nobody else knows any more, and which listing it counts for.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let resource = &self.operation.resource;
        let partner = self.provisioner.product_code.as_ref().map(|code| (PARTNER_TAG.to_owned(), code.tag()));
        let whose = [
            (SERVICE_TAG.to_owned(), SERVICE.to_owned()),
            (CONNECTION_TAG.to_owned(), self.operation.connection_id.to_string()),
            (TENANT_TAG.to_owned(), self.tenant.organization_id().to_string()),
            (RESOURCE_TAG.to_owned(), format!("{}/{}", resource.kind().as_str(), resource.id())),
        ];
        whose.into_iter().chain(partner).collect()
    }

    /// Tells how far something is.
    pub(crate) async fn note(&self, thing: Thing<'_>, action: ResourceAction, status: ResourceProgress) -> Result<()> {
        self.note_all(vec![self.progress_of(thing, action, status)]).await
    }

    /// How far something is.
    pub(crate) fn progress_of(
        &self,
        thing: Thing<'_>,
        action: ResourceAction,
        status: ResourceProgress,
    ) -> ProgressResource {
        ProgressResource {
            urn: self.urn(thing),
            kind: thing.kind.to_owned(),
            name: thing.name.to_owned(),
            operation: action,
            status,
            duration: 0,
            started_at: None,
        }
    }

    /// Tells how far several things are.
    pub(crate) async fn note_all(&self, resources: Vec<ProgressResource>) -> Result<()> {
        if resources.is_empty() {
            return Ok(());
        }
        let now = self.store().now();
        let note = |progress: &mut Progress| {
            for resource in &resources {
                progress.note(resource.clone(), now);
            }
        };
        self.store().note_progress(&self.tenant, &self.operation.id, note).await
    }

    /// Tells that it is still at work, by how long that has taken.
    pub(crate) async fn note_waiting(&self) -> Result<()> {
        let now = self.store().now();
        self.store().note_progress(&self.tenant, &self.operation.id, |progress| progress.age(now)).await
    }

    /// Whether this operation has asked for something to be changed or removed.
    pub(crate) fn has_asked(&self, thing: Thing<'_>, action: ResourceAction) -> bool {
        let urn = self.urn(thing);
        self.before.resources.iter().any(|resource| resource.urn == urn && resource.operation == action)
    }

    /// Something is as it should be: because this operation made it so, or because it was before.
    pub(crate) async fn note_as_wanted(&self, thing: Thing<'_>) -> Result<()> {
        if self.has_asked(thing, ResourceAction::Update) {
            self.note(thing, ResourceAction::Update, ResourceProgress::Succeeded).await
        } else {
            self.note(thing, ResourceAction::Same, ResourceProgress::Unchanged).await
        }
    }

    /// Its name among everything of the operation's.
    fn urn(&self, thing: Thing<'_>) -> String {
        format!("urn:mainsheet:{}:{}:{}", self.operation.resource.id(), thing.kind, thing.name)
    }

    /// Whether nothing in the account is on the resource's behalf.
    pub(crate) async fn has_left_nothing(&self) -> Result<bool> {
        Ok(self.store().intents(&self.tenant, &self.operation.resource).await?.is_empty())
    }

    /// Something was seen to be gone.
    pub(crate) async fn note_gone(&self, thing: Thing<'_>) -> Result<()> {
        let resource = &self.operation.resource;
        self.store().forget_intent(&self.tenant, resource, (thing.kind, thing.name)).await?;
        self.note(thing, ResourceAction::Delete, ResourceProgress::Succeeded).await
    }

    /// Nothing of the resource's is left that the operation has told of.
    pub(crate) async fn note_all_gone(&self) -> Result<()> {
        let now = self.store().now();
        let note = |progress: &mut Progress| {
            for resource in progress.resources.clone() {
                let (operation, status) = (ResourceAction::Delete, ResourceProgress::Succeeded);
                progress.note(ProgressResource { operation, status, ..resource }, now);
            }
        };
        self.store().note_progress(&self.tenant, &self.operation.id, note).await
    }

    /// Something was seen to be there.
    pub(crate) async fn note_created(&self, thing: Thing<'_>, provider_id: &str) -> Result<()> {
        let (tenant, resource) = (&self.tenant, &self.operation.resource);
        self.store().note_created(tenant, resource, (thing.kind, thing.name), provider_id).await?;
        self.note(thing, ResourceAction::Create, ResourceProgress::Succeeded).await
    }

    /// The account gave an answer that may be another one next time.
    pub(crate) async fn note_trouble(&self, trouble: &OperationError) -> Result<()> {
        let note = |progress: &mut Progress| {
            progress.message = format!("{} Trying again.", trouble.message);
            progress.trouble = Some(trouble.clone());
        };
        self.store().note_progress(&self.tenant, &self.operation.id, note).await
    }

    /// The step cannot be done: why is the operation's error, unless something else was before.
    pub(crate) async fn give_up(&self, error: OperationError) -> Result<StepOutcome> {
        self.store().note_failure(&self.tenant, &self.operation.id, &error).await?;
        Ok(StepOutcome::Failed)
    }
}
