//! The life of a run: the whole transition table as a reviewed record, and what holds for every sequence of events.

use std::fmt::Write as _;

use mainsheet_core::Timestamp;
use mainsheet_core::job_run::{JobRun, ResourceCleanupMode, RunEvent, RunStatus, RunTrigger};
use proptest::prelude::*;

#[test]
fn transitions() {
    let mut table = String::new();
    for status in RunStatus::ALL {
        let _ = writeln!(table, "{}", wire(status));
        for event in RunEvent::ALL {
            if let Ok(next) = status.next(event) {
                let _ = writeln!(table, "    {:<14} -> {}", wire(event), wire(next));
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// As it stands on the wire.
fn wire(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn new_run() -> JobRun {
    JobRun {
        id: "RUN".parse().unwrap(),
        job_id: "JOB".parse().unwrap(),
        job_version: 1,
        cluster_id: "CLUSTER".parse().unwrap(),
        status: RunStatus::Pending,
        status_message: None,
        hold: true,
        resource_cleanup_mode: ResourceCleanupMode::Always,
        trigger: RunTrigger::Manual,
        timeout_seconds: 60,
        max_retries: 0,
        retries_left: 0,
        ready_at: None,
        dispatched_at: None,
        runner_started_at: None,
        runner_completed_at: None,
        runner_execution_time_us: None,
        finished_at: None,
        cleaned_at: None,
        results: None,
        created_at: Timestamp::from_millisecond(0),
        created_by: "MEMBER".parse().unwrap(),
        updated_at: Timestamp::from_millisecond(0),
        updated_by: None,
        attempt: 0,
        leased_by: None,
        last_report: 0,
        cancel_requested_at: None,
        resolved_sql: None,
        query_defaults: None,
        scheduled_at: None,
        waiting: None,
        replaced_by: None,
    }
}

fn any_event() -> impl Strategy<Value = RunEvent> {
    prop::sample::select(RunEvent::ALL.to_vec())
}

proptest! {
    /// Whatever comes in whatever order: a step is one of the table's, a refused one changes nothing, and the record says
    /// what the status says.
    #[test]
    fn every_history_is_legal(events in prop::collection::vec(any_event(), 0..60)) {
        let mut run = new_run();
        for (second, event) in (1..).zip(events) {
            let before = run.clone();
            let now = Timestamp::from_millisecond(second * 1000);
            match run.apply(event, now) {
                Err(refused) => {
                    prop_assert_eq!(before.status.next(event), Err(refused));
                    prop_assert_eq!(&run, &before);
                }
                Ok(()) => check_step(&before, &run, event, now)?,
            }
        }
    }

    /// Only somebody's wish to do it again brings a run back from its end.
    #[test]
    fn ends_are_final_unless_somebody_retries(status in prop::sample::select(RunStatus::ALL.to_vec()), event in any_event()) {
        let retry = matches!(event, RunEvent::Retry | RunEvent::RetryHeld);
        if status.is_terminal() && !retry {
            prop_assert!(status.next(event).is_err());
        }
        if status == RunStatus::Succeeded {
            prop_assert!(status.next(event).is_err());
        }
    }
}

fn check_step(before: &JobRun, after: &JobRun, event: RunEvent, now: Timestamp) -> Result<(), TestCaseError> {
    prop_assert_eq!(Ok(after.status), before.status.next(event));
    prop_assert_eq!(after.updated_at, now);
    prop_assert_eq!(
        after.attempt,
        before.attempt + u32::from(event == RunEvent::Lease),
        "only a lease is a new attempt"
    );
    prop_assert_eq!(after.finished_at.is_some(), after.status.is_terminal());
    prop_assert!(!after.status.is_terminal() || after.leased_by.is_none(), "nobody holds a run that has ended");
    prop_assert!(after.status != RunStatus::Ready || after.ready_at == Some(now));
    prop_assert_eq!(after.dispatched_at.is_some(), after.deadline().is_some());
    if after.status.is_active() {
        prop_assert!(after.attempt > 0 && after.dispatched_at.is_some() && after.finished_at.is_none());
    }
    Ok(())
}
