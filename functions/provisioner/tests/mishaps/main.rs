//! Nothing leaks, nothing hangs: each workflow with something going wrong at every point.
//!
//! `cargo test` tries a seeded sample. `MAINSHEET_MISHAPS=all cargo test -p mainsheet-provisioner --test mishaps` tries every single
//! mishap and 2,000 pairs.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

#[path = "../estate/mod.rs"]
mod estate;
mod faults;
mod table;
mod world;

use mainsheet_core::operation::{FailureCode, OperationKind, OperationStatus, ResourceRef};
use mainsheet_core::provisioning::ProvisioningStatus;
use rstest::rstest;

use faults::Fault;
use table::{LostWrite, TestTable};
use world::{EXTERNAL_ID, Effort, Mishap, World};

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

    let ended = world.estate.operation(&operation).await;
    let status = world.estate.status(&resource).await;
    match ended.status {
        OperationStatus::Succeeded => {
            assert_eq!(ended.error, None, "{context}");
            let wanted = if kind.is_destroy() { ProvisioningStatus::Destroyed } else { ProvisioningStatus::Active };
            assert_eq!(status, wanted, "{context}");
        }
        OperationStatus::Failed | OperationStatus::Cancelled => {
            assert!(ended.error.is_some(), "{context}: it does not say why");
            let reverted = status == ProvisioningStatus::Active
                && matches!(kind, OperationKind::ClusterUpdate | OperationKind::ConnectionSyncTemplate);
            assert!(status == ProvisioningStatus::Failed || reverted, "{context}: {status:?}");
        }
        OperationStatus::Pending | OperationStatus::Running => panic!("{context}: it hangs: {ended:?}"),
    }
    require_known(&world, &resource, &others, &context).await;

    if !matches!(status, ProvisioningStatus::Destroyed) && !matches!(resource, ResourceRef::Connection(_)) {
        let destroying = world.estate.start(destroy_of(&resource), &resource).await;
        world.walk(&destroying, &[]).await;
        let destroyed = world.estate.operation(&destroying).await;
        assert_eq!(destroyed.status, OperationStatus::Succeeded, "{context}: {:?}", destroyed.error);
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
    let all = std::env::var("MAINSHEET_MISHAPS").is_ok_and(|wanted| wanted == "all");
    let tried: Vec<Mishap> = if all { singles.clone() } else { (0..SAMPLE.0).map(|_| seeded.pick(&singles)).collect() };
    for mishap in tried {
        trial(&table, kind, &[mishap]).await;
    }
    let pairs = if all { PAIRS / OperationKind::ALL.len() } else { SAMPLE.1 };
    for _ in 0..pairs {
        let pair = [seeded.pick(&singles), seeded.pick(&singles)];
        trial(&table, kind, &pair).await;
    }
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
