//! Nothing leaks, nothing hangs: each workflow with something going wrong at every point.
//!
//! `cargo test` tries a seeded sample. `MAINSHEET_MISHAPS=all cargo test --workspace --all-features --test mishaps -- --nocapture` tries every
//! single mishap and 2,000 pairs, and prints how many those are.
#![allow(clippy::print_stderr, reason = "a test says how much it tries")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

#[path = "../estate/mod.rs"]
mod estate;
mod faults;
mod table;
mod world;

use std::collections::BTreeSet;
use std::env::VarError;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use mainsheet_cloud::account::{OwnedKind, PARTNER_TAG, boundary_name};
use mainsheet_core::operation::{FailureCode, OperationKind, OperationStatus, ResourceRef};
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_provisioner::ProductCode;
use mainsheet_workflow::StepOutcome;
use rstest::rstest;
use serde_json::json;

use faults::Fault;
use table::{LostWrite, TestTable};
use world::{CHOSEN_BOUNDARY, EXTERNAL_ID, Effort, Mishap, World};

/// How many single mishaps `cargo test` tries of each workflow, and how many pairs.
const SAMPLE: (usize, usize) = (6, 2);
/// How many pairs of all workflows together are tried when all is tried.
const PAIRS: usize = 2_000;

/// Numbers that look random and are the same each time (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.next() % u64::try_from(of.len()).unwrap()).unwrap()]
    }
}

/// Everything that can go wrong once in something that takes so much.
fn mishaps(effort: Effort) -> Vec<Mishap> {
    let calls = (0..effort.calls).flat_map(|at| Fault::ALL.map(|fault| Mishap::Call(at, fault)));
    let lost = [LostWrite::Before, LostWrite::After];
    let writes = (0..effort.writes).flat_map(|at| lost.map(|lost| Mishap::Write(at, lost)));
    let repeated = (0..effort.steps).map(Mishap::Repeated);
    let cancelled = (0..effort.steps).map(Mishap::Cancelled);
    calls.chain(writes).chain(repeated).chain(cancelled).collect()
}

/// Does an operation with mishaps and looks at what is left; then tears down what there is, and looks again.
async fn trial(table: &TestTable, kind: OperationKind, mishaps: &[Mishap]) -> Effort {
    let world = World::new(table, EXTERNAL_ID).await;
    let resource = world.ready_for(kind).await;
    let others = world.names();
    let operation = world.estate.start(kind, &resource).await;
    let effort = world.walk(&operation, mishaps).await;
    world.heal();
    let context = format!("{} with {mishaps:?}", kind.as_str());
    if let [Mishap::Call(at, Fault::Lock)] = mishaps {
        // Each step that undoes asks once: a closed door is no trouble that passes.
        assert!(effort.calls <= at + 8, "{context}: it knocked {} more times", effort.calls - at);
    }

    let ended = world.estate.operation(&operation).await;
    let status = world.estate.status(&resource).await;
    match ended.status {
        OperationStatus::Succeeded => {
            assert_eq!(ended.error, None, "{context}");
            let wanted = if kind.is_destroy() { ProvisioningStatus::Destroyed } else { ProvisioningStatus::Active };
            assert_eq!(status, wanted, "{context}");
        }
        OperationStatus::Failed | OperationStatus::Cancelled => {
            let error = ended.error.unwrap_or_else(|| panic!("{context}: it does not say why"));
            let reasons: Vec<FailureCode> = mishaps.iter().filter_map(Mishap::reason).collect();
            assert!(reasons.contains(&error.code), "{context}: it says something else: {error:?}");
            let reverted = status == ProvisioningStatus::Active
                && matches!(kind, OperationKind::ClusterUpdate | OperationKind::ConnectionSyncTemplate);
            assert!(status == ProvisioningStatus::Failed || reverted, "{context}: {status:?}");
        }
        OperationStatus::Pending | OperationStatus::Running => panic!("{context}: it hangs: {ended:?}"),
    }
    require_known(&world, &resource, &others, &context).await;

    if !matches!(status, ProvisioningStatus::Destroyed) && !matches!(resource, ResourceRef::Connection(_)) {
        world.achieve(destroy_of(&resource), &resource).await;
        assert_eq!(world.estate.status(&resource).await, ProvisioningStatus::Destroyed, "{context}");
    }
    if !matches!(resource, ResourceRef::Connection(_)) {
        let is_network = matches!(resource, ResourceRef::Network(_));
        let others = |name: &String| !is_network && name.starts_with("mainsheet-network-");
        let left: Vec<String> = world.names().into_iter().filter(|name| !others(name)).collect();
        assert!(left.is_empty(), "{context}: {left:?} is left");
        assert_eq!(world.estate.intended(&resource).await, Vec::<String>::new(), "{context}");
    }
    effort
}

