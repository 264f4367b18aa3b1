//! Workflows on AWS Step Functions.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::DisplayErrorContext;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use mainsheet_core::{Error, Result};
use serde_json::json;

use crate::aws::required;
use crate::workflows::{WorkflowStart, Workflows};

/// The state machines whose ARNs begin with `MAINSHEET_STATE_MACHINES` and end with the workflow's name.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    client: Client,
    prefix: String,
}

impl StepFunctions {
    /// Reads the prefix.
    ///
    /// # Errors
    /// [`Error::Internal`] when it is not set.
    pub fn from_environment(config: &SdkConfig) -> Result<Self> {
        Ok(Self { client: Client::new(config), prefix: required("MAINSHEET_STATE_MACHINES")? })
    }
}

#[async_trait]
impl Workflows for StepFunctions {
    async fn start(&self, start: WorkflowStart) -> Result<()> {
        let arn = format!("{}{}", self.prefix, mainsheet_workflow::workflow(start.kind).name());
        let input = json!({ "organizationId": start.organization_id, "operationId": start.operation_id });
        let request = self.client.start_execution().state_machine_arn(arn);
        match request.name(start.operation_id.as_str()).input(input.to_string()).send().await {
            Ok(_) => Ok(()),
            // Names are kept for 90 days: it was started before, and has ended.
            Err(error) if error.as_service_error().is_some_and(StartExecutionError::is_execution_already_exists) => {
                Ok(())
            }
            Err(error) => Err(Error::unavailable(DisplayErrorContext(error))),
        }
    }
}
