//! Whether an agent still holds a run, and what it has to do with it.

use mainsheet_api::AgentCaller;
use mainsheet_core::agent_protocol::Order;
use mainsheet_core::job_run::JobRun;
use mainsheet_core::{Error, JobId, JobRunId};
use serde::Deserialize;

/// The run in a path of the protocol.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunPath {
    pub(crate) job: JobId,
    pub(crate) job_run: JobRunId,
}

/// What the agent has to do with a run under a lease.
pub(crate) fn order(caller: &AgentCaller, run: &JobRun, attempt: u32) -> Order {
    let holds = run.attempt == attempt && run.leased_by.as_ref() == Some(&caller.agent.value.id);
    match (holds && run.status.is_active(), run.cancel_requested_at) {
        (false, _) => Order::Abandon,
        (true, Some(_)) => Order::Cancel,
        (true, None) => Order::Continue,
    }
}

/// The agent holds the run under that lease.
pub(crate) fn require(caller: &AgentCaller, run: &JobRun, attempt: u32) -> Result<(), Error> {
    match order(caller, run, attempt) {
        Order::Abandon => Err(lost()),
        Order::Continue | Order::Cancel => Ok(()),
    }
}

/// What was said under a lease counts while it is held, and explains the run after it has ended under it.
pub(crate) fn require_said_under(caller: &AgentCaller, run: &JobRun, attempt: u32) -> Result<(), Error> {
    let has_ended = run.attempt == attempt && run.status.is_terminal();
    if has_ended && run.cluster_id == caller.agent.value.cluster_id { Ok(()) } else { require(caller, run, attempt) }
}

/// The lease is another agent's, another attempt's or over.
pub(crate) fn lost() -> Error {
    Error::conflict("lease_lost", "This agent does not hold the run under this attempt any more. Abandon it.")
}