/// Whatever is in the account now and was not before is written down with the resource that it was made for.
async fn require_known(world: &World<'_>, resource: &ResourceRef, others: &[String], context: &str) {
    let intended = world.estate.intended(resource).await;
    for name in world.names() {
        // A node group is named with its cluster.
        let own = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let known = others.contains(&name) || intended.contains(&name) || intended.contains(&own);
        assert!(known, "{context}: nobody knows of {name}");
    }
}

fn destroy_of(resource: &ResourceRef) -> OperationKind {
    match resource {
        ResourceRef::Network(_) => OperationKind::NetworkDestroy,
        ResourceRef::Cluster(_) => OperationKind::ClusterDestroy,
        ResourceRef::Catalog(_) => OperationKind::CatalogDestroy,
        ResourceRef::Connection(_) => panic!("connections are not destroyed"),
    }
}

#[rstest]
#[case::network_provision(OperationKind::NetworkProvision)]
#[case::network_destroy(OperationKind::NetworkDestroy)]
#[case::cluster_provision(OperationKind::ClusterProvision)]
#[case::cluster_update(OperationKind::ClusterUpdate)]
#[case::cluster_destroy(OperationKind::ClusterDestroy)]
#[case::catalog_provision(OperationKind::CatalogProvision)]
#[case::catalog_destroy(OperationKind::CatalogDestroy)]
#[case::connection_sync_template(OperationKind::ConnectionSyncTemplate)]
#[tokio::test]
async fn whatever_goes_wrong_nothing_leaks_and_nothing_hangs(#[case] kind: OperationKind) {
    let table = TestTable::start().await;
    let effort = trial(&table, kind, &[]).await;
    let singles = mishaps(effort);
    let mut seeded = Seeded(kind as u64);
    let (alone, pairs) =
        if wants_all() { (singles.clone(), PAIRS / OperationKind::ALL.len()) } else { sample(&mut seeded, &singles) };
    let pairs: Vec<Vec<Mishap>> = (0..pairs).map(|_| vec![seeded.pick(&singles), seeded.pick(&singles)]).collect();
    eprintln!("{}: {effort:?}, {} single mishaps, {} pairs", kind.as_str(), alone.len(), pairs.len());
    let mut wrong = Vec::new();
    for mishaps in alone.into_iter().map(|mishap| vec![mishap]).chain(pairs) {
        // The others are tried, too: what they have in common tells what is wrong.
        if AssertUnwindSafe(trial(&table, kind, &mishaps)).catch_unwind().await.is_err() {
            wrong.push(mishaps);
        }
    }
    assert!(wrong.is_empty(), "{} with {wrong:?}", kind.as_str());
}

