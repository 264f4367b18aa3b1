//! What happens, step by step, when something is provisioned, updated or destroyed in a customer's account.
//!
//! A [`Workflow`] is data: named [`Step`]s, each looked at again and again until it is done or its deadline has passed, and
//! the steps that undo them. [`asl`] renders it as a state machine for AWS Step Functions; [`Execution`] is the same walk
//! through the same data for the embedded platform. What a step does is `functions/provisioner`'s affair.

pub mod asl;
mod definition;
mod execution;
mod step;
mod workflows;

pub use definition::{Next, RETRY, Retry, Stage, Workflow};
pub use execution::Execution;
pub use step::{Step, StepOutcome, StepRequest};
pub use workflows::{ALL, workflow};
