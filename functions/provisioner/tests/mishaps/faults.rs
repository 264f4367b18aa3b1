//! An account whose calls fail when they are told to, in front of another one.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use mainsheet_cloud::account::*;
use mainsheet_core::ConnectionId;
use mainsheet_core::connection::RoleArn;
use serde_json::Value;
use tokio::sync::Notify;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing of it happens, and AWS does not answer.
    Before,
    /// It has its effect, and the answer is lost.
    After,
    /// AWS asks for patience.
    Throttle,
    /// From now on the role may not make this call.
    Deny,
    /// From now on the role cannot be assumed.
    Lock,
    /// Whoever asked is killed before the call.
    KillBefore,
    /// Whoever asked is killed when the call has had its effect.
    KillAfter,
}

impl Fault {
    pub(crate) const ALL: [Self; 7] =
        [Self::Before, Self::After, Self::Throttle, Self::Deny, Self::Lock, Self::KillBefore, Self::KillAfter];
}

/// Which calls fail, and what was called so far.
#[derive(Default)]
struct Plan {
    faults: BTreeMap<usize, Fault>,
    calls: Vec<&'static str>,
    denied: Vec<&'static str>,
    locked: bool,
}

/// Accounts with faults.
#[derive(Clone)]
pub(crate) struct Faulty {
    inner: Arc<dyn CloudAccounts>,
    plan: Arc<Shared>,
}

struct FaultyAccount {
    inner: Arc<dyn CloudAccount>,
    plan: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    plan: Mutex<Plan>,
    kill: Notify,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn CloudAccounts>) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// From now on the calls with these numbers, counted from 0, fail like this.
    pub(crate) fn inject(&self, faults: impl IntoIterator<Item = (usize, Fault)>) {
        *self.plan.plan.lock().unwrap() = Plan { faults: faults.into_iter().collect(), ..Plan::default() };
    }

    /// Whoever asked is killed.
    pub(crate) async fn killed(&self) {
        self.plan.kill.notified().await;
    }

    /// What was called since.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.plan.plan.lock().unwrap().calls.clone()
    }
}

fn unavailable() -> CloudError {
    CloudError::Unavailable { message: "the connection broke off".to_owned() }
}

/// Makes a call, or what the plan makes of it.
async fn call<T>(shared: &Shared, name: &'static str, made: impl Future<Output = CloudResult<T>>) -> CloudResult<T> {
    let denied = || CloudError::AccessDenied { action: name.to_owned(), message: "denied by a test".to_owned() };
    let fault = {
        let mut plan = shared.plan.lock().unwrap();
        let fault = plan.faults.get(&plan.calls.len()).copied();
        plan.calls.push(name);
        match fault {
            Some(Fault::Deny) => plan.denied.push(name),
            Some(Fault::Lock) => plan.locked = true,
            _ => {}
        }
        if plan.locked {
            let message = "locked by a test".to_owned();
            let role_arn: RoleArn = "arn:aws:iam::123456789012:role/mainsheet".parse().unwrap();
            return Err(CloudError::RoleNotAssumable { role_arn, message });
        }
        if plan.denied.contains(&name) {
            return Err(denied());
        }
        fault
    };
    match fault {
        None | Some(Fault::Deny | Fault::Lock) => made.await,
        Some(Fault::Before) => Err(unavailable()),
        Some(Fault::Throttle) => Err(CloudError::Throttled { retry_after: None }),
        Some(Fault::After) => {
            made.await?;
            Err(unavailable())
        }
        // A future that never goes on is what is left of a process that was killed.
        Some(Fault::KillBefore) => {
            shared.kill.notify_one();
            std::future::pending().await
        }
        Some(Fault::KillAfter) => {
            let _ = made.await;
            shared.kill.notify_one();
            std::future::pending().await
        }
    }
}

macro_rules! delegate {
    ($($port:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+ })+) => {$(
        #[async_trait::async_trait]
        impl $port for FaultyAccount {
            $(async fn $name(&self, $($argument: $kind),*) -> CloudResult<$answer> {
                let made: BoxFuture<'_, CloudResult<$answer>> = Box::pin(self.inner.$name($($argument),*));
                call(&self.plan, stringify!($name), made).await
            })+
        }
    )+};
}

delegate! {
    Discovery {
        verify() -> Verification;
        regions() -> Vec<CloudRegion>;
        instance_types(filter: &InstanceTypeFilter) -> Vec<InstanceType>;
        provider_networks() -> Vec<ProviderNetwork>;
        quotas() -> Vec<Quota>;
        owned(connection: &ConnectionId) -> Vec<OwnedResource>;
    }
    Stacks {
        create_stack(stack: &NewStack) -> String;
        stack(name: &str) -> Stack;
        stack_resources(name: &str) -> Vec<StackResource>;
        stack_events(name: &str) -> Vec<StackEvent>;
        update_stack(name: &str, template: Template, parameters: &BTreeMap<String, String>, token: &ClientToken) -> StackUpdate;
        delete_stack(name: &str, keep: &[String], token: &ClientToken) -> ();
    }
    Clusters {
        create_cluster(cluster: &NewCluster) -> EksCluster;
        cluster(name: &str) -> EksCluster;
        update_cluster_version(name: &str, version: &str, token: &ClientToken) -> String;
        update_public_access(name: &str, cidrs: &[String], token: &ClientToken) -> String;
        delete_cluster(name: &str) -> ();
        create_node_group(group: &NewNodeGroup) -> NodeGroup;
        node_group(cluster: &str, name: &str) -> NodeGroup;
        node_groups(cluster: &str) -> Vec<String>;
        update_node_group_version(cluster: &str, name: &str, version: &str, token: &ClientToken) -> String;
        scale_node_group(cluster: &str, name: &str, scaling: NodeScaling, token: &ClientToken) -> String;
        delete_node_group(cluster: &str, name: &str) -> ();
        update(cluster: &str, target: &UpdateTarget, id: &str) -> Update;
        create_access_entry(entry: &NewAccessEntry) -> ();
        access_entries(cluster: &str) -> Vec<String>;
        delete_access_entry(cluster: &str, principal_arn: &str) -> ();
        create_add_on(add_on: &NewAddOn) -> AddOn;
        add_on(cluster: &str, name: &str) -> AddOn;
        update_add_on(cluster: &str, name: &str, token: &ClientToken) -> Option<String>;
        delete_add_on(cluster: &str, name: &str) -> ();
    }
    KubernetesApi {
        apply(target: &KubernetesTarget, objects: &[Value]) -> ();
        token(cluster: &str) -> EksToken;
    }
}

#[async_trait::async_trait]
impl CloudAccounts for Faulty {
    async fn open(&self, access: &Access) -> CloudResult<Arc<dyn CloudAccount>> {
        let opened = Box::pin(self.inner.open(access));
        let inner = call(&self.plan, "open", opened).await?;
        Ok(Arc::new(FaultyAccount { inner, plan: Arc::clone(&self.plan) }))
    }
}