/// What the provisioner's role allows of the table in `template.yaml` is what steps take of it: no less, and no more.
#[tokio::test]
async fn the_role_allows_what_steps_take_of_the_table() {
    let table = TestTable::start().await;
    for kind in OperationKind::ALL {
        trial(&table, kind, &[]).await;
        trial(&table, kind, &[Mishap::Cancelled(0)]).await;
    }
    let template = include_str!("../../../../template.yaml");
    let resource = template.split("\n  Provisioner:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let quoted = resource.split('"').filter(|text| text.starts_with("dynamodb:")).map(str::to_owned);
    let indexes = resource.split("/index/").skip(1).map(|rest| format!("index/{}", rest.split('"').next().unwrap()));
    let allowed: BTreeSet<String> = quoted.chain(indexes).collect();
    assert_eq!(allowed, table.asked(), "allowed is what is left, taken what is right");
}

/// Whether every single mishap is asked for. Another word is refused: passed over, the sample would pass for what was asked for.
fn wants_all() -> bool {
    match std::env::var("MAINSHEET_MISHAPS").as_deref() {
        Ok("all") => true,
        Err(VarError::NotPresent) => false,
        other => panic!("MAINSHEET_MISHAPS can be `all`: {other:?}"),
    }
}

/// Some single mishaps, and how many pairs are enough beside them.
fn sample(seeded: &mut Seeded, singles: &[Mishap]) -> (Vec<Mishap>, usize) {
    ((0..SAMPLE.0).map(|_| seeded.pick(singles)).collect(), SAMPLE.1)
}

/// An account that lets nobody in any more keeps nobody from clearing away what was never made in it.
#[rstest]
#[case::network(OperationKind::NetworkProvision)]
#[case::cluster(OperationKind::ClusterProvision)]
#[case::catalog(OperationKind::CatalogProvision)]
#[tokio::test]
async fn what_was_never_made_is_destroyed_without_the_account(#[case] kind: OperationKind) {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let resource = world.ready_for(kind).await;
    let locked = [Mishap::Call(0, Fault::Lock)];
    let provisioning = world.estate.start(kind, &resource).await;
    world.walk(&provisioning, &locked).await;
    assert_eq!(world.estate.operation(&provisioning).await.error.unwrap().code, FailureCode::RoleNotAssumable);
    let destroying = world.estate.start(destroy_of(&resource), &resource).await;
    world.walk(&destroying, &locked).await;
    let destroyed = world.estate.operation(&destroying).await;
    assert_eq!(destroyed.status, OperationStatus::Succeeded, "{:?}", destroyed.error);
    assert_eq!(world.estate.status(&resource).await, ProvisioningStatus::Destroyed);
}

/// The platform cannot give itself rights: a template that gives more of them is the customer's to deploy, and that is said.
#[tokio::test]
async fn what_the_platform_may_not_change_of_itself_is_said() {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let sync = async |operation: OperationKind| {
        let connection = world.ready_for(operation).await;
        let syncing = world.estate.start(operation, &connection).await;
        world.walk(&syncing, &[]).await;
        world.estate.operation(&syncing).await
    };
    world.deploy(|template| template).await;
    assert_eq!(sync(OperationKind::ConnectionSyncTemplate).await.error, None);
    world.deploy(|template| template.replace("- iam:UntagRole\n", "- iam:TagRole\n")).await;
    let refused = sync(OperationKind::ConnectionSyncTemplate).await;
    let error = refused.error.unwrap();
    assert_eq!((refused.status, error.code), (OperationStatus::Failed, FailureCode::PermissionMissing), "{error:?}");
    assert!(error.remedy.contains("/template/download"), "{error:?}");
}

/// A resource's progress is written at most once a second, whatever steps and looks fall into it; and while it is under way at each
/// look, so that nobody has to guess whether somebody still looks.
#[rstest]
#[case::network_provision(OperationKind::NetworkProvision)]
#[case::network_destroy(OperationKind::NetworkDestroy)]
#[case::cluster_provision(OperationKind::ClusterProvision)]
#[case::cluster_update(OperationKind::ClusterUpdate)]
#[case::cluster_destroy(OperationKind::ClusterDestroy)]
#[case::catalog_provision(OperationKind::CatalogProvision)]
#[case::connection_sync_template(OperationKind::ConnectionSyncTemplate)]
#[tokio::test]
async fn progress_is_written_at_most_once_a_second_and_resource(#[case] kind: OperationKind) {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let resource = world.ready_for(kind).await;
    let operation = world.estate.start(kind, &resource).await;
    world.walk(&operation, &[]).await;
    let told = table.told();
    let often = told.keys().map(|(_, urn)| told.keys().filter(|(_, other)| other == urn).count()).max();
    // Begun and done; and looked at in between, where it takes longer than until the next look.
    let looks = if matches!(kind, OperationKind::NetworkProvision | OperationKind::ClusterProvision) { 3 } else { 2 };
    assert!(often >= Some(looks), "{told:?}");
    for ((second, urn), times) in told {
        assert_eq!(times, 1, "{urn} in second {second}");
    }
}

/// Roles are made within the boundary of the name that the customer chose; IAM refuses others.
#[tokio::test]
async fn stacks_are_built_within_the_boundary_that_the_customer_named() {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let given = boundary_name(&world.estate.connection);
    world.deploy(|template| template.replace(&given, CHOSEN_BOUNDARY)).await;
    let cluster = world.ready_for(OperationKind::ClusterProvision).await;
    world.achieve(OperationKind::ClusterProvision, &cluster).await;
}

/// AWS counts what something costs for the listing that its tag names: of all that is made, or of nothing.
#[rstest]
#[case::a_listing(Some("5ugbbrmu7ud3u5hsipfzug61p"), Some("pc:5ugbbrmu7ud3u5hsipfzug61p"))]
#[case::none(None, None)]
#[tokio::test]
async fn what_is_made_counts_for_the_listing(#[case] code: Option<&str>, #[case] tag: Option<&str>) {
    let table = TestTable::start().await;
    let mut world = World::new(&table, EXTERNAL_ID).await;
    if let Some(code) = code {
        world.provisioner = world.provisioner.with_product_code(code.parse().unwrap());
    }
    let cluster = world.ready_for(OperationKind::ClusterProvision).await;
    world.achieve(OperationKind::ClusterProvision, &cluster).await;
    let made = world.cloud.made_by_the_platform();
    let kinds: BTreeSet<OwnedKind> = made.iter().map(|found| found.kind).collect();
    assert!(kinds.is_superset(&[OwnedKind::Stack, OwnedKind::Cluster, OwnedKind::NodeGroup].into()), "{kinds:?}");
    // What the inventory of an account leaves out is made with the tags of its intent as well.
    let intended = world.estate.store.intents(&world.estate.tenant, &cluster).await.unwrap();
    let kinds: BTreeSet<&str> = intended.iter().map(|intent| intent.kind.as_str()).collect();
    assert!(kinds.is_superset(&["AWS::EKS::Addon", "AWS::EKS::AccessEntry"].into()), "{kinds:?}");
    let intended = intended.into_iter().map(|intent| (intent.name, intent.tags));
    for (name, tags) in made.into_iter().map(|found| (found.name, found.tags)).chain(intended) {
        assert_eq!(tags.get(PARTNER_TAG).map(String::as_str), tag, "{name}");
    }
}

#[rstest]
#[case::nothing("")]
#[case::the_product_id("prod-4d7xq2vwzk3lm")]
#[case::in_capitals("5UGBBRMU7UD3U5HSIPFZUG61P")]
#[case::with_what_the_tag_adds("pc:5ugbbrmu7ud3u5hsipfzug61p")]
#[case::too_long_for_a_tag(&"a".repeat(254))]
fn what_is_no_product_code_is_refused(#[case] text: &str) {
    assert!(text.parse::<ProductCode>().is_err());
}

/// What jobs wrote and tables hold is the customer's: such a bucket stays when all around it goes. An empty one goes with it.
#[rstest]
#[case::cluster(OperationKind::ClusterDestroy, "results")]
#[case::catalog(OperationKind::CatalogDestroy, "tables")]
#[tokio::test]
async fn buckets_that_something_is_in_stay(#[case] kind: OperationKind, #[case] of: &str) {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let deletions = async |fill: bool| {
        let resource = world.ready_for(kind).await;
        if fill {
            let bucket = format!("mainsheet-{}-{}-{of}", world.estate.connection, resource.id());
            world.fill(&bucket.to_lowercase());
        }
        world.achieve(kind, &resource).await;
        assert_eq!(world.estate.status(&resource).await, ProvisioningStatus::Destroyed);
        assert_eq!(world.estate.intended(&resource).await, Vec::<String>::new());
        world.faulty.calls().iter().filter(|call| **call == "delete_stack").count()
    };
    assert_eq!(deletions(false).await, 1);
    assert_eq!(deletions(true).await, 2, "once more, but for the bucket");
}

