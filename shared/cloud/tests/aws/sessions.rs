//! Entering accounts.

use std::time::Duration;

use mainsheet_cloud::account::{Access, CloudAccounts, CloudError};
use secrecy::SecretString;

use crate::answers::{ec2_refusal, xml_refusal};
use crate::endpoint::Endpoint;
use crate::world::{ROLE, World, access};

const REFUSED: &str = "User: arn:aws:sts::999999999999:assumed-role/platform/x is not authorized to perform: \
                       sts:AssumeRole on resource: arn:aws:iam::123456789012:role/mainsheet-platform";

fn not_assumable() -> CloudError {
    CloudError::RoleNotAssumable { role_arn: ROLE.parse().unwrap(), message: REFUSED.to_owned() }
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id_under_the_name_of_the_session() {
    let world = World::new().await;
    world.accounts.open(&access()).await.unwrap();
    let call = world.endpoint.call("sts:AssumeRole");
    for said in [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fmainsheet-platform",
        "ExternalId=5d0c6f7e-1f2b-4c3d-8e9f-0a1b2c3d4e5f",
        "RoleSessionName=mainsheet-O1",
    ] {
        assert!(call.body.contains(said), "{}", call.body);
    }
    // The platform's own region: the account's may be one that the platform has not enabled.
    assert_eq!((call.key.as_str(), call.region.as_str()), ("AKIAPLATFORM", "eu-west-1"));
}

#[tokio::test]
async fn a_session_is_used_again_for_the_very_same_while_it_is_good() {
    let world = World::new().await;
    let opened = async |access: &Access| {
        world.accounts.open(access).await.unwrap();
        world.endpoint.actions().len()
    };
    assert_eq!(opened(&access()).await, 1);
    assert_eq!(opened(&access()).await, 0);
    let other_region = Access { region: "us-east-1".parse().unwrap(), ..access() };
    assert_eq!(opened(&other_region).await, 1);
    let other_session = Access { session_name: "mainsheet-O2".to_owned(), ..access() };
    assert_eq!(opened(&other_session).await, 1);
    world.clock.advance(Duration::from_secs(54 * 60));
    assert_eq!(opened(&access()).await, 0);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(opened(&access()).await, 1);
}

#[tokio::test]
async fn a_session_is_not_used_again_with_another_external_id() {
    let world = World::new().await;
    world.enter().await;
    world.endpoint.on("sts:AssumeRole", xml_refusal(403, "AccessDenied", REFUSED));
    let wrong = Access { external_id: SecretString::from("another"), ..access() };
    assert_eq!(world.accounts.open(&wrong).await.map(drop), Err(not_assumable()));
    assert_eq!(world.accounts.open(&access()).await.map(drop), Ok(()));
}

#[tokio::test]
async fn a_role_that_is_gone_and_a_wrong_external_id_are_the_same() {
    let endpoint = Endpoint::start().await;
    endpoint.on("sts:AssumeRole", xml_refusal(403, "AccessDenied", REFUSED));
    let world = World::before(endpoint);
    assert_eq!(world.accounts.open(&access()).await.map(drop), Err(not_assumable()));
}

#[tokio::test]
async fn a_platform_that_aws_does_not_know_is_not_the_customers_fault() {
    let endpoint = Endpoint::start().await;
    endpoint.on("sts:AssumeRole", xml_refusal(403, "InvalidClientTokenId", "The security token is invalid."));
    let world = World::before(endpoint);
    let answer = world.accounts.open(&access()).await.map(drop);
    assert!(matches!(&answer, Err(CloudError::Unavailable { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_role_that_goes_during_a_session_is_told_from_a_region_that_is_not_enabled() {
    let unknown = || ec2_refusal(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on("ec2:DescribeRegions", unknown());
    // The role can still be assumed: only this region does not know it.
    let region = "eu-central-1".parse().unwrap();
    assert_eq!(account.regions().await, Err(CloudError::RegionUnavailable { region }));
    assert_eq!(world.endpoint.actions(), ["ec2:DescribeRegions", "sts:AssumeRole"]);
    world.endpoint.on("sts:AssumeRole", xml_refusal(403, "AccessDenied", REFUSED));
    assert_eq!(account.regions().await, Err(not_assumable()));
}

#[tokio::test]
async fn a_session_that_is_over_may_be_opened_again() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on("ec2:DescribeRegions", ec2_refusal(400, "RequestExpired", "Request has expired."));
    let answer = account.regions().await;
    assert!(matches!(&answer, Err(error @ CloudError::Unavailable { .. }) if error.is_retryable()), "{answer:?}");
    world.endpoint.calls();
    // What was at hand is not any more.
    world.accounts.open(&access()).await.unwrap();
    assert_eq!(world.endpoint.actions(), ["sts:AssumeRole"]);
}

#[tokio::test]
async fn sessions_do_not_print_what_is_secret() {
    let world = World::new().await;
    world.enter().await;
    let printed = format!("{:?} {:?}", world.accounts, access());
    assert!(!printed.contains("5d0c6f7e") && !printed.contains("the-session"), "{printed}");
}
