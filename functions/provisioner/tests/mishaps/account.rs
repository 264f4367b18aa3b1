//! An account for the tests of steps: what is asked for takes its time, and what stands on something keeps it from going.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use mainsheet_cloud::account::*;
use mainsheet_core::{Clock, ConnectionId, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value;

/// How long everything takes.
const WHILE: Duration = Duration::from_secs(40);

/// Something that is on its way to a status; `None` of that is being gone.
#[derive(Clone)]
struct Thing<S> {
    status: S,
    next: Option<(Timestamp, Option<S>)>,
    tags: Tags,
    token: String,
}

type Things<S> = BTreeMap<String, Thing<S>>;

#[derive(Default)]
struct State {
    external_id: String,
    stacks: Things<StackStatus>,
    parameters: BTreeMap<String, BTreeMap<String, String>>,
    clusters: Things<ClusterStatus>,
    versions: BTreeMap<String, (String, NodeScaling)>,
    groups: Things<NodeGroupStatus>,
    add_ons: Things<AddOnStatus>,
    entries: Vec<String>,
    applied: usize,
}

/// The account, and whoever has entered it.
#[derive(Clone)]
pub(crate) struct TestAccount {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

impl<S: Copy> Thing<S> {
    fn new(status: S, then: S, now: Timestamp, tags: &Tags, token: &ClientToken) -> Self {
        Self { status, next: Some((now + WHILE, Some(then))), tags: tags.clone(), token: token.to_string() }
    }
}

/// Time passes: what is due comes about.
fn settle<S: Copy>(things: &mut Things<S>, now: Timestamp) {
    things.retain(|_, thing| match thing.next {
        Some((at, next)) if at <= now => {
            thing.next = None;
            next.map(|next| thing.status = next).is_some()
        }
        _ => true,
    });
}

fn find<'s, S>(things: &'s mut Things<S>, kind: &str, name: &str) -> CloudResult<&'s mut Thing<S>> {
    things.get_mut(name).ok_or_else(|| CloudError::not_found(kind, name))
}

/// Begins to make something. The same token makes it once.
fn make<S>(things: &mut Things<S>, name: &str, new: Thing<S>) -> CloudResult<()> {
    match things.get(name) {
        Some(there) if there.token == new.token => Ok(()),
        Some(_) => Err(CloudError::AlreadyExists { what: name.to_owned() }),
        None => {
            things.insert(name.to_owned(), new);
            Ok(())
        }
    }
}

fn busy(name: &str) -> CloudError {
    CloudError::Conflict { message: format!("{name} is in use") }
}

impl TestAccount {
    pub(crate) fn new(clock: Clock, external_id: &str) -> Self {
        let state = State { external_id: external_id.to_owned(), ..State::default() };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The stack that the customer deployed.
    pub(crate) fn deploy_connection(&self, name: &str, tags: &Tags) {
        let now = self.clock.now();
        let status = StackStatus::CreateComplete;
        let stack = Thing::new(status, status, now, tags, &ClientToken::new("customer"));
        self.state().stacks.insert(name.to_owned(), stack);
    }

    /// The names of everything that is there.
    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.state();
        let add_ons = state.add_ons.keys();
        state.stacks.keys().chain(state.clusters.keys()).chain(state.groups.keys()).chain(add_ons).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        settle(&mut state.stacks, now);
        settle(&mut state.clusters, now);
        settle(&mut state.groups, now);
        settle(&mut state.add_ons, now);
        state
    }
}

#[async_trait]
impl CloudAccounts for TestAccount {
    async fn open(&self, access: &Access) -> CloudResult<Arc<dyn CloudAccount>> {
        if access.external_id.expose_secret() == self.state().external_id {
            return Ok(Arc::new(self.clone()));
        }
        let message = "is not authorized to perform: sts:AssumeRole".to_owned();
        Err(CloudError::RoleNotAssumable { role_arn: access.role_arn.clone(), message })
    }
}

#[async_trait]
impl Discovery for TestAccount {
    async fn verify(&self) -> CloudResult<Verification> {
        let account_id = "123456789012".parse().unwrap();
        Ok(Verification { account_id, stack_arn: None, missing_actions: Vec::new() })
    }

    async fn regions(&self) -> CloudResult<Vec<CloudRegion>> {
        Ok(Vec::new())
    }

