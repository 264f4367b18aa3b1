//! Stacks, as CloudFormation tells of them.

use std::collections::BTreeMap;

use mainsheet_cloud::account::{CloudError, StackStatus, StackUpdate, Template};

use crate::answers::{self, stack, xml, xml_refusal};
use crate::world::{World, moment, token};

const DESCRIBE: &str = "cloudformation:DescribeStacks";
const UPDATE: &str = "cloudformation:UpdateStack";

#[tokio::test]
async fn every_status_of_cloudformation_is_one_of_ours() {
    let world = World::new().await;
    let account = world.enter().await;
    for (theirs, ours) in [
        ("CREATE_IN_PROGRESS", StackStatus::CreateInProgress),
        ("CREATE_FAILED", StackStatus::CreateFailed),
        ("CREATE_COMPLETE", StackStatus::CreateComplete),
        ("ROLLBACK_IN_PROGRESS", StackStatus::RollbackInProgress),
        ("ROLLBACK_FAILED", StackStatus::RollbackFailed),
        ("ROLLBACK_COMPLETE", StackStatus::RollbackComplete),
        ("REVIEW_IN_PROGRESS", StackStatus::RollbackComplete),
        ("UPDATE_IN_PROGRESS", StackStatus::UpdateInProgress),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", StackStatus::UpdateInProgress),
        ("UPDATE_COMPLETE", StackStatus::UpdateComplete),
        ("UPDATE_FAILED", StackStatus::UpdateFailed),
        ("UPDATE_ROLLBACK_IN_PROGRESS", StackStatus::UpdateRollbackInProgress),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", StackStatus::UpdateRollbackInProgress),
        ("UPDATE_ROLLBACK_FAILED", StackStatus::UpdateRollbackFailed),
        ("UPDATE_ROLLBACK_COMPLETE", StackStatus::UpdateRollbackComplete),
        ("DELETE_IN_PROGRESS", StackStatus::DeleteInProgress),
        ("DELETE_FAILED", StackStatus::DeleteFailed),
        ("DELETE_COMPLETE", StackStatus::DeleteComplete),
        ("IMPORT_IN_PROGRESS", StackStatus::UpdateInProgress),
        ("IMPORT_COMPLETE", StackStatus::UpdateComplete),
        ("IMPORT_ROLLBACK_IN_PROGRESS", StackStatus::UpdateRollbackInProgress),
        ("IMPORT_ROLLBACK_FAILED", StackStatus::UpdateRollbackFailed),
        ("IMPORT_ROLLBACK_COMPLETE", StackStatus::UpdateRollbackComplete),
    ] {
        world.endpoint.on(DESCRIBE, stack(theirs, "t"));
        assert_eq!(account.stack("mainsheet-n").await.unwrap().status, ours, "{theirs}");
    }
    world.endpoint.on(DESCRIBE, stack("SOMETHING_NEW", "t"));
    assert!(matches!(account.stack("mainsheet-n").await, Err(CloudError::Invalid { .. })));
}

#[tokio::test]
async fn a_stack_tells_of_what_it_made() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on(DESCRIBE, stack("CREATE_COMPLETE", "t-1"));
    let found = account.stack("mainsheet-n").await.unwrap();
    assert_eq!((found.name.as_str(), found.reason.as_deref()), ("mainsheet-n", Some("because")));
    assert_eq!(found.outputs, BTreeMap::from([("VpcId".to_owned(), "vpc-1".to_owned())]));
    assert_eq!(found.tags["LakeSail-Token"], "t-1");

    let part = "<member><LogicalResourceId>Vpc</LogicalResourceId><PhysicalResourceId>vpc-1</PhysicalResourceId>\
                <ResourceType>AWS::EC2::VPC</ResourceType><Timestamp>2026-11-21T08:01:02.500Z</Timestamp>\
                <ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>no more</ResourceStatusReason></member>";
    let parts = xml("DescribeStackResources", &format!("<StackResources>{part}</StackResources>"));
    world.endpoint.on("cloudformation:DescribeStackResources", parts);
    let part_found = account.stack_resources("mainsheet-n").await.unwrap().remove(0);
    assert_eq!((part_found.logical_id.as_str(), part_found.physical_id.as_deref()), ("Vpc", Some("vpc-1")));
    assert_eq!(part_found.updated_at, moment("2026-11-21T08:01:02.500Z"));
    assert_eq!((part_found.status, part_found.reason.as_deref()), (StackStatus::CreateFailed, Some("no more")));

    let many = format!("<StackEvents>{}</StackEvents>", part.repeat(101));
    world.endpoint.on("cloudformation:DescribeStackEvents", xml("DescribeStackEvents", &many));
    let events = account.stack_events("mainsheet-n").await.unwrap();
    assert_eq!((events.len(), events[0].kind.as_str()), (100, "AWS::EC2::VPC"));
}

