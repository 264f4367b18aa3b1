//! What is counted and measured for whoever operates a deployment.

use std::fmt::Debug;
use std::time::Duration;

use crate::Timestamp;
use crate::job_run::RunStatus;
use crate::operation::{OperationKind, OperationStatus};

/// Something that happened, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measurement {
    /// A request was answered.
    Request {
        /// Its method and the pattern of its path, such as `GET /api/v1/workloads/jobs/{job}`.
        operation: String,
        /// How it was answered.
        answer: Answer,
        /// How long that took.
        took: Duration,
    },
    /// The scheduler did what was due.
    Tick {
        /// Runs that schedules asked for.
        scheduled: usize,
        /// Runs that ended or were queued again.
        settled: usize,
        /// How long ago the first job was due of those that it acted on; zero when none was.
        lateness: Duration,
    },
    /// A run ended.
    RunEnded {
        /// How; a terminal one.
        status: RunStatus,
    },
    /// An operation in a customer's account ended.
    OperationEnded {
        /// What it did.
        kind: OperationKind,
        /// How it ended; a terminal one.
        status: OperationStatus,
    },
    /// A step of a workflow failed for another reason than the customer's account.
    StepFailed,
    /// A function failed at an event; it comes again, or is set aside.
    EventFailed,
    /// A mail was handed over to whoever delivers it, or not.
    Mail(Delivery),
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// As it asked.
    Accepted,
    /// With what was wrong with it: 4xx.
    Refused,
    /// With what is wrong with the platform: 5xx.
    Failed,
    /// With what is wrong with the customer's own account: 503. No sign of how the platform is.
    Hindered,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Sent,
    /// It was not; it is tried again, or set aside.
    Failed,
}

/// Takes measurements.
pub trait Meter: Debug + Send + Sync {
    /// Takes one, of a moment.
    fn record(&self, at: Timestamp, measurement: &Measurement);
}

/// Takes none.
#[derive(Debug, Clone, Copy)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn record(&self, _: Timestamp, _: &Measurement) {}
}

impl Answer {
    /// How a request was answered, by its HTTP status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            ..400 => Self::Accepted,
            400..500 => Self::Refused,
            500.. => Self::Failed,
        }
    }

    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Hindered => "hindered",
        }
    }
}

impl Delivery {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}
