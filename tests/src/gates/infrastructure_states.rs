//! The lives of what stands in customers' accounts: the transition tables as a reviewed record, and what holds for every sequence
//! of events.

use std::fmt::Write as _;

use mainsheet_core::Timestamp;
use mainsheet_core::connection::{ConnectionEvent, ConnectionStatus};
use mainsheet_core::operation::{Operation, OperationEvent, OperationKind, OperationStatus, ResourceRef};
use mainsheet_core::provisioning::{Provisioning, ProvisioningEvent, ProvisioningStatus};
use proptest::prelude::*;

#[test]
fn transitions() {
    let mut table = String::new();
    section(&mut table, "connection", &ConnectionStatus::ALL, &ConnectionEvent::ALL, |status, event| {
        Some(status.next(event))
    });
    section(
        &mut table,
        "network, cluster, catalog",
        &ProvisioningStatus::ALL,
        &ProvisioningEvent::ALL,
        |status, event| status.next(event).ok(),
    );
    section(&mut table, "operation", &OperationStatus::ALL, &OperationEvent::ALL, |status, event| {
        status.next(event).ok()
    });
    insta::assert_snapshot!(table);
}

fn section<S, E>(table: &mut String, title: &str, statuses: &[S], events: &[E], next: impl Fn(S, E) -> Option<S>)
where
    S: Copy + serde::Serialize,
    E: Copy + serde::Serialize,
{
    let _ = writeln!(table, "{title}");
    for status in statuses {
        let _ = writeln!(table, "  {}", wire(status));
        for event in events {
            if let Some(after) = next(*status, *event) {
                let _ = writeln!(table, "    {:<9} -> {}", wire(event), wire(after));
            }
        }
    }
}

/// As it stands on the wire.
fn wire(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millisecond(second * 1000)
}

fn any_event() -> impl Strategy<Value = ProvisioningEvent> {
    prop::sample::select(ProvisioningEvent::ALL.to_vec())
}

proptest! {
    /// Whatever is asked for in whatever order: something is in motion if and only if an operation is at it, a refusal changes
    /// nothing, and what is gone does not come back.
    #[test]
    fn motion_and_operation_go_together(events in prop::collection::vec(any_event(), 0..60)) {
        let by = "MEMBER".parse().unwrap();
        let mut provisioning = Provisioning::pending(&by, at(0));
        for (second, event) in (1..).zip(events) {
            let before = provisioning.clone();
            let operation = format!("OPERATION{second}").parse().unwrap();
            let begins = matches!(event, ProvisioningEvent::Provision | ProvisioningEvent::Update | ProvisioningEvent::Destroy);
            let took = if begins {
                provisioning.begin(event, &operation, &by, at(second)).is_ok()
            } else {
                provisioning.end(event, Some("so it is".to_owned()), at(second)).is_ok()
            };
            if took {
                prop_assert_eq!(Ok(provisioning.status), before.status.next(event));
            } else {
                prop_assert_eq!(&provisioning, &before);
            }
            prop_assert_eq!(provisioning.live_operation.is_some(), provisioning.status.is_in_motion());
            prop_assert!(provisioning.require_gone().is_err() || provisioning.live_operation.is_none());
            prop_assert!(before.status != ProvisioningStatus::Destroyed || !took, "what was destroyed stays so");
        }
    }

    /// An operation ends once, and its stamps say what its status says.
    #[test]
    fn operations_end_once(events in prop::collection::vec(prop::sample::select(OperationEvent::ALL.to_vec()), 0..20)) {
        let (connection, by) = ("CONNECTION".parse().unwrap(), "MEMBER".parse().unwrap());
        let network = ResourceRef::Network("NETWORK".parse().unwrap());
        let mut operation = Operation::new(OperationKind::NetworkProvision, network, &connection, &by, at(0));
        for (second, event) in (1..).zip(events) {
            let before = operation.clone();
            if operation.apply(event, at(second)).is_err() {
                prop_assert_eq!(&operation, &before);
            }
            prop_assert!(!before.status.is_terminal() || operation == before);
            prop_assert_eq!(operation.completed_at.is_some(), operation.status.is_terminal());
            prop_assert_eq!(operation.clone().request_cancellation(at(second)).is_err(), operation.status.is_terminal());
        }
    }
}