/// A state machine that dies cannot end its operation. EventBridge tells of it.
#[tokio::test]
async fn an_operation_whose_execution_has_stopped_is_over() {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let network = world.ready_for(OperationKind::NetworkProvision).await;
    let operation = world.estate.start(OperationKind::NetworkProvision, &network).await;
    let input = json!({ "organizationId": world.estate.tenant.organization_id(), "operationId": operation.id });
    for step in ["assume_role", "create_network_stack"] {
        let mut request = input.clone();
        request["step"] = json!(step);
        world.call(request).await;
    }
    let stopped = json!({
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-11-21T08:31:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:states:eu-central-1:123456789012:execution:mainsheet-network-provision:O1"],
        "detail": {
            "executionArn": "arn:aws:states:eu-central-1:123456789012:execution:mainsheet-network-provision:O1",
            "stateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:mainsheet-network-provision",
            "name": "O1",
            "status": "ABORTED",
            "startDate": 1_795_250_000_000_u64,
            "stopDate": 1_795_250_060_000_u64,
            "input": input.to_string(),
            "inputDetails": { "included": true },
            "output": null,
            "outputDetails": null,
        },
    });
    // EventBridge tells at least once.
    for _ in 0..2 {
        assert_eq!(world.call(stopped.clone()).await, StepOutcome::Done);
        let ended = world.estate.operation(&operation).await;
        let error = ended.error.unwrap();
        assert_eq!((ended.status, error.code), (OperationStatus::Failed, FailureCode::Internal), "{error:?}");
        assert!(error.remedy.contains("destroy it"), "{error:?}");
        assert_eq!(world.estate.status(&network).await, ProvisioningStatus::Failed);
    }
    world.achieve(OperationKind::NetworkDestroy, &network).await;
    assert_eq!(world.names(), Vec::<String>::new());
}