    async fn instance_types(&self, _: &InstanceTypeFilter) -> CloudResult<Vec<InstanceType>> {
        Ok(vec![InstanceType {
            name: "m7g.large".to_owned(),
            vcpus: 2,
            memory_mib: 8192,
            architecture: Architecture::Arm64,
            gpus: 0,
            network_interfaces: 3,
            addresses_per_interface: 10,
        }])
    }

    async fn provider_networks(&self) -> CloudResult<Vec<ProviderNetwork>> {
        Ok(Vec::new())
    }

    async fn quotas(&self) -> CloudResult<Vec<Quota>> {
        Ok(Vec::new())
    }

    async fn owned(&self, _: &ConnectionId) -> CloudResult<Vec<OwnedResource>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Stacks for TestAccount {
    async fn create_stack(&self, stack: &NewStack) -> CloudResult<String> {
        for parameter in stack.template.required_parameters() {
            if !stack.parameters.contains_key(*parameter) {
                return Err(CloudError::Invalid { message: format!("Parameters: [{parameter}] must have values") });
            }
        }
        let (mut state, now) = (self.state(), self.clock.now());
        let new =
            Thing::new(StackStatus::CreateInProgress, StackStatus::CreateComplete, now, &stack.tags, &stack.token);
        make(&mut state.stacks, &stack.name, new)?;
        state.parameters.insert(stack.name.clone(), stack.parameters.clone());
        Ok(format!("arn:{}", stack.name))
    }

    async fn stack(&self, name: &str) -> CloudResult<Stack> {
        let mut state = self.state();
        let stack = find(&mut state.stacks, "stack", name)?.clone();
        let known = [
            ("VpcId", "vpc-1"),
            ("PrivateSubnetIds", "subnet-1,subnet-2"),
            ("ClusterRoleArn", "arn:cluster-role"),
            ("NodeRoleArn", "arn:node-role"),
            ("JobRunnerRoleArn", "arn:job-role"),
            ("ResultsBucketName", "results"),
            ("DatabaseName", "default"),
        ];
        Ok(Stack {
            arn: format!("arn:{name}"),
            name: name.to_owned(),
            status: stack.status,
            reason: None,
            outputs: known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            tags: stack.tags,
        })
    }

    async fn stack_resources(&self, name: &str) -> CloudResult<Vec<StackResource>> {
        let mut state = self.state();
        let status = find(&mut state.stacks, "stack", name)?.status;
        Ok(vec![StackResource {
            logical_id: "Part".to_owned(),
            physical_id: None,
            kind: "AWS::EC2::VPC".to_owned(),
            status,
            reason: None,
            updated_at: self.clock.now(),
        }])
    }

    async fn stack_events(&self, _: &str) -> CloudResult<Vec<StackEvent>> {
        Ok(Vec::new())
    }

    async fn update_stack(
        &self,
        name: &str,
        _: Template,
        parameters: &BTreeMap<String, String>,
        token: &ClientToken,
    ) -> CloudResult<StackUpdate> {
        let (mut state, now) = (self.state(), self.clock.now());
        let known = state.parameters.entry(name.to_owned()).or_default();
        let news = parameters.iter().any(|(name, value)| known.get(name) != Some(value)) || parameters.is_empty();
        known.extend(parameters.clone());
        let stack = find(&mut state.stacks, "stack", name)?;
        if stack.status.is_in_progress() {
            return Err(busy(name));
        }
        // The same token is the same update.
        if stack.token == token.as_str() {
            return Ok(StackUpdate::Started);
        }
        if !news {
            return Ok(StackUpdate::Unchanged);
        }
        stack.token = token.to_string();
        stack.status = StackStatus::UpdateInProgress;
        stack.next = Some((now + WHILE, Some(StackStatus::UpdateComplete)));
        Ok(StackUpdate::Started)
    }

    async fn delete_stack(&self, name: &str, _: &ClientToken) -> CloudResult<()> {
        let (mut state, now) = (self.state(), self.clock.now());
        let stack = find(&mut state.stacks, "stack", name)?;
        if stack.status != StackStatus::DeleteInProgress {
            stack.status = StackStatus::DeleteInProgress;
            stack.next = Some((now + WHILE, None));
        }
        Ok(())
    }
}

impl TestAccount {
    fn group_of(state: &State, cluster: &str, name: &str, group: &Thing<NodeGroupStatus>) -> NodeGroup {
        let (version, scaling) = state.versions[&format!("{cluster}/{name}")].clone();
        NodeGroup {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            arn: format!("arn:{cluster}/{name}"),
            status: group.status,
            version,
            instance_types: vec!["m7g.large".to_owned()],
            scaling,
            issues: Vec::new(),
            tags: group.tags.clone(),
        }
    }

