//! A walk through a workflow that can be put down after every step and taken up again: what the embedded platform keeps.

use mainsheet_core::operation::OperationKind;
use mainsheet_core::{OperationId, OrganizationId, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Next, RETRY, Step, StepOutcome, StepRequest, workflow};

/// An execution that waits for its next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Which workflow.
    pub operation: OperationKind,
    /// Whose.
    pub organization_id: OrganizationId,
    /// For which operation.
    pub operation_id: OperationId,
    /// The step to do.
    pub step: Step,
    /// When to do it.
    pub due_at: Timestamp,
    /// How often it was tried in vain since it last answered.
    pub failures: u32,
}

impl Execution {
    /// One that has not begun.
    #[must_use]
    pub fn begin(
        operation: OperationKind,
        organization_id: OrganizationId,
        operation_id: OperationId,
        now: Timestamp,
    ) -> Self {
        let step = workflow(operation).first();
        Self { operation, organization_id, operation_id, step, due_at: now, failures: 0 }
    }

    /// What the provisioner is asked next.
    #[must_use]
    pub fn request(&self) -> StepRequest {
        StepRequest {
            organization_id: self.organization_id.clone(),
            operation_id: self.operation_id.clone(),
            step: self.step,
        }
    }

    /// Where it stands after the step's answer; `None` when it is over.
    #[must_use]
    pub fn advance(self, answer: &Result<StepOutcome>, now: Timestamp) -> Option<Self> {
        let (workflow, step) = (workflow(self.operation), self.step);
        match answer {
            Ok(StepOutcome::Done) => self.go_on(workflow.after(step), now),
            Ok(StepOutcome::Again) => {
                let interval = workflow.stage(step).map(|stage| stage.interval).unwrap_or_default();
                Some(Self { due_at: now + interval, failures: 0, ..self })
            }
            Ok(StepOutcome::Failed | StepOutcome::Cancelled) => self.go_on(workflow.after_failure(step), now),
            Err(_) => match RETRY.delay(self.failures + 1, self.jitter()) {
                Some(delay) => Some(Self { due_at: now + delay, failures: self.failures + 1, ..self }),
                None => self.go_on(workflow.after_failure(step), now),
            },
        }
    }

    fn go_on(self, next: Next, now: Timestamp) -> Option<Self> {
        match next {
            Next::Step(step) => Some(Self { step, due_at: now, failures: 0, ..self }),
            Next::End => None,
        }
    }

    /// From 0 to 1, and the same for the same failure of the same operation: apart is what counts, not unforeseeable.
    fn jitter(&self) -> f64 {
        let text = format!("{}{}{}", self.operation_id, self.step.as_str(), self.failures);
        // FNV-1a, 32 bit.
        let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        f64::from(hash) / f64::from(u32::MAX)
    }
}
