//! EKS clusters, with what belongs to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use mainsheet_cloud::account::{
    Action, AddOn, AddOnStatus, ClientToken, CloudError, CloudResult, ClusterIssue, ClusterStatus, Clusters,
    EksCluster, NewAccessEntry, NewAddOn, NewCluster, NewNodeGroup, NodeGroup, NodeGroupStatus, NodeScaling, QuotaKind,
    Tags, Update, UpdateStatus, UpdateTarget,
};
use mainsheet_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue;
use crate::session::{Scene, Session, conflict, invalid, require_prefix, require_tags};
use crate::stacks::SimulatedStack;
use crate::timeline::Timeline;

/// How long things take, about as long as in AWS.
const CREATE_CLUSTER: Duration = Duration::from_secs(9 * 60);
const DELETE_CLUSTER: Duration = Duration::from_secs(3 * 60);
const UPDATE_CLUSTER: Duration = Duration::from_secs(10 * 60);
const CREATE_NODES: Duration = Duration::from_secs(150);
const DELETE_NODES: Duration = Duration::from_secs(240);
const UPDATE_NODES: Duration = Duration::from_secs(7 * 60);
const SCALE_NODES: Duration = Duration::from_secs(90);
const ADD_ON: Duration = Duration::from_secs(45);

/// Add-ons that EKS has, and what they need to work.
const ADD_ONS: [(&str, Needs); 6] = [
    ("vpc-cni", Needs::Nothing),
    ("kube-proxy", Needs::Nothing),
    ("coredns", Needs::Nodes),
    ("eks-pod-identity-agent", Needs::Nothing),
    ("aws-ebs-csi-driver", Needs::NodesAndRole),
    ("metrics-server", Needs::Nodes),
];

/// What an add-on needs to work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Nodes,
    /// Its pods call AWS.
    NodesAndRole,
}

/// A cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulatedCluster {
    pub(crate) name: String,
    pub(crate) arn: String,
    version: String,
    number: u64,
    pub(crate) subnet_ids: Vec<String>,
    vpc_id: String,
    public_access_cidrs: Vec<String>,
    issues: Vec<ClusterIssue>,
    pub(crate) tags: Tags,
    token: ClientToken,
    /// `None` is gone.
    states: Timeline<Option<ClusterStatus>>,
    pub(crate) node_groups: BTreeMap<String, SimulatedNodeGroup>,
    add_ons: BTreeMap<String, SimulatedAddOn>,
    pub(crate) access_entries: BTreeMap<String, ClientToken>,
    updates: Vec<SimulatedUpdate>,
    /// What was applied to its Kubernetes API, by kind, namespace and name.
    pub(crate) objects: BTreeMap<String, Value>,
}

/// A node group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulatedNodeGroup {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) node_role_arn: String,
    version: String,
    instance_types: Vec<String>,
    pub(crate) scaling: NodeScaling,
    issues: Vec<ClusterIssue>,
    pub(crate) tags: Tags,
    token: ClientToken,
    states: Timeline<Option<NodeGroupStatus>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimulatedAddOn {
    arn: String,
    role_arn: Option<String>,
    version: String,
    issues: Vec<ClusterIssue>,
    token: ClientToken,
    states: Timeline<Option<AddOnStatus>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimulatedUpdate {
    id: String,
    token: ClientToken,
    change: Change,
    done_at: Timestamp,
    /// What comes of it; it has come about when that is `applied`.
    fails: bool,
    applied: bool,
}

/// What an update changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Change {
    Version(String),
    PublicAccess(Vec<String>),
    NodeGroupVersion(String, String),
    NodeGroupScaling(String, NodeScaling),
    AddOnVersion(String, String),
}