#[tokio::test]
async fn an_update_keeps_what_it_does_not_name_and_the_template_still_has() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on(DESCRIBE, stack("CREATE_COMPLETE", "t")).on(UPDATE, xml("UpdateStack", "<StackId>x</StackId>"));
    let named = BTreeMap::from([("NatGateways".to_owned(), "none".to_owned())]);
    let update = account.update_stack("mainsheet-n", Template::Network, &named, &token("u-1")).await;
    assert_eq!(update, Ok(StackUpdate::Started));
    let sent = world.endpoint.call(UPDATE).body;
    let mut sent: Vec<(String, String)> = url::form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    sent.retain(|(name, _)| name.starts_with("Parameters"));
    let expected = [
        ("Parameters.member.1.ParameterKey", "NatGateways"),
        ("Parameters.member.1.ParameterValue", "none"),
        ("Parameters.member.2.ParameterKey", "BoundaryName"),
        ("Parameters.member.2.UsePreviousValue", "true"),
        ("Parameters.member.3.ParameterKey", "Cidr"),
        ("Parameters.member.3.UsePreviousValue", "true"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn an_update_that_changes_nothing_and_one_that_was_asked_for_before_are_no_errors() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on(DESCRIBE, stack("CREATE_COMPLETE", "t"));
    world.endpoint.on(UPDATE, xml_refusal(400, "ValidationError", "No updates are to be performed."));
    let update = async || account.update_stack("mainsheet-n", Template::Network, &BTreeMap::new(), &token("u-1")).await;
    assert_eq!(update().await, Ok(StackUpdate::Unchanged));
    world.endpoint.on(UPDATE, xml_refusal(400, "TokenAlreadyExistsException", "exists"));
    assert_eq!(update().await, Ok(StackUpdate::Started));
    world.endpoint.on(
        UPDATE,
        xml_refusal(400, "ValidationError", "Stack:x is in UPDATE_IN_PROGRESS state and can not be updated."),
    );
    assert!(matches!(update().await, Err(CloudError::Conflict { .. })));
}

#[tokio::test]
async fn a_stack_that_is_known_by_its_arn_is_looked_for_in_its_region() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on(DESCRIBE, stack("CREATE_COMPLETE", "t"));
    account.stack("mainsheet-n").await.unwrap();
    assert_eq!(world.endpoint.call(DESCRIBE).region, "eu-central-1");
    account.stack("arn:aws:cloudformation:us-east-1:123456789012:stack/mainsheet-C1/1").await.unwrap();
    assert_eq!(world.endpoint.call(DESCRIBE).region, "us-east-1");
}

#[tokio::test]
async fn what_is_being_deleted_is_not_deleted_again() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on("cloudformation:DeleteStack", answers::xml("DeleteStack", ""));
    for (status, calls) in
        [("DELETE_IN_PROGRESS", 0), ("DELETE_COMPLETE", 0), ("DELETE_FAILED", 1), ("CREATE_COMPLETE", 1)]
    {
        world.endpoint.on(DESCRIBE, stack(status, "t"));
        account.delete_stack("mainsheet-n", &[], &token("d-1")).await.unwrap();
        let deletions = world.endpoint.calls().into_iter().filter(|call| call.action == "cloudformation:DeleteStack");
        let deletions: Vec<_> = deletions.collect();
        assert_eq!(deletions.len(), calls, "{status}");
        assert!(deletions.iter().all(|call| call.body.contains("ClientRequestToken=d-1")));
    }
}
