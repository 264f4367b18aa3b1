//! Workflows: what is checked in and deployed is what the data says, and the state machines go where the embedded platform's
//! executions go, whatever the provisioner answers.

use std::collections::BTreeMap;
use std::path::Path;

use mainsheet_core::operation::OperationKind;
use mainsheet_core::{Error, Timestamp};
use mainsheet_workflow::{ALL, Execution, RETRY, Step, StepOutcome, Workflow, asl, workflow};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::deployment::{resources, template};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/workflows")
}

#[test]
fn the_checked_in_state_machines_are_current() {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let checked_in: BTreeMap<String, String> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(checked_in == asl::files(), "infra/workflows is not what shared/workflow says. Run `cargo xtask asl`.");
}

#[test]
fn each_workflow_is_deployed_with_the_name_that_the_relay_starts() {
    let machines = resources(&template(), "AWS::Serverless::StateMachine");
    let deployed: BTreeMap<String, String> = machines
        .values()
        .map(|machine| {
            let text = |name: &str| machine["Properties"][name].as_str().unwrap().to_owned();
            (text("Name"), text("DefinitionUri"))
        })
        .collect();
    let wanted: BTreeMap<String, String> = ALL
        .iter()
        .map(|workflow| workflow.name())
        .map(|name| (format!("${{AWS::StackName}}-{name}"), format!("infra/workflows/{name}.asl.json")))
        .collect();
    assert_eq!(deployed, wanted);
}

#[test]
fn of_each_state_machine_it_is_told_when_an_execution_dies() {
    let template = template();
    let pattern = &resources(&template, "AWS::Serverless::Function")["Provisioner"]["Properties"]["Events"]["ExecutionStopped"]
        ["Properties"]["Pattern"];
    let told: Vec<&str> =
        pattern["detail"]["stateMachineArn"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let machines = resources(&template, "AWS::Serverless::StateMachine");
    let mut wanted: Vec<&str> = machines.keys().map(String::as_str).collect();
    wanted.sort_by_key(|id| told.iter().position(|other| other == id));
    assert_eq!(told, wanted);
    // The states in which an execution has ended (AWS Step Functions, execution status), but for success.
    assert_eq!(pattern["detail"]["status"], json!(["FAILED", "TIMED_OUT", "ABORTED"]));
}

#[test]
fn each_kind_of_operation_has_its_workflow() {
    for kind in OperationKind::ALL {
        assert_eq!(workflow(kind).operation, kind);
        assert!(ALL.iter().any(|known| known.operation == kind), "{}", kind.as_str());
    }
}

#[test]
fn no_step_comes_twice_and_each_has_patience() {
    for workflow in ALL {
        let stages = workflow.stages();
        for (index, stage) in stages.iter().enumerate() {
            let again = stages[index + 1..].iter().any(|other| other.step == stage.step);
            assert!(!again, "{}: {:?} comes twice, so that it is not said where it leads", workflow.name(), stage.step);
            assert!(!stage.interval.is_zero() && stage.interval < stage.deadline, "{stage:?}");
            assert_eq!(serde_json::to_value(stage.step).unwrap(), stage.step.as_str());
        }
    }
}

/// What the provisioner may answer to one question.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Outcome(StepOutcome),
    /// It answers at last, after so many failures.
    Stumbles(u32),
    /// It never answers.
    Silent,
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        6 => Just(Reply::Outcome(StepOutcome::Done)),
        3 => Just(Reply::Outcome(StepOutcome::Again)),
        1 => Just(Reply::Outcome(StepOutcome::Failed)),
        1 => Just(Reply::Outcome(StepOutcome::Cancelled)),
        2 => (1..=RETRY.max_attempts).prop_map(Reply::Stumbles),
        1 => Just(Reply::Silent),
    ]
}

/// Where something went: the steps it asked for, and whether it came to an end within the replies.
type Walk = (Vec<Step>, bool);

/// As the embedded platform walks.
fn executed(workflow: &Workflow, replies: &[Reply]) -> Walk {
    let mut now = Timestamp::from_millisecond(0);
    let mut execution = Execution::begin(workflow.operation, "O".parse().unwrap(), "P".parse().unwrap(), now);
    let mut asked = Vec::new();
    for reply in replies {
        asked.push(execution.step);
        let failures = match reply {
            Reply::Outcome(_) => 0,
            Reply::Stumbles(failures) => *failures,
            Reply::Silent => RETRY.max_attempts + 1,
        };
        let answers = (0..failures).map(|_| Err(Error::unavailable("silence")));
        let last = match reply {
            Reply::Outcome(outcome) => Some(Ok(*outcome)),
            Reply::Stumbles(_) => Some(Ok(StepOutcome::Done)),
            Reply::Silent => None,
        };
        for answer in answers.chain(last) {
            match execution.advance(&answer, now) {
                Some(next) => execution = next,
                None => return (asked, true),
            }
            assert!(execution.due_at >= now, "time goes on");
            now = execution.due_at;
        }
    }
    (asked, false)
}

/// As Step Functions walks: the little of the Amazon States Language that the state machines need.
fn interpreted(workflow: &Workflow, replies: &[Reply]) -> Walk {
    let machine = asl::render(workflow);
    let states = &machine["States"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut state = text(&machine["StartAt"]);
    let mut replies = replies.iter();
    let (mut asked, mut answer) = (Vec::new(), String::new());
    loop {
        let definition = &states[&state];
        state = match definition["Type"].as_str().unwrap() {
            "Succeed" | "Fail" => return (asked, true),
            "Wait" => text(&definition["Next"]),
            "Choice" => {
                let choices = definition["Choices"].as_array().unwrap();
                let fits = |choice: &&Value| choice["StringEquals"] == answer.as_str();
                choices.iter().find(fits).map_or_else(|| text(&definition["Default"]), |choice| text(&choice["Next"]))
            }
            "Task" => {
                let Some(reply) = replies.next() else { return (asked, false) };
                asked.push(serde_json::from_value(definition["Parameters"]["Payload"]["step"].clone()).unwrap());
                let tries = definition["Retry"][0]["MaxAttempts"].as_u64().unwrap();
                match reply {
                    Reply::Outcome(outcome) => answer = text(&serde_json::to_value(outcome).unwrap()["status"]),
                    Reply::Stumbles(failures) if u64::from(*failures) <= tries => answer = "done".to_owned(),
                    Reply::Stumbles(_) | Reply::Silent => {
                        state = text(&definition["Catch"][0]["Next"]);
                        continue;
                    }
                }
                text(&definition["Next"])
            }
            other => panic!("a state of type {other}"),
        };
    }
}

proptest! {
    #[test]
    fn state_machines_go_where_executions_go(
        workflow in prop::sample::select(ALL.to_vec()),
        replies in prop::collection::vec(any_reply(), 1..60),
    ) {
        prop_assert_eq!(executed(workflow, &replies), interpreted(workflow, &replies));
    }

    /// Whatever happens, an execution has asked for one of the endings before it is over.
    #[test]
    fn executions_end_with_an_ending(
        workflow in prop::sample::select(ALL.to_vec()),
        replies in prop::collection::vec(any_reply(), 1..60),
    ) {
        let (asked, over) = executed(workflow, &replies);
        if over {
            let last = asked.last().copied();
            prop_assert!(matches!(last, Some(Step::Succeed | Step::Revert | Step::Fail)), "{:?}", asked);
        }
    }
}
