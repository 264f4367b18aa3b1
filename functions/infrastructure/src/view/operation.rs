//! Operations as the contract shows them.

use mainsheet_core::operation::{
    FailureCode, Operation, OperationError, OperationKind, OperationStatus, Progress, ProgressResource,
    ProgressSummary, ResourceKind,
};
use mainsheet_core::{MemberId, OperationId, OrganizationId, Timestamp};
use mainsheet_store::operations::progress;
use mainsheet_store::{Row, Tenant};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Something that takes its time in a customer's account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operation)]
pub(crate) struct OperationView {
    id: OperationId,
    organization_id: OrganizationId,
    /// Who wants it.
    member_id: MemberId,
    /// What it does.
    operation: OperationKind,
    status: OperationStatus,
    /// What came of it; its shape is the operation's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it failed or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OperationErrorView>,
    progress: OperationProgress,
    /// What kind of thing it is about.
    resource_type: ResourceKind,
    /// The thing that it is about.
    #[schema(pattern = "^[A-Z0-9]{1,20}$")]
    resource_id: String,
    /// When somebody asked to stop it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When its workflow began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
}

/// Why an operation failed, and what to do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperationError)]
pub(crate) struct OperationErrorView {
    /// Stable, for programs.
    code: FailureCode,
    /// What was wrong, and what to change.
    message: String,
    /// `cancelled`, else `operation_failed`.
    error_type: &'static str,
    details: OperationErrorDetails,
}

/// What else is known about why an operation failed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationErrorDetails {
    /// Whether the same operation may succeed later without anything else changing.
    retryable: bool,
    /// What the cloud's provider said.
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<String>,
}

/// How far an operation is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationProgress {
    /// What it is at; empty before its workflow begins.
    stage: String,
    /// The same for a person.
    message: String,
    /// What it makes, changes or removes.
    resources: Vec<ProgressResource>,
    summary: ProgressSummary,
}

impl From<Progress> for OperationProgress {
    fn from(progress: Progress) -> Self {
        let summary = progress.summary();
        Self { stage: progress.stage, message: progress.message, resources: progress.resources, summary }
    }
}

impl From<OperationError> for OperationErrorView {
    fn from(error: OperationError) -> Self {
        Self {
            code: error.code,
            error_type: if error.code == FailureCode::Cancelled { "cancelled" } else { "operation_failed" },
            details: OperationErrorDetails { retryable: error.code.is_retryable(), caused_by: error.caused_by },
            message: format!("{} {}", error.message, error.remedy).trim().to_owned(),
        }
    }
}

impl OperationView {
    pub(crate) fn of(tenant: &Tenant, row: &Row<Operation>) -> Self {
        Self::with(tenant, &row.value, progress(row))
    }

    /// One that has just been asked for.
    pub(crate) fn with(tenant: &Tenant, operation: &Operation, progress: Progress) -> Self {
        let resource_id = operation.resource.id().to_owned();
        let operation = operation.clone();
        Self {
            id: operation.id,
            organization_id: tenant.organization_id().clone(),
            member_id: operation.member_id,
            operation: operation.kind,
            status: operation.status,
            result: operation.result,
            error: operation.error.map(Into::into),
            progress: progress.into(),
            resource_type: operation.resource.kind(),
            resource_id,
            cancel_requested_at: operation.cancel_requested_at,
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            started_at: operation.started_at,
            completed_at: operation.completed_at,
        }
    }
}
