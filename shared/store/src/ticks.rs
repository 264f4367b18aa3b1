//! When jobs run by themselves.

use mainsheet_core::job::Job;

use crate::{Change, Tenant};

impl Change<'_> {
    /// A job's version in force, status or schedule changes: `job` is the job as it will be. It is due accordingly.
    pub fn reschedule(self, _tenant: &Tenant, _job: &Job) -> Self {
        self
    }
}