impl SimulatedCluster {
    /// What was due until now has happened.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let due: Vec<Change> = self.updates.iter_mut().filter_map(|update| update.fall_due(now)).collect();
        for change in due {
            self.apply(change);
        }
        self.node_groups.retain(|_, group| group.states.at(now).flatten().is_some());
        self.add_ons.retain(|_, add_on| add_on.states.at(now).flatten().is_some());
    }

    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        self.states.at(now).flatten().is_none()
    }

    pub(crate) fn status(&self, now: Timestamp) -> ClusterStatus {
        self.states.at(now).flatten().unwrap_or(ClusterStatus::Deleting)
    }

    /// Whether there is a node to run something on.
    pub(crate) fn has_nodes(&self, now: Timestamp) -> bool {
        let works = |group: &SimulatedNodeGroup| {
            matches!(group.status(now), NodeGroupStatus::Active | NodeGroupStatus::Updating)
        };
        self.node_groups.values().any(works)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Version(version) => self.version = version,
            Change::PublicAccess(cidrs) => self.public_access_cidrs = cidrs,
            Change::NodeGroupVersion(name, version) => {
                self.node_groups.get_mut(&name).into_iter().for_each(|group| group.version.clone_from(&version));
            }
            Change::NodeGroupScaling(name, scaling) => {
                self.node_groups.get_mut(&name).into_iter().for_each(|group| group.scaling = scaling);
            }
            Change::AddOnVersion(name, version) => {
                self.add_ons.get_mut(&name).into_iter().for_each(|add_on| add_on.version.clone_from(&version));
            }
        }
    }

    /// Begins an update, or answers the one that the same token began.
    fn begin(&mut self, id: String, token: &ClientToken, change: Change, done_at: Timestamp, fails: bool) -> String {
        self.updates.push(SimulatedUpdate {
            id: id.clone(),
            token: token.clone(),
            change,
            done_at,
            fails,
            applied: false,
        });
        id
    }

    fn update_of(&self, token: &ClientToken) -> Option<String> {
        self.updates.iter().find(|update| update.token == *token).map(|update| update.id.clone())
    }

    fn require_active(&self, now: Timestamp) -> CloudResult<()> {
        match self.status(now) {
            ClusterStatus::Active => Ok(()),
            status => Err(conflict(format!("Cluster {} is {status:?}, not active.", self.name))),
        }
    }

    fn view(&self, scene: &Scene<'_>) -> EksCluster {
        let status = self.status(scene.now);
        let there = !matches!(status, ClusterStatus::Creating | ClusterStatus::Failed);
        let id = format!("{:032X}", self.number);
        let host = format!("{}.eks.amazonaws.com", scene.region);
        EksCluster {
            name: self.name.clone(),
            arn: self.arn.clone(),
            status,
            version: self.version.clone(),
            endpoint: there.then(|| format!("https://{id}.gr7.{host}")),
            // Base64 of a text that is no certificate: nobody can call what is simulated.
            certificate_authority: there.then(|| "c2ltdWxhdGVk".to_owned()),
            oidc_issuer: there.then(|| format!("https://oidc.eks.{}.amazonaws.com/id/{id}", scene.region)),
            vpc_id: Some(self.vpc_id.clone()),
            public_access_cidrs: self.public_access_cidrs.clone(),
            issues: self.issues.clone(),
            tags: self.tags.clone(),
        }
    }
}

impl SimulatedNodeGroup {
    pub(crate) fn status(&self, now: Timestamp) -> NodeGroupStatus {
        self.states.at(now).flatten().unwrap_or(NodeGroupStatus::Deleting)
    }

    fn view(&self, cluster: &str, now: Timestamp) -> NodeGroup {
        let status = self.status(now);
        let failed = matches!(status, NodeGroupStatus::CreateFailed | NodeGroupStatus::DeleteFailed);
        NodeGroup {
            cluster: cluster.to_owned(),
            name: self.name.clone(),
            arn: self.arn.clone(),
            status,
            version: self.version.clone(),
            instance_types: self.instance_types.clone(),
            scaling: self.scaling,
            issues: if failed { self.issues.clone() } else { Vec::new() },
            tags: self.tags.clone(),
        }
    }

    /// Virtual processors that it uses.
    pub(crate) fn vcpus(&self) -> u64 {
        let machine = self.instance_types.first().and_then(|name| catalogue::machine(name));
        machine.map_or(0, |machine| u64::from(machine.vcpus) * u64::from(self.scaling.desired))
    }
}

impl SimulatedAddOn {
    fn view(&self, name: &str, now: Timestamp, has_nodes: bool) -> AddOn {
        let needs = ADD_ONS.iter().find(|(known, _)| *known == name).map_or(Needs::Nothing, |(_, needs)| *needs);
        let works = match needs {
            Needs::Nothing => true,
            Needs::Nodes => has_nodes,
            Needs::NodesAndRole => has_nodes && self.role_arn.is_some(),
        };
        let status = match self.states.at(now).flatten().unwrap_or(AddOnStatus::Deleting) {
            AddOnStatus::Active if !works => AddOnStatus::Degraded,
            status => status,
        };
        AddOn {
            name: name.to_owned(),
            arn: self.arn.clone(),
            version: self.version.clone(),
            status,
            issues: self.issues.clone(),
        }
    }
}

