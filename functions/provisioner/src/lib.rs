//! Does the steps of workflows (`shared/workflow`) in customers' accounts.
//!
//! A step makes sure that something is so. It looks at what is there, begins what has not begun and answers how far it is; it
//! remembers nothing, so it can be asked twice, after a crash, or after an answer that was lost. Before anything is made in an
//! account, it is written down as an intent.

mod call;
mod ending;
mod manifests;
mod product_code;
mod steps;
mod trouble;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::account::CloudAccounts;
use mainsheet_core::measurement::Measurement;
use mainsheet_core::operation::{FailureCode, Operation, OperationError, Progress};
use mainsheet_core::{Error, Result};
use mainsheet_store::{Row, Store, Tenant, operations};
use mainsheet_workflow::{Stage, Step, StepOutcome, StepRequest, Workflow, workflow};

use trouble::Trouble;
use work::Work;

pub use call::Call;
pub use manifests::Images;
pub use product_code::ProductCode;

/// How far what a step makes sure of is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It is so.
    Done,
    /// It is on its way.
    NotYet,
}

/// Does steps.
#[derive(Clone)]
pub struct Provisioner {
    store: Store,
    accounts: Arc<dyn CloudAccounts>,
    sealer: Arc<Sealer>,
    agent: AgentSettings,
    product_code: Option<ProductCode>,
}

/// What agents that are installed are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// What they call, without a slash at its end.
    pub api_url: String,
    /// Their container images.
    pub images: Images,
}

impl fmt::Debug for Provisioner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Provisioner").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl Provisioner {
    /// One that enters accounts through `accounts`; `sealer` opens their external ids.
    #[must_use]
    pub fn new(store: Store, accounts: Arc<dyn CloudAccounts>, sealer: Arc<Sealer>, agent: AgentSettings) -> Self {
        Self { store, accounts, sealer, agent, product_code: None }
    }

    /// What is made from now on counts for a listing on AWS Marketplace.
    #[must_use]
    pub fn with_product_code(mut self, code: ProductCode) -> Self {
        self.product_code = Some(code);
        self
    }

    /// Does a step, as far as it goes now.
    ///
    /// # Errors
    /// Trouble that passes: the step is to be asked again. It is [`Error::ProviderUnavailable`] where the account is the reason.
    pub async fn handle(&self, request: &StepRequest) -> Result<StepOutcome> {
        let answer = self.step(request).await;
        if answer.as_ref().is_err_and(|error| !matches!(error, Error::ProviderUnavailable { .. })) {
            self.store.measure(&Measurement::StepFailed);
        }
        answer
    }

    /// Time in which nobody asked for a step that was due counts towards no deadline: it says nothing of the account.
    ///
    /// # Errors
    /// When the table cannot be reached.
    pub async fn excuse(&self, request: &StepRequest, absence: Duration) -> Result<()> {
        let Some((tenant, _)) = self.operation_of(request).await? else { return Ok(()) };
        let excuse = |progress: &mut Progress| {
            if progress.stage == request.step.as_str() {
                progress.stage_since = progress.stage_since.map(|since| since + absence);
            }
        };
        self.store.note_progress(&tenant, &request.operation_id, excuse).await
    }

    /// The operation of a step; `None` when nothing is left to work for.
    async fn operation_of(&self, request: &StepRequest) -> Result<Option<(Tenant, Row<Operation>)>> {
        match self.store.operation_of_execution(&request.organization_id, &request.operation_id).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn step(&self, request: &StepRequest) -> Result<StepOutcome> {
        let Some((tenant, row)) = self.operation_of(request).await? else { return Ok(StepOutcome::Failed) };
        if row.value.status.is_terminal() {
            return Ok(StepOutcome::Done);
        }
        let workflow = workflow(row.value.kind);
        let Some(stage) = workflow.stage(request.step) else {
            return Err(Error::internal(format!("{} has no step {}", workflow.name(), request.step.as_str())));
        };
        match request.step {
            Step::Succeed | Step::Revert | Step::Fail => {
                ending::end(&self.store, &tenant, &row, request.step).await.map(|()| StepOutcome::Done)
            }
            _ => self.advance(workflow, stage, tenant, &row).await,
        }
    }

    async fn advance(
        &self,
        workflow: &Workflow,
        stage: Stage,
        tenant: Tenant,
        row: &Row<Operation>,
    ) -> Result<StepOutcome> {
        if workflow.is_forward(stage.step) {
            if let Some(outcome) = self.stopped(&tenant, &row.value).await? {
                return Ok(outcome);
            }
        } else if row.value.error.is_none() {
            // A step that was tried in vain to the end could not say so itself. Later the progress tells of what is undone.
            self.store.note_failure(&tenant, &row.value.id, &ending::reason(row)).await?;
        }
        let operation = self.store.begin_operation(&tenant, &row.value.id).await?;
        let work = Work { provisioner: self, tenant, operation, stage, before: operations::progress(row) };
        let since = work.enter().await?;
        match steps::make_sure(&work).await {
            Ok(Reached::Done) => Ok(StepOutcome::Done),
            Ok(Reached::NotYet) if self.store.now().since(since) < stage.deadline => {
                work.note_waiting().await?;
                Ok(StepOutcome::Again)
            }
            Ok(Reached::NotYet) => work.give_up(too_late(stage)).await,
            Err(Trouble::Lasting(error)) => work.give_up(error).await,
            Err(Trouble::Passing(error)) => {
                work.note_trouble(&error).await?;
                Err(Error::provider_unavailable(format!("{}: {}", stage.step.as_str(), error.message)))
            }
            Err(Trouble::Ours(error)) => Err(error),
        }
    }

    /// Whether an operation does not go forward any more: it failed before, and its execution was started again, or somebody
    /// asked for its cancellation.
    async fn stopped(&self, tenant: &Tenant, operation: &Operation) -> Result<Option<StepOutcome>> {
        if operation.error.is_some() {
            return Ok(Some(StepOutcome::Failed));
        }
        if operation.cancel_requested_at.is_none() {
            return Ok(None);
        }
        self.store.note_failure(tenant, &operation.id, &cancelled()).await?;
        Ok(Some(StepOutcome::Cancelled))
    }
}

fn cancelled() -> OperationError {
    OperationError {
        code: FailureCode::Cancelled,
        message: "It was cancelled.".to_owned(),
        remedy: String::new(),
        caused_by: None,
    }
}

fn too_late(stage: Stage) -> OperationError {
    let minutes = stage.deadline.as_secs() / 60;
    OperationError {
        code: FailureCode::TimedOut,
        message: format!("The step `{}` took longer than {minutes} minutes.", stage.step.as_str()),
        remedy: "Look in your account for what holds it up, then destroy what is left and try again.".to_owned(),
        caused_by: None,
    }
}
