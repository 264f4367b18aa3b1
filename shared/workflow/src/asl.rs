//! Workflows as state machines in the Amazon States Language (JSONPath).
//!
//! A stage is three states: a task that asks the provisioner, a choice by its answer, and a wait before it is asked again.
//! <https://states-language.net/spec.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{Next, RETRY, Stage, Step, StepOutcome, Workflow, workflows};

/// What the template puts in place of the provisioner's name.
pub const FUNCTION: &str = "${ProvisionerFunction}";

/// How long one call of the provisioner may take before it counts as lost: a little more than the function's own time.
const CALL_SECONDS: u64 = 75;

/// Where executions end.
const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";

/// Every workflow's file name and state machine, as they are checked in.
#[must_use]
pub fn files() -> BTreeMap<String, String> {
    let file = |workflow: &&Workflow| (format!("{}.asl.json", workflow.name()), format!("{:#}\n", render(workflow)));
    workflows::ALL.iter().map(file).collect()
}

/// The state machine of a workflow.
#[must_use]
pub fn render(workflow: &Workflow) -> Value {
    let mut states = Map::new();
    for stage in workflow.stages() {
        states.extend(states_of(workflow, stage));
    }
    states.insert(SUCCEEDED.to_owned(), json!({ "Type": "Succeed" }));
    states.insert(
        FAILED.to_owned(),
        json!({ "Type": "Fail", "Error": "OperationFailed", "Cause": "The operation's record says why." }),
    );
    json!({
        "Comment": format!("{}. Rendered from shared/workflow by `cargo xtask asl`.", workflow.operation.as_str()),
        "StartAt": workflow.first().state_name(),
        "TimeoutSeconds": workflow.longest().as_secs(),
        "States": states,
    })
}

fn states_of(workflow: &Workflow, stage: Stage) -> [(String, Value); 3] {
    let name = stage.step.state_name();
    let (answer, wait) = (format!("{name}Answer"), format!("{name}Wait"));
    let is = |outcome: StepOutcome, next: &str| json!({ "Variable": "$.answer.status", "StringEquals": outcome.as_str(), "Next": next });
    let done = target(workflow.after(stage.step), stage.step);
    let otherwise = target(workflow.after_failure(stage.step), stage.step);
    let choice = json!({
        "Type": "Choice",
        "Choices": [is(StepOutcome::Done, &done), is(StepOutcome::Again, &wait)],
        "Default": otherwise,
    });
    let pause = json!({ "Type": "Wait", "Seconds": stage.interval.as_secs(), "Next": name });
    [(name, task(stage.step, &answer, &otherwise)), (answer, choice), (wait, pause)]
}

fn task(step: Step, next: &str, otherwise: &str) -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": FUNCTION,
            "Payload": {
                "organizationId.$": "$.organizationId",
                "operationId.$": "$.operationId",
                "step": step.as_str(),
            },
        },
        "ResultSelector": { "status.$": "$.Payload.status" },
        "ResultPath": "$.answer",
        "TimeoutSeconds": CALL_SECONDS,
        "Retry": [{
            "ErrorEquals": ["States.ALL"],
            "IntervalSeconds": RETRY.interval.as_secs(),
            "BackoffRate": f64::from(RETRY.backoff_rate),
            "MaxAttempts": RETRY.max_attempts,
            "MaxDelaySeconds": RETRY.max_delay.as_secs(),
            "JitterStrategy": "FULL",
        }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": otherwise }],
        "Next": next,
    })
}

/// The state that comes next; an execution ends as the step says that it ends with.
fn target(next: Next, from: Step) -> String {
    match (next, from) {
        (Next::Step(step), _) => step.state_name(),
        (Next::End, Step::Succeed) => SUCCEEDED.to_owned(),
        (Next::End, _) => FAILED.to_owned(),
    }
}