/// A deadline is for what happens in the account. A platform that was stopped meanwhile cannot tell what did.
#[tokio::test]
async fn time_in_which_nobody_looked_counts_towards_no_deadline() {
    let table = TestTable::start().await;
    let world = World::new(&table, EXTERNAL_ID).await;
    let network = world.ready_for(OperationKind::NetworkProvision).await;
    let operation = world.estate.start(OperationKind::NetworkProvision, &network).await;
    let input = json!({ "organizationId": world.estate.tenant.organization_id(), "operationId": operation.id });
    let request = |step: &str| {
        let mut request = input.clone();
        request["step"] = json!(step);
        request
    };
    assert_eq!(world.call(request("assume_role")).await, StepOutcome::Done);
    assert_eq!(world.call(request("create_network_stack")).await, StepOutcome::Again);
    let away = Duration::from_secs(3 * 3600);
    world.stall(away);
    // A step that the operation has not come to, or has left, has no deadline to be put off.
    world.excuse(request("assume_role"), away).await;
    world.excuse(request("create_network_stack"), away).await;
    assert_eq!(world.call(request("create_network_stack")).await, StepOutcome::Again);
    world.stall(away);
    assert_eq!(world.call(request("create_network_stack")).await, StepOutcome::Failed);
    assert_eq!(world.estate.operation(&operation).await.error.unwrap().code, FailureCode::TimedOut);
}

/// A wrong external id is no trouble that passes: it is said at the first try, and what it means.
#[tokio::test]
async fn a_wrong_external_id_is_said_at_once() {
    let table = TestTable::start().await;
    let world = World::new(&table, "another external id").await;
    let resource = world.ready_for(OperationKind::NetworkProvision).await;
    let operation = world.estate.start(OperationKind::NetworkProvision, &resource).await;
    let effort = world.walk(&operation, &[]).await;
    let ended = world.estate.operation(&operation).await;
    assert_eq!(ended.status, OperationStatus::Failed);
    let error = ended.error.unwrap();
    assert_eq!(error.code, FailureCode::RoleNotAssumable);
    assert!(error.message.contains("external id") && error.remedy.contains("verify the connection"), "{error:?}");
    assert!(effort.steps <= 4, "{effort:?}: it was tried again");
    assert_eq!(world.estate.status(&resource).await, ProvisioningStatus::Failed);
    assert_eq!(world.names(), Vec::<String>::new(), "nothing was made");
}
