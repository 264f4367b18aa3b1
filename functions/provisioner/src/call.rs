//! What the function is called with.

use mainsheet_core::{Error, OperationId, OrganizationId, Result};
use mainsheet_workflow::{Step, StepRequest};
use serde::Deserialize;

/// A call of the function: by a state machine, or by EventBridge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Call {
    /// A state machine asks for a step.
    Step(StepRequest),
    /// An execution has ended without success.
    Stopped(ExecutionStopped),
}

/// EventBridge's event `Step Functions Execution Status Change`, of an execution that has failed, timed out or was aborted.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExecutionStopped {
    detail: ExecutionDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct ExecutionDetail {
    /// What the execution was started with, as JSON.
    input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionInput {
    organization_id: OrganizationId,
    operation_id: OperationId,
}

impl Call {
    /// The step that is to be done. An operation whose execution has stopped is over, also when its state machine could not say so:
    /// it was aborted by hand, ran out of time, or was forbidden to call the function.
    ///
    /// # Errors
    /// [`Error::Internal`] when the execution is none of an operation.
    pub fn into_step(self) -> Result<StepRequest> {
        match self {
            Self::Step(request) => Ok(request),
            Self::Stopped(ExecutionStopped { detail }) => {
                let ExecutionInput { organization_id, operation_id } =
                    serde_json::from_str(&detail.input).map_err(Error::internal)?;
                Ok(StepRequest { organization_id, operation_id, step: Step::Fail })
            }
        }
    }
}