impl SimulatedUpdate {
    fn fall_due(&mut self, now: Timestamp) -> Option<Change> {
        if self.applied || now < self.done_at {
            return None;
        }
        self.applied = true;
        (!self.fails).then(|| self.change.clone())
    }

    fn view(&self, now: Timestamp) -> Update {
        let (status, issues) = match (now < self.done_at, self.fails) {
            (true, _) => (UpdateStatus::InProgress, Vec::new()),
            (false, true) => (UpdateStatus::Failed, vec![injected()]),
            (false, false) => (UpdateStatus::Successful, Vec::new()),
        };
        Update { id: self.id.clone(), status, issues }
    }
}

#[async_trait]
impl Clusters for Session {
    async fn create_cluster(&self, new: &NewCluster) -> CloudResult<EksCluster> {
        self.call(Action::CreateCluster, |scene| {
            require_prefix(Action::CreateCluster, &new.name)?;
            require_tags(&new.tags)?;
            if let Some(present) = scene.here().clusters.get(&new.name).cloned() {
                return if present.token == new.token {
                    Ok(present.view(scene))
                } else {
                    Err(taken("cluster", &new.name))
                };
            }
            require_version(&new.version)?;
            require_role(scene, &new.role_arn, "ClusterRoleArn")?;
            let vpc_id = require_subnets(scene, &new.subnet_ids)?;
            if scene.used(QuotaKind::Clusters) >= scene.limit(QuotaKind::Clusters) {
                let quota = QuotaKind::Clusters.as_str().to_owned();
                let message = "You have exceeded the limit of clusters.".to_owned();
                return Err(CloudError::QuotaExceeded { quota, message });
            }
            let cluster = made(scene, new, vpc_id);
            let view = cluster.view(scene);
            scene.here().clusters.insert(new.name.clone(), cluster);
            Ok(view)
        })
    }

    async fn cluster(&self, name: &str) -> CloudResult<EksCluster> {
        self.call(Action::DescribeCluster, |scene| {
            let cluster = find(scene, name)?.clone();
            Ok(cluster.view(scene))
        })
    }

    async fn update_cluster_version(&self, name: &str, version: &str, token: &ClientToken) -> CloudResult<String> {
        self.call(Action::UpdateClusterVersion, |scene| {
            let (now, id, doomed) = (scene.now, scene.uuid(), scene.doomed);
            let cluster = find(scene, name)?;
            if let Some(id) = cluster.update_of(token) {
                return Ok(id);
            }
            require_version(version)?;
            if minor(version) != minor(&cluster.version).map(|minor| minor + 1) {
                let from = &cluster.version;
                return Err(invalid(format!("Unsupported Kubernetes minor version update from {from} to {version}")));
            }
            cluster.require_active(now)?;
            cluster.states.turn(now, Some(ClusterStatus::Updating), UPDATE_CLUSTER, Some(ClusterStatus::Active));
            Ok(cluster.begin(id, token, Change::Version(version.to_owned()), now + UPDATE_CLUSTER, doomed))
        })
    }

    async fn update_public_access(&self, name: &str, cidrs: &[String], token: &ClientToken) -> CloudResult<String> {
        self.call(Action::UpdateClusterConfig, |scene| {
            let (now, id, doomed) = (scene.now, scene.uuid(), scene.doomed);
            let cluster = find(scene, name)?;
            if let Some(id) = cluster.update_of(token) {
                return Ok(id);
            }
            let wanted = access(cidrs);
            if cluster.public_access_cidrs == wanted {
                return Err(invalid("Cluster is already at the desired configuration"));
            }
            cluster.require_active(now)?;
            cluster.states.turn(now, Some(ClusterStatus::Updating), SCALE_NODES, Some(ClusterStatus::Active));
            Ok(cluster.begin(id, token, Change::PublicAccess(wanted), now + SCALE_NODES, doomed))
        })
    }

