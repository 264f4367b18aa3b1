//! Workflows: what is done step by step, for minutes and hours.

use async_trait::async_trait;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::{OperationId, OrganizationId, Result};

/// A workflow to start. Its input is ids alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowStart {
    /// Which workflow.
    pub kind: OperationKind,
    /// Whose operation it is.
    pub organization_id: OrganizationId,
    /// The operation; the execution has its name.
    pub operation_id: OperationId,
}

/// Where workflows run.
#[async_trait]
pub trait Workflows: Send + Sync {
    /// Starts the workflow of an operation. Started again, it is the same execution.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unavailable`] when it was not taken; it may be started again.
    async fn start(&self, start: WorkflowStart) -> Result<()>;
}
