//! What AWS says no with, and what the port makes of it.

use std::time::Duration;

use mainsheet_cloud::account::{CloudAccount, CloudError, NewCluster, NewStack, Template};

use crate::answers::{ec2_refusal, json_refusal, xml_refusal};
use crate::endpoint::{Answer, Endpoint};
use crate::world::{World, tags, token};

fn cluster() -> NewCluster {
    NewCluster {
        name: "mainsheet-c".to_owned(),
        version: "1.35".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/mainsheet-c-cp".to_owned(),
        subnet_ids: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
        public_access_cidrs: Vec::new(),
        tags: tags(),
        token: token("t-1"),
    }
}

fn stack() -> NewStack {
    NewStack {
        name: "mainsheet-n".to_owned(),
        template: Template::Network,
        parameters: [("Cidr", "10.0.0.0/16")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        tags: tags(),
        token: token("t-1"),
    }
}

/// Creates a cluster, and is refused.
async fn no_cluster(code: &str, message: &str, status: u16) -> CloudError {
    let world = World::new().await;
    world.endpoint.on("eks:CreateCluster", json_refusal(status, code, message));
    world.enter().await.create_cluster(&cluster()).await.unwrap_err()
}

#[tokio::test]
async fn a_call_that_is_not_permitted_names_its_action_or_the_one_behind_it() {
    let denied = |action: &str, message: &str| CloudError::AccessDenied {
        action: action.to_owned(),
        message: format!("AccessDeniedException: {message}"),
    };
    let itself = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: eks:CreateCluster on resource: x";
    assert_eq!(no_cluster("AccessDeniedException", itself, 403).await, denied("eks:CreateCluster", itself));
    let behind = "User: x is not authorized to perform: iam:PassRole on resource: y because no boundary allows it";
    assert_eq!(no_cluster("AccessDeniedException", behind, 403).await, denied("iam:PassRole", behind));
    assert_eq!(no_cluster("AccessDeniedException", "No.", 403).await, denied("eks:CreateCluster", "No."));
    // EKS also says so by a code that says nothing.
    let odd = no_cluster("InvalidParameterException", behind, 400).await;
    assert!(matches!(odd, CloudError::AccessDenied { action, .. } if action == "iam:PassRole"));
}

#[tokio::test]
async fn refusals_of_eks_say_what_is_the_matter() {
    let invalid = |message: &str| CloudError::Invalid { message: message.to_owned() };
    let conflict = |message: &str| CloudError::Conflict { message: message.to_owned() };
    let unavailable = |message: &str| CloudError::Unavailable { message: message.to_owned() };
    for (code, status, meant) in [
        (
            "ResourceLimitExceededException",
            400,
            CloudError::QuotaExceeded {
                quota: "EKS clusters".to_owned(),
                message: "ResourceLimitExceededException: m".to_owned(),
            },
        ),
        ("ResourceNotFoundException", 404, CloudError::NotFound { what: "cluster mainsheet-c".to_owned() }),
        ("InvalidParameterException", 400, invalid("InvalidParameterException: m")),
        ("UnsupportedAvailabilityZoneException", 400, invalid("UnsupportedAvailabilityZoneException: m")),
        ("InvalidRequestException", 400, conflict("InvalidRequestException: m")),
        ("ThrottlingException", 429, CloudError::Throttled { retry_after: None }),
        ("TooManyRequestsException", 429, CloudError::Throttled { retry_after: None }),
        ("ServerException", 500, unavailable("ServerException: m")),
        ("ServiceUnavailableException", 503, unavailable("ServiceUnavailableException: m")),
        ("SomethingNew", 400, invalid("SomethingNew: m")),
        ("SomethingNew", 502, unavailable("SomethingNew: m")),
        ("SomethingNew", 429, CloudError::Throttled { retry_after: None }),
    ] {
        assert_eq!(no_cluster(code, "m", status).await, meant, "{code} {status}");
    }
}

#[tokio::test]
async fn throttling_says_how_long_to_wait_where_aws_does() {
    let world = World::new().await;
    let answer = json_refusal(429, "TooManyRequestsException", "slow down").header("retry-after", "7");
    world.endpoint.on("eks:CreateCluster", answer);
    let error = world.enter().await.create_cluster(&cluster()).await.unwrap_err();
    assert_eq!(error, CloudError::Throttled { retry_after: Some(Duration::from_secs(7)) });
}

#[tokio::test]
async fn what_a_cluster_still_has_keeps_it_from_being_deleted() {
    let world = World::new().await;
    let refusal = json_refusal(409, "ResourceInUseException", "Cluster has nodegroups attached");
    world.endpoint.on("eks:DeleteCluster", refusal);
    let error = world.enter().await.delete_cluster("mainsheet-c").await.unwrap_err();
    let message = "ResourceInUseException: Cluster has nodegroups attached".to_owned();
    assert_eq!(error, CloudError::Conflict { message });
}

/// Creates a stack, and is refused.
async fn no_stack(code: &str, message: &str, status: u16) -> CloudError {
    let world = World::new().await;
    world.endpoint.on("cloudformation:CreateStack", xml_refusal(status, code, message));
    world.enter().await.create_stack(&stack()).await.unwrap_err()
}

#[tokio::test]
async fn refusals_of_cloudformation_say_what_is_the_matter() {
    let invalid = |message: &str| CloudError::Invalid { message: message.to_owned() };
    for (code, message, status, meant) in [
        (
            "LimitExceededException",
            "Limit for stack has been exceeded",
            400,
            CloudError::QuotaExceeded {
                quota: "CloudFormation stacks".to_owned(),
                message: "LimitExceededException: Limit for stack has been exceeded".to_owned(),
            },
        ),
        ("Throttling", "Rate exceeded", 400, CloudError::Throttled { retry_after: None }),
        (
            "ValidationError",
            "Parameters: [ConnectionId] must have values",
            400,
            invalid("ValidationError: Parameters: [ConnectionId] must have values"),
        ),
        (
            "ValidationError",
            "Role arn:aws:iam::1:role/x is invalid or cannot be assumed",
            400,
            invalid("ValidationError: Role arn:aws:iam::1:role/x is invalid or cannot be assumed"),
        ),
        (
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            400,
            invalid("InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]"),
        ),
        (
            "AccessDenied",
            "User: x is not authorized to perform: cloudformation:CreateStack on resource: y",
            403,
            CloudError::AccessDenied {
                action: "cloudformation:CreateStack".to_owned(),
                message:
                    "AccessDenied: User: x is not authorized to perform: cloudformation:CreateStack on resource: y"
                        .to_owned(),
            },
        ),
    ] {
        assert_eq!(no_stack(code, message, status).await, meant, "{code}: {message}");
    }
}

#[tokio::test]
async fn a_stack_that_is_not_there_and_one_that_is_busy_are_told_apart() {
    let world = World::new().await;
    let account = world.enter().await;
    let refusal = |message: &str| xml_refusal(400, "ValidationError", message);
    world.endpoint.on("cloudformation:DescribeStacks", refusal("Stack with id mainsheet-n does not exist"));
    let gone = CloudError::NotFound { what: "stack mainsheet-n".to_owned() };
    assert_eq!(account.stack("mainsheet-n").await, Err(gone.clone()));
    assert_eq!(account.delete_stack("mainsheet-n", &[], &token("t")).await, Err(gone));
    world.endpoint.on("cloudformation:DescribeStacks", crate::answers::stack("UPDATE_IN_PROGRESS", "t"));
    for message in [
        "Stack:arn:aws:cloudformation:x is in UPDATE_IN_PROGRESS state and can not be updated.",
        "Stack [mainsheet-n] cannot be deleted while in status UPDATE_IN_PROGRESS",
    ] {
        world.endpoint.on("cloudformation:DeleteStack", refusal(message));
        let answer = account.delete_stack("mainsheet-n", &[], &token("t")).await;
        assert!(matches!(answer, Err(CloudError::Conflict { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn refusals_of_ec2_say_what_is_the_matter() {
    let world = World::new().await;
    let account = world.enter().await;
    let denied = "You are not authorized to perform this operation. User: x is not authorized to perform: \
                  ec2:DescribeRegions because no permissions boundary allows it";
    world.endpoint.on("ec2:DescribeRegions", ec2_refusal(403, "UnauthorizedOperation", denied));
    let error = account.regions().await.unwrap_err();
    assert!(matches!(error, CloudError::AccessDenied { action, .. } if action == "ec2:DescribeRegions"));
    world.endpoint.on("ec2:DescribeRegions", ec2_refusal(503, "RequestLimitExceeded", "Request limit exceeded."));
    assert_eq!(account.regions().await.unwrap_err(), CloudError::Throttled { retry_after: None });
    world.endpoint.on("ec2:DescribeRegions", ec2_refusal(500, "InternalError", "An internal error."));
    let message = "InternalError: An internal error.".to_owned();
    assert_eq!(account.regions().await.unwrap_err(), CloudError::Unavailable { message });
}

#[tokio::test]
async fn nobody_who_answers_is_nobody_who_refuses() {
    let world = World::new().await;
    let account = world.enter().await;
    // What is no answer of AWS.
    world.endpoint.on("eks:DescribeCluster", Answer::ok("<html>"));
    assert!(unanswered(account.as_ref()).await);
    let endpoint = Endpoint { url: "http://127.0.0.1:1".to_owned(), ..Endpoint::start().await };
    let world = World::before(endpoint);
    let answer =
        mainsheet_cloud::account::CloudAccounts::open(&world.accounts, &crate::world::access()).await.map(drop);
    assert!(matches!(&answer, Err(error @ CloudError::Unavailable { .. }) if error.is_retryable()), "{answer:?}");
}

async fn unanswered(account: &dyn CloudAccount) -> bool {
    matches!(account.cluster("mainsheet-c").await, Err(CloudError::Unavailable { .. }))
}