    async fn delete_cluster(&self, name: &str) -> CloudResult<()> {
        self.call(Action::DeleteCluster, |scene| {
            let (now, doomed) = (scene.now, scene.doomed);
            let cluster = find(scene, name)?;
            match cluster.status(now) {
                ClusterStatus::Deleting => return Ok(()),
                ClusterStatus::Active | ClusterStatus::Failed => {}
                status => return Err(conflict(format!("Cluster {name} is {status:?}; wait until it is not."))),
            }
            if !cluster.node_groups.is_empty() {
                return Err(conflict(format!("Cluster {name} has nodegroups attached")));
            }
            let end = doomed.then_some(ClusterStatus::Failed);
            cluster.issues.extend(doomed.then(injected));
            cluster.states.turn(now, Some(ClusterStatus::Deleting), DELETE_CLUSTER, end);
            Ok(())
        })
    }

    async fn create_node_group(&self, new: &NewNodeGroup) -> CloudResult<NodeGroup> {
        self.call(Action::CreateNodegroup, |scene| {
            require_tags(&new.tags)?;
            let now = scene.now;
            let cluster = find(scene, &new.cluster)?.clone();
            if let Some(present) = cluster.node_groups.get(&new.name) {
                let same = present.token == new.token;
                return if same { Ok(present.view(&new.cluster, now)) } else { Err(taken("node group", &new.name)) };
            }
            cluster.require_active(now)?;
            require_role(scene, &new.node_role_arn, "NodeRoleArn")?;
            require_machines(new)?;
            require_scaling(new.scaling)?;
            if let Some(alien) = new.subnet_ids.iter().find(|subnet| !cluster.subnet_ids.contains(subnet)) {
                return Err(invalid(format!("Subnet {alien} is none of the cluster's.")));
            }
            let group = made_nodes(scene, new, &cluster.version);
            let view = group.view(&new.cluster, now);
            find(scene, &new.cluster)?.node_groups.insert(new.name.clone(), group);
            Ok(view)
        })
    }

    async fn node_group(&self, cluster: &str, name: &str) -> CloudResult<NodeGroup> {
        self.call(Action::DescribeNodegroup, |scene| {
            let now = scene.now;
            find_group(scene, cluster, name).map(|group| group.view(cluster, now))
        })
    }

    async fn node_groups(&self, cluster: &str) -> CloudResult<Vec<String>> {
        self.call(Action::ListNodegroups, |scene| Ok(find(scene, cluster)?.node_groups.keys().cloned().collect()))
    }

    async fn update_node_group_version(
        &self,
        cluster: &str,
        name: &str,
        version: &str,
        token: &ClientToken,
    ) -> CloudResult<String> {
        self.call(Action::UpdateNodegroupVersion, |scene| {
            let plane = find(scene, cluster)?.version.clone();
            if minor(version) > minor(&plane) || minor(version).is_none() {
                return Err(invalid(format!("Nodegroup version {version} can't be above the control plane's {plane}")));
            }
            let change = Change::NodeGroupVersion(name.to_owned(), version.to_owned());
            change_nodes(scene, (cluster, name), token, change, UPDATE_NODES)
        })
    }

    async fn scale_node_group(
        &self,
        cluster: &str,
        name: &str,
        scaling: NodeScaling,
        token: &ClientToken,
    ) -> CloudResult<String> {
        self.call(Action::UpdateNodegroupConfig, |scene| {
            require_scaling(scaling)?;
            change_nodes(scene, (cluster, name), token, Change::NodeGroupScaling(name.to_owned(), scaling), SCALE_NODES)
        })
    }

    async fn delete_node_group(&self, cluster: &str, name: &str) -> CloudResult<()> {
        self.call(Action::DeleteNodegroup, |scene| {
            let (now, doomed) = (scene.now, scene.doomed);
            let group = find_group(scene, cluster, name)?;
            if group.status(now) != NodeGroupStatus::Deleting {
                let end = doomed.then_some(NodeGroupStatus::DeleteFailed);
                group.issues.extend(doomed.then(injected));
                group.states.turn(now, Some(NodeGroupStatus::Deleting), DELETE_NODES, end);
            }
            Ok(())
        })
    }