    /// A change of a node group; the same token is the same change.
    fn change_group(
        &self,
        cluster: &str,
        name: &str,
        token: &ClientToken,
        change: impl FnOnce(&mut (String, NodeScaling)),
    ) -> CloudResult<String> {
        let (mut state, now) = (self.state(), self.clock.now());
        let key = format!("{cluster}/{name}");
        let group = find(&mut state.groups, "node group", &key)?;
        if group.status != NodeGroupStatus::Active {
            return Err(busy(&key));
        }
        group.status = NodeGroupStatus::Updating;
        group.next = Some((now + WHILE, Some(NodeGroupStatus::Active)));
        change(state.versions.get_mut(&key).unwrap());
        Ok(token.to_string())
    }

    fn change_cluster(
        &self,
        name: &str,
        token: &ClientToken,
        change: impl FnOnce(&mut (String, NodeScaling)),
    ) -> CloudResult<String> {
        let (mut state, now) = (self.state(), self.clock.now());
        let cluster = find(&mut state.clusters, "cluster", name)?;
        if cluster.status != ClusterStatus::Active {
            return Err(busy(name));
        }
        cluster.status = ClusterStatus::Updating;
        cluster.next = Some((now + WHILE, Some(ClusterStatus::Active)));
        change(state.versions.get_mut(name).unwrap());
        Ok(token.to_string())
    }
}

#[async_trait]
impl Clusters for TestAccount {
    async fn create_cluster(&self, cluster: &NewCluster) -> CloudResult<EksCluster> {
        let now = self.clock.now();
        {
            let mut state = self.state();
            let new = Thing::new(ClusterStatus::Creating, ClusterStatus::Active, now, &cluster.tags, &cluster.token);
            make(&mut state.clusters, &cluster.name, new)?;
            let none = NodeScaling { min: 0, desired: 0, max: 0 };
            state.versions.insert(cluster.name.clone(), (cluster.version.clone(), none));
        }
        self.cluster(&cluster.name).await
    }

    async fn cluster(&self, name: &str) -> CloudResult<EksCluster> {
        let mut state = self.state();
        let cluster = find(&mut state.clusters, "cluster", name)?.clone();
        let active = cluster.status == ClusterStatus::Active;
        Ok(EksCluster {
            name: name.to_owned(),
            arn: format!("arn:{name}"),
            status: cluster.status,
            version: state.versions[name].0.clone(),
            endpoint: active.then(|| "https://cluster.example".to_owned()),
            certificate_authority: active.then(|| "Y2E=".to_owned()),
            oidc_issuer: active.then(|| "https://oidc.example/id/1".to_owned()),
            vpc_id: None,
            public_access_cidrs: vec!["0.0.0.0/0".to_owned()],
            issues: Vec::new(),
            tags: cluster.tags,
        })
    }

    async fn update_cluster_version(&self, name: &str, version: &str, token: &ClientToken) -> CloudResult<String> {
        self.change_cluster(name, token, |versions| version.clone_into(&mut versions.0))
    }

    async fn update_public_access(&self, _: &str, _: &[String], token: &ClientToken) -> CloudResult<String> {
        Ok(token.to_string())
    }

    async fn delete_cluster(&self, name: &str) -> CloudResult<()> {
        let (mut state, now) = (self.state(), self.clock.now());
        if state.groups.keys().any(|group| group.starts_with(&format!("{name}/"))) {
            return Err(busy(name));
        }
        let cluster = find(&mut state.clusters, "cluster", name)?;
        if cluster.status == ClusterStatus::Creating {
            return Err(busy(name));
        }
        cluster.status = ClusterStatus::Deleting;
        cluster.next = Some((now + WHILE, None));
        state.add_ons.clear();
        state.entries.clear();
        Ok(())
    }

    async fn create_node_group(&self, group: &NewNodeGroup) -> CloudResult<NodeGroup> {
        let now = self.clock.now();
        let key = format!("{}/{}", group.cluster, group.name);
        {
            let mut state = self.state();
            find(&mut state.clusters, "cluster", &group.cluster)?;
            let version = state.versions[&group.cluster].0.clone();
            let new = Thing::new(NodeGroupStatus::Creating, NodeGroupStatus::Active, now, &group.tags, &group.token);
            make(&mut state.groups, &key, new)?;
            state.versions.insert(key, (version, group.scaling));
        }
        self.node_group(&group.cluster, &group.name).await
    }

