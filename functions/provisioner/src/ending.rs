//! How operations end.

use mainsheet_core::operation::{FailureCode, Operation, OperationError};
use mainsheet_core::{Error, Result};
use mainsheet_store::operations::{Left, Outcome, progress};
use mainsheet_store::{Row, Store, Tenant};
use mainsheet_workflow::Step;

/// Ends an operation the way that `step` says.
pub(crate) async fn end(store: &Store, tenant: &Tenant, row: &Row<Operation>, step: Step) -> Result<()> {
    let operation = &row.value;
    let outcome = match step {
        Step::Succeed => {
            require_nothing_left(store, tenant, operation).await?;
            Outcome::Succeeded { result: None }
        }
        Step::Revert => Outcome::Failed { error: reason(row), left: Left::AsBefore },
        _ => Outcome::Failed { error: with_remains(store, tenant, row).await?, left: Left::Unusable },
    };
    store.finish_operation(tenant, &operation.id, &outcome).await.map(|_| ())
}

/// Nothing is destroyed of which something may be in the account.
async fn require_nothing_left(store: &Store, tenant: &Tenant, operation: &Operation) -> Result<()> {
    if !operation.kind.is_destroy() {
        return Ok(());
    }
    let left = store.intents(tenant, &operation.resource).await?;
    match left.first() {
        None => Ok(()),
        Some(intent) => Err(Error::internal(format!("{} {} was not removed", intent.kind, intent.name))),
    }
}

/// Why it did not succeed: what a step said, else the last trouble that would not pass.
pub(crate) fn reason(row: &Row<Operation>) -> OperationError {
    let known = row.value.error.clone().or_else(|| progress(row).trouble);
    known.unwrap_or_else(|| OperationError {
        code: FailureCode::Internal,
        message: format!("The platform could not finish the step `{}`.", progress(row).stage),
        remedy: "Try again later; if it fails again, tell the platform's operators.".to_owned(),
        caused_by: None,
    })
}

/// The same, with what is to be done about what it leaves in the account.
async fn with_remains(store: &Store, tenant: &Tenant, row: &Row<Operation>) -> Result<OperationError> {
    let error = reason(row);
    let left = store.intents(tenant, &row.value.resource).await?;
    if left.is_empty() {
        return Ok(error);
    }
    let remains = "Parts of it may be in your account: destroy it to remove them.";
    Ok(OperationError { remedy: format!("{} {remains}", error.remedy).trim().to_owned(), ..error })
}