    async fn update(&self, cluster: &str, _target: &UpdateTarget, id: &str) -> CloudResult<Update> {
        self.call(Action::DescribeUpdate, |scene| {
            let now = scene.now;
            let update =
                find(scene, cluster)?.updates.iter().find(|update| update.id == id).map(|update| update.view(now));
            update.ok_or_else(|| CloudError::not_found("update", id))
        })
    }

    async fn create_access_entry(&self, entry: &NewAccessEntry) -> CloudResult<()> {
        self.call(Action::CreateAccessEntry, |scene| {
            require_tags(&entry.tags)?;
            let now = scene.now;
            let cluster = find(scene, &entry.cluster)?;
            match cluster.access_entries.get(&entry.principal_arn) {
                Some(token) if *token == entry.token => return Ok(()),
                Some(_) => return Err(taken("access entry", &entry.principal_arn)),
                None => cluster.require_active(now)?,
            }
            cluster.access_entries.insert(entry.principal_arn.clone(), entry.token.clone());
            Ok(())
        })
    }

    async fn access_entries(&self, cluster: &str) -> CloudResult<Vec<String>> {
        self.call(Action::ListAccessEntries, |scene| Ok(find(scene, cluster)?.access_entries.keys().cloned().collect()))
    }

    async fn delete_access_entry(&self, cluster: &str, principal_arn: &str) -> CloudResult<()> {
        self.call(Action::DeleteAccessEntry, |scene| {
            let removed = find(scene, cluster)?.access_entries.remove(principal_arn);
            removed.map(|_| ()).ok_or_else(|| CloudError::not_found("access entry", principal_arn))
        })
    }

    async fn create_add_on(&self, new: &NewAddOn) -> CloudResult<AddOn> {
        self.call(Action::CreateAddon, |scene| {
            require_tags(&new.tags)?;
            if let Some(role) = &new.role_arn {
                require_role(scene, role, "StorageRoleArn")?;
            }
            let (now, doomed, id) = (scene.now, scene.doomed, scene.uuid());
            let arn = scene.arn("eks", &format!("addon/{}/{}/{id}", new.cluster, new.name));
            let cluster = find(scene, &new.cluster)?;
            if !ADD_ONS.iter().any(|(name, _)| *name == new.name) {
                return Err(invalid(format!("Addon {} specified is not supported", new.name)));
            }
            let has_nodes = cluster.has_nodes(now);
            if let Some(present) = cluster.add_ons.get(&new.name) {
                let same = present.token == new.token;
                return if same {
                    Ok(present.view(&new.name, now, has_nodes))
                } else {
                    Err(taken("add-on", &new.name))
                };
            }
            cluster.require_active(now)?;
            let end = if doomed { AddOnStatus::CreateFailed } else { AddOnStatus::Active };
            let mut states = Timeline::begin(now, Some(AddOnStatus::Creating));
            states.turn(now, Some(AddOnStatus::Creating), ADD_ON, Some(end));
            let issues = doomed.then(injected).into_iter().collect();
            let version = default_version(&cluster.version);
            let add_on = SimulatedAddOn {
                arn,
                role_arn: new.role_arn.clone(),
                version,
                issues,
                token: new.token.clone(),
                states,
            };
            let view = add_on.view(&new.name, now, has_nodes);
            cluster.add_ons.insert(new.name.clone(), add_on);
            Ok(view)
        })
    }

    async fn add_on(&self, cluster: &str, name: &str) -> CloudResult<AddOn> {
        self.call(Action::DescribeAddon, |scene| {
            let now = scene.now;
            let cluster = find(scene, cluster)?;
            let add_on = cluster.add_ons.get(name).map(|add_on| add_on.view(name, now, cluster.has_nodes(now)));
            add_on.ok_or_else(|| CloudError::not_found("add-on", name))
        })
    }

    async fn update_add_on(&self, cluster: &str, name: &str, token: &ClientToken) -> CloudResult<Option<String>> {
        self.call(Action::UpdateAddon, |scene| {
            let (now, id, doomed) = (scene.now, scene.uuid(), scene.doomed);
            let cluster = find(scene, cluster)?;
            let version = default_version(&cluster.version);
            let known = cluster.add_ons.get(name).ok_or_else(|| CloudError::not_found("add-on", name))?;
            if known.version == version {
                return Ok(None);
            }
            if let Some(id) = cluster.update_of(token) {
                return Ok(Some(id));
            }
            cluster.require_active(now)?;
            let add_on = cluster.add_ons.get_mut(name).ok_or_else(|| CloudError::not_found("add-on", name))?;
            let end = if doomed { AddOnStatus::UpdateFailed } else { AddOnStatus::Active };
            add_on.states.turn(now, Some(AddOnStatus::Updating), ADD_ON, Some(end));
            let change = Change::AddOnVersion(name.to_owned(), version);
            Ok(Some(cluster.begin(id, token, change, now + ADD_ON, doomed)))
        })
    }