    async fn node_group(&self, cluster: &str, name: &str) -> CloudResult<NodeGroup> {
        let mut state = self.state();
        let group = find(&mut state.groups, "node group", &format!("{cluster}/{name}"))?.clone();
        Ok(Self::group_of(&state, cluster, name, &group))
    }

    async fn node_groups(&self, cluster: &str) -> CloudResult<Vec<String>> {
        let mut state = self.state();
        find(&mut state.clusters, "cluster", cluster)?;
        let prefix = format!("{cluster}/");
        Ok(state.groups.keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    async fn update_node_group_version(
        &self,
        cluster: &str,
        name: &str,
        version: &str,
        token: &ClientToken,
    ) -> CloudResult<String> {
        self.change_group(cluster, name, token, |versions| version.clone_into(&mut versions.0))
    }

    async fn scale_node_group(
        &self,
        cluster: &str,
        name: &str,
        scaling: NodeScaling,
        token: &ClientToken,
    ) -> CloudResult<String> {
        self.change_group(cluster, name, token, |versions| versions.1 = scaling)
    }

    async fn delete_node_group(&self, cluster: &str, name: &str) -> CloudResult<()> {
        let (mut state, now) = (self.state(), self.clock.now());
        let group = find(&mut state.groups, "node group", &format!("{cluster}/{name}"))?;
        if group.status == NodeGroupStatus::Creating {
            return Err(busy(name));
        }
        if group.status != NodeGroupStatus::Deleting {
            group.status = NodeGroupStatus::Deleting;
            group.next = Some((now + WHILE, None));
        }
        Ok(())
    }

    async fn update(&self, _: &str, _: &UpdateTarget, id: &str) -> CloudResult<Update> {
        Ok(Update { id: id.to_owned(), status: UpdateStatus::InProgress, issues: Vec::new() })
    }

    async fn create_access_entry(&self, entry: &NewAccessEntry) -> CloudResult<()> {
        self.state().entries.push(entry.principal_arn.clone());
        Ok(())
    }

    async fn access_entries(&self, cluster: &str) -> CloudResult<Vec<String>> {
        let mut state = self.state();
        find(&mut state.clusters, "cluster", cluster)?;
        Ok(state.entries.clone())
    }

    async fn delete_access_entry(&self, _: &str, _: &str) -> CloudResult<()> {
        self.state().entries.clear();
        Ok(())
    }

    async fn create_add_on(&self, add_on: &NewAddOn) -> CloudResult<AddOn> {
        let now = self.clock.now();
        {
            let mut state = self.state();
            find(&mut state.clusters, "cluster", &add_on.cluster)?;
            let new = Thing::new(AddOnStatus::Creating, AddOnStatus::Active, now, &add_on.tags, &add_on.token);
            make(&mut state.add_ons, &add_on.name, new)?;
        }
        self.add_on(&add_on.cluster, &add_on.name).await
    }

    async fn add_on(&self, _: &str, name: &str) -> CloudResult<AddOn> {
        let mut state = self.state();
        let status = find(&mut state.add_ons, "add-on", name)?.status;
        let (name, arn) = (name.to_owned(), format!("arn:{name}"));
        Ok(AddOn { name, arn, version: "v1".to_owned(), status, issues: Vec::new() })
    }

    async fn update_add_on(&self, _: &str, _: &str, _: &ClientToken) -> CloudResult<Option<String>> {
        Ok(None)
    }

    async fn delete_add_on(&self, _: &str, name: &str) -> CloudResult<()> {
        self.state().add_ons.remove(name);
        Ok(())
    }
}

#[async_trait]
impl KubernetesApi for TestAccount {
    async fn apply(&self, target: &KubernetesTarget, objects: &[Value]) -> CloudResult<()> {
        assert!(target.endpoint.starts_with("https://") && !objects.is_empty());
        let mut state = self.state();
        if state.entries.is_empty() {
            let (action, message) = ("kubernetes".to_owned(), "the role has no access entry".to_owned());
            return Err(CloudError::AccessDenied { action, message });
        }
        state.applied += 1;
        Ok(())
    }

    async fn token(&self, _: &str) -> CloudResult<EksToken> {
        Err(CloudError::Unavailable { message: "not of use here".to_owned() })
    }
}
