//! Workflows on this machine: executions that survive a restart, each put down after every step.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainsheet_cloud::workflows::{WorkflowStart, Workflows};
use mainsheet_core::{Clock, Result, Timestamp};
use mainsheet_provisioner::Provisioner;
use mainsheet_workflow::Execution;
use tokio::sync::Mutex;

use crate::local_table::LocalTable;

const LIST: &str = "EXECUTIONS";
/// A step that is asked so much later than it was due waited for a platform that was stopped, or a machine that slept.
const ABSENCE: Duration = Duration::from_secs(60);

/// Executions, and who does their steps.
pub(crate) struct LocalWorkflows {
    table: LocalTable,
    clock: Clock,
    provisioner: Provisioner,
    /// One walk at a time: a step that two did at once would be asked of the account twice.
    walking: Mutex<()>,
}

#[async_trait]
impl Workflows for LocalWorkflows {
    /// One that has ended is begun again when its start is heard again: each of its steps then finds the operation ended.
    async fn start(&self, start: WorkflowStart) -> Result<()> {
        let key = start.operation_id.to_string();
        let known: Option<Execution> = self.table.get(LIST, &key).await?;
        if known.is_some() {
            return Ok(());
        }
        let execution = Execution::begin(start.kind, start.organization_id, start.operation_id, self.clock.now());
        self.table.put(LIST, &key, &execution).await
    }
}

impl LocalWorkflows {
    pub(crate) fn new(table: LocalTable, clock: Clock, provisioner: Provisioner) -> Arc<Self> {
        Arc::new(Self { table, clock, provisioner, walking: Mutex::new(()) })
    }

    /// Does each step that is due, and those that follow it at once. Answers how many that were.
    pub(crate) async fn walk(&self) -> Result<usize> {
        let _walking = self.walking.lock().await;
        let mut steps = 0;
        loop {
            let due = self.due().await?;
            if due.is_empty() {
                return Ok(steps);
            }
            steps += due.len();
            for (key, execution) in due {
                self.step(&key, execution).await?;
            }
        }
    }

    /// When the next step is due.
    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>> {
        let all: Vec<(String, Execution)> = self.table.all(LIST).await?;
        Ok(all.into_iter().map(|(_, execution)| execution.due_at).min())
    }

    async fn due(&self) -> Result<Vec<(String, Execution)>> {
        let now = self.clock.now();
        let mut all: Vec<(String, Execution)> = self.table.all(LIST).await?;
        all.retain(|(_, execution)| execution.due_at <= now);
        Ok(all)
    }

    /// Killed in the midst of it, it is done again: steps can be repeated.
    async fn step(&self, key: &str, execution: Execution) -> Result<()> {
        let request = execution.request();
        let late = self.clock.now().since(execution.due_at);
        if late > ABSENCE
            && let Err(error) = self.provisioner.excuse(&request, late).await
        {
            tracing::warn!(operation = key, %error, "the platform's absence is not taken off a step's time");
        }
        let answer = self.provisioner.handle(&request).await;
        if let Err(error) = &answer {
            tracing::warn!(operation = key, step = request.step.as_str(), %error, "a step is asked again");
        }
        match execution.advance(&answer, self.clock.now()) {
            Some(next) => self.table.put(LIST, key, &next).await,
            None => self.table.remove(LIST, key).await,
        }
    }
}