    async fn delete_add_on(&self, cluster: &str, name: &str) -> CloudResult<()> {
        self.call(Action::DeleteAddon, |scene| {
            let now = scene.now;
            let cluster = find(scene, cluster)?;
            let add_on = cluster.add_ons.get_mut(name).ok_or_else(|| CloudError::not_found("add-on", name))?;
            add_on.states.turn(now, Some(AddOnStatus::Deleting), ADD_ON, None);
            Ok(())
        })
    }
}

pub(crate) fn find<'s>(scene: &'s mut Scene<'_>, name: &str) -> CloudResult<&'s mut SimulatedCluster> {
    scene.here().clusters.get_mut(name).ok_or_else(|| CloudError::not_found("cluster", name))
}

fn find_group<'s>(scene: &'s mut Scene<'_>, cluster: &str, name: &str) -> CloudResult<&'s mut SimulatedNodeGroup> {
    let group = find(scene, cluster)?.node_groups.get_mut(name);
    group.ok_or_else(|| CloudError::not_found("node group", name))
}

fn made(scene: &mut Scene<'_>, new: &NewCluster, vpc_id: String) -> SimulatedCluster {
    let (now, number) = (scene.now, scene.next_number());
    let end = if scene.doomed { ClusterStatus::Failed } else { ClusterStatus::Active };
    let mut states = Timeline::begin(now, Some(ClusterStatus::Creating));
    states.turn(now, Some(ClusterStatus::Creating), CREATE_CLUSTER, Some(end));
    SimulatedCluster {
        name: new.name.clone(),
        arn: scene.arn("eks", &format!("cluster/{}", new.name)),
        version: new.version.clone(),
        number,
        subnet_ids: new.subnet_ids.clone(),
        vpc_id,
        public_access_cidrs: access(&new.public_access_cidrs),
        issues: scene.doomed.then(injected).into_iter().collect(),
        tags: new.tags.clone(),
        token: new.token.clone(),
        states,
        node_groups: BTreeMap::new(),
        add_ons: BTreeMap::new(),
        access_entries: BTreeMap::new(),
        updates: Vec::new(),
        objects: BTreeMap::new(),
    }
}

fn made_nodes(scene: &mut Scene<'_>, new: &NewNodeGroup, version: &str) -> SimulatedNodeGroup {
    let (now, id) = (scene.now, scene.uuid());
    let mut group = SimulatedNodeGroup {
        name: new.name.clone(),
        arn: scene.arn("eks", &format!("nodegroup/{}/{}/{id}", new.cluster, new.name)),
        node_role_arn: new.node_role_arn.clone(),
        version: version.to_owned(),
        instance_types: new.instance_types.clone(),
        scaling: new.scaling,
        issues: scene.doomed.then(injected).into_iter().collect(),
        tags: new.tags.clone(),
        token: new.token.clone(),
        states: Timeline::begin(now, Some(NodeGroupStatus::Creating)),
    };
    if scene.used(QuotaKind::StandardVcpus) + group.vcpus() > scene.limit(QuotaKind::StandardVcpus) {
        let message = "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than \
                       your current vCPU limit allows.";
        group.issues.push(ClusterIssue { code: "AsgInstanceLaunchFailures".to_owned(), message: message.to_owned() });
    }
    let end = if group.issues.is_empty() { NodeGroupStatus::Active } else { NodeGroupStatus::CreateFailed };
    group.states.turn(now, Some(NodeGroupStatus::Creating), CREATE_NODES, Some(end));
    group
}

fn change_nodes(
    scene: &mut Scene<'_>,
    (cluster, name): (&str, &str),
    token: &ClientToken,
    change: Change,
    takes: Duration,
) -> CloudResult<String> {
    let (now, id, doomed) = (scene.now, scene.uuid(), scene.doomed);
    if let Some(id) = find(scene, cluster)?.update_of(token) {
        return Ok(id);
    }
    let group = find_group(scene, cluster, name)?;
    match group.status(now) {
        NodeGroupStatus::Active | NodeGroupStatus::Degraded => {}
        status => return Err(conflict(format!("Nodegroup {name} is {status:?}, not active."))),
    }
    group.states.turn(now, Some(NodeGroupStatus::Updating), takes, Some(NodeGroupStatus::Active));
    Ok(find(scene, cluster)?.begin(id, token, change, now + takes, doomed))
}

/// Two zones at least, of one network that stands. Answers that network.
fn require_subnets(scene: &mut Scene<'_>, wanted: &[String]) -> CloudResult<String> {
    let now = scene.now;
    let home = |subnet: &String| {
        let holds = |stack: &&SimulatedStack| {
            stack.status(now).is_complete() && stack.parts.iter().any(|part| part.physical_id == *subnet)
        };
        let stack = scene.account.regions.get(scene.region)?.stacks.iter().find(holds)?;
        let part = stack.parts.iter().find(|part| part.physical_id == *subnet)?;
        Some((stack.outputs.get("VpcId")?.clone(), part.logical_id.chars().last()?))
    };
    let mut homes = BTreeSet::new();
    for subnet in wanted {
        homes.insert(home(subnet).ok_or_else(|| invalid(format!("The subnet ID '{subnet}' does not exist")))?);
    }
    let vpcs: BTreeSet<&String> = homes.iter().map(|(vpc, _)| vpc).collect();
    match (vpcs.first(), homes.len() >= 2, vpcs.len() == 1) {
        (Some(vpc), true, true) => Ok((*vpc).clone()),
        (_, _, false) => Err(invalid("Subnets have to be of one VPC")),
        _ => Err(invalid("Subnets specified must be in at least two different AZs")),
    }
}

/// A role that a stack of the cluster's roles made.
fn require_role(scene: &mut Scene<'_>, arn: &str, output: &str) -> CloudResult<()> {
    let now = scene.now;
    let made = scene
        .here()
        .stacks
        .iter()
        .any(|stack| stack.status(now).is_complete() && stack.outputs.get(output).is_some_and(|role| role == arn));
    if made {
        Ok(())
    } else {
        Err(invalid(format!("Role with arn: {arn}, could not be assumed because it does not exist")))
    }
}

fn require_version(version: &str) -> CloudResult<()> {
    match minor(version) {
        Some(minor) if catalogue::MINORS.contains(&minor) => Ok(()),
        _ => Err(invalid(format!("unsupported Kubernetes version {version}"))),
    }
}

fn minor(version: &str) -> Option<u8> {
    version.strip_prefix("1.").and_then(|minor| minor.parse().ok())
}

fn require_machines(new: &NewNodeGroup) -> CloudResult<()> {
    for name in &new.instance_types {
        match catalogue::machine(name) {
            None => return Err(invalid(format!("The following supplied instance types do not exist: [{name}]"))),
            Some(machine) if machine.architecture != new.architecture => {
                let wanted = new.architecture.as_str();
                return Err(invalid(format!("[{name}] is not a valid instance type for the architecture {wanted}")));
            }
            Some(_) => {}
        }
    }
    if new.instance_types.is_empty() || new.disk_size_gib == 0 {
        return Err(invalid("Node groups need an instance type and a disk"));
    }
    Ok(())
}

fn require_scaling(scaling: NodeScaling) -> CloudResult<()> {
    let NodeScaling { min, desired, max } = scaling;
    if min <= desired && desired <= max && (1..=450).contains(&max) {
        return Ok(());
    }
    Err(invalid(format!("Minimum {min}, desired {desired} and maximum {max} capacity do not fit")))
}

fn access(cidrs: &[String]) -> Vec<String> {
    if cidrs.is_empty() { vec!["0.0.0.0/0".to_owned()] } else { cidrs.to_vec() }
}

/// Add-on versions follow the cluster's.
fn default_version(cluster: &str) -> String {
    format!("v{cluster}.0-eksbuild.1")
}

fn taken(kind: &str, name: &str) -> CloudError {
    CloudError::AlreadyExists { what: format!("{kind} {name}") }
}

fn injected() -> ClusterIssue {
    ClusterIssue { code: "InternalFailure".to_owned(), message: "An injected fault.".to_owned() }
}
