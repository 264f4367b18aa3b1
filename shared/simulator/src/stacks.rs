//! Stacks: what they are made of, how long that takes, and what stands in the way.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv4Net;
use mainsheet_cloud::account::{
    Action, CONNECTION_TAG, ClientToken, CloudError, CloudResult, NewStack, QuotaKind, Stack, StackEvent,
    StackResource, StackStatus, StackUpdate, Stacks, Tags, Template,
};
use mainsheet_core::Timestamp;
use regex::Regex;
use saphyr::{LoadableYamlNode, Yaml};
use serde::{Deserialize, Serialize};

use crate::session::{Scene, Session, conflict, denied, invalid, require_prefix, require_tags, role_name};
use crate::state::{RegionState, Role};

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulatedStack {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) template: Template,
    /// The template's text, as it was deployed last.
    pub(crate) body: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) tags: Tags,
    pub(crate) token: ClientToken,
    pub(crate) parts: Vec<Part>,
    /// What happened, and what will.
    pub(crate) events: Vec<Event>,
}

/// A part of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) logical_id: String,
    pub(crate) kind: String,
    pub(crate) physical_id: String,
    seconds: u64,
}

/// Something that happens to a stack or a part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    at: Timestamp,
    logical_id: String,
    kind: String,
    status: StackStatus,
    reason: Option<String>,
}

const STACK: &str = "AWS::CloudFormation::Stack";

/// Logical id, kind, what its provider id begins with, and how many seconds it takes. The names are those of the templates.
type Blueprint = (&'static str, &'static str, &'static str, u64);

const NETWORK: &[Blueprint] = &[
    ("Vpc", "AWS::EC2::VPC", "vpc", 12),
    ("InternetGateway", "AWS::EC2::InternetGateway", "igw", 15),
    ("PublicSubnetA", "AWS::EC2::Subnet", "subnet", 3),
    ("PublicSubnetB", "AWS::EC2::Subnet", "subnet", 3),
    ("PublicSubnetC", "AWS::EC2::Subnet", "subnet", 3),
    ("PrivateSubnetA", "AWS::EC2::Subnet", "subnet", 3),
    ("PrivateSubnetB", "AWS::EC2::Subnet", "subnet", 3),
    ("PrivateSubnetC", "AWS::EC2::Subnet", "subnet", 3),
    ("NatAddress", "AWS::EC2::EIP", "eipalloc", 12),
    ("NatGateway", "AWS::EC2::NatGateway", "nat", 90),
    ("PublicRouteTable", "AWS::EC2::RouteTable", "rtb", 5),
    ("PrivateRouteTable", "AWS::EC2::RouteTable", "rtb", 5),
    ("S3Endpoint", "AWS::EC2::VPCEndpoint", "vpce", 8),
    ("FlowLogRole", "AWS::IAM::Role", "role", 15),
    ("FlowLog", "AWS::EC2::FlowLog", "fl", 3),
];

const CLUSTER: &[Blueprint] = &[
    ("ClusterRole", "AWS::IAM::Role", "role", 15),
    ("NodeRole", "AWS::IAM::Role", "role", 15),
    ("StorageRole", "AWS::IAM::Role", "role", 15),
    ("JobRunnerRole", "AWS::IAM::Role", "role", 15),
    ("ResultsBucket", "AWS::S3::Bucket", "bucket", 20),
];

const CATALOG: &[Blueprint] =
    &[("Bucket", "AWS::S3::Bucket", "bucket", 20), ("Database", "AWS::Glue::Database", "database", 3)];

const CONNECTION: &[Blueprint] = &[
    ("PermissionsBoundary", "AWS::IAM::ManagedPolicy", "policy", 15),
    ("Role", "AWS::IAM::Role", "role", 15),
    ("StacksRole", "AWS::IAM::Role", "role", 15),
];

impl SimulatedStack {
    pub(crate) fn status(&self, now: Timestamp) -> StackStatus {
        self.latest(&self.name, now).map_or(StackStatus::DeleteComplete, |event| event.status)
    }

    /// Whether there is something of this kind in it.
    pub(crate) fn has(&self, kind: &str, now: Timestamp) -> bool {
        self.parts.iter().any(|part| part.kind == kind && self.is_there(part, now))
    }

    fn is_there(&self, part: &Part, now: Timestamp) -> bool {
        let status = self.latest(&part.logical_id, now).map(|event| event.status);
        status.is_some_and(|status| !matches!(status, StackStatus::CreateFailed | StackStatus::DeleteComplete))
    }

    fn latest(&self, logical_id: &str, now: Timestamp) -> Option<&Event> {
        self.events.iter().rev().find(|event| event.at <= now && event.logical_id == logical_id)
    }

    fn happen(&mut self, at: Timestamp, part: Option<&Part>, status: StackStatus, reason: Option<String>) {
        let (logical_id, kind) = match part {
            Some(part) => (part.logical_id.clone(), part.kind.clone()),
            None => (self.name.clone(), STACK.to_owned()),
        };
        self.events.push(Event { at, logical_id, kind, status, reason });
    }

    /// It is made from now on, part by part. At the part that fails it is undone.
    fn build(&mut self, now: Timestamp, failure: Option<&(&str, String)>) {
        self.happen(now, None, StackStatus::CreateInProgress, None);
        let (mut at, parts) = (now, self.parts.clone());
        for (position, part) in parts.iter().enumerate() {
            self.happen(at, Some(part), StackStatus::CreateInProgress, None);
            at = at + Duration::from_secs(part.seconds);
            if let Some((_, reason)) = failure.filter(|(logical_id, _)| *logical_id == part.logical_id) {
                self.happen(at, Some(part), StackStatus::CreateFailed, Some(reason.clone()));
                let reason = format!("The following resource(s) failed to create: [{}].", part.logical_id);
                self.happen(at, None, StackStatus::RollbackInProgress, Some(reason));
                let at = self.remove(at, &parts[..position]);
                return self.happen(at, None, StackStatus::RollbackComplete, None);
            }
            self.happen(at, Some(part), StackStatus::CreateComplete, None);
        }
        self.happen(at, None, StackStatus::CreateComplete, None);
    }

    /// It was made before anybody looked.
    pub(crate) fn made_at_once(mut self, now: Timestamp) -> Self {
        self.events.iter_mut().for_each(|event| event.at = now);
        self
    }

    /// It is deleted from now on, but for what is to be kept; what was to happen to it does not. What is in use stays, and with it
    /// the stack.
    fn tear_down(&mut self, now: Timestamp, keep: &[String], in_use: Option<(&str, String)>) {
        self.events.retain(|event| event.at <= now);
        self.happen(now, None, StackStatus::DeleteInProgress, None);
        let there = self.parts.iter().filter(|part| self.is_there(part, now)).cloned();
        let (kept, there): (Vec<Part>, Vec<Part>) = there.partition(|part| keep.contains(&part.logical_id));
        for part in &kept {
            self.happen(now, Some(part), StackStatus::DeleteComplete, None);
        }
        let stuck = in_use.and_then(|(id, why)| Some((there.iter().position(|part| part.logical_id == id)?, why)));
        let Some((position, reason)) = stuck else {
            let at = self.remove(now, &there);
            return self.happen(at, None, StackStatus::DeleteComplete, None);
        };
        let at = self.remove(now, &there[position + 1..]) + Duration::from_secs(30);
        self.happen(at, Some(&there[position]), StackStatus::DeleteFailed, Some(reason));
        let reason = format!("The following resource(s) failed to delete: [{}].", there[position].logical_id);
        self.happen(at, None, StackStatus::DeleteFailed, Some(reason));
    }

    /// What was made last goes first, each in half the time that it took.
    fn remove(&mut self, from: Timestamp, parts: &[Part]) -> Timestamp {
        let mut at = from;
        for part in parts.iter().rev() {
            self.happen(at, Some(part), StackStatus::DeleteInProgress, None);
            at = at + Duration::from_secs(part.seconds / 2 + 1);
            self.happen(at, Some(part), StackStatus::DeleteComplete, None);
        }
        at
    }

    fn view(&self, now: Timestamp) -> Stack {
        let status = self.status(now);
        let outputs = if status.is_complete() { self.outputs.clone() } else { BTreeMap::new() };
        let reason = self.latest(&self.name, now).and_then(|event| event.reason.clone());
        Stack { arn: self.arn.clone(), name: self.name.clone(), status, reason, outputs, tags: self.tags.clone() }
    }
}

/// A stack that is made from now on.
pub(crate) fn begin(
    scene: &mut Scene<'_>,
    stack: &NewStack,
    body: String,
    failure: Option<&(&str, String)>,
) -> SimulatedStack {
    let parts = parts_of(scene, stack);
    let id = scene.uuid();
    let mut made = SimulatedStack {
        name: stack.name.clone(),
        arn: scene.arn("cloudformation", &format!("stack/{}/{id}", stack.name)),
        template: stack.template,
        body,
        parameters: stack.parameters.clone(),
        outputs: outputs_of(scene, stack, &parts),
        tags: stack.tags.clone(),
        token: stack.token.clone(),
        parts,
        events: Vec::new(),
    };
    made.build(scene.now, failure);
    made
}

fn parts_of(scene: &mut Scene<'_>, stack: &NewStack) -> Vec<Part> {
    let blueprints = match stack.template {
        Template::Connection => CONNECTION,
        Template::Network => NETWORK,
        Template::Cluster => CLUSTER,
        Template::Catalog => CATALOG,
    };
    let without_nat = stack.parameters.get("NatGateways").is_some_and(|wanted| wanted == "none");
    let wanted = blueprints.iter().filter(|(id, ..)| !(without_nat && id.starts_with("Nat")));
    wanted
        .map(|(logical_id, kind, prefix, seconds)| Part {
            logical_id: (*logical_id).to_owned(),
            kind: (*kind).to_owned(),
            physical_id: scene.provider_id(prefix),
            seconds: *seconds,
        })
        .collect()
}

fn outputs_of(scene: &Scene<'_>, stack: &NewStack, parts: &[Part]) -> BTreeMap<String, String> {
    let parameter = |name: &str| stack.parameters.get(name).cloned().unwrap_or_default();
    let role = |suffix: &str| format!("arn:aws:iam::{}:role/{}{suffix}", scene.account_id, parameter("ClusterName"));
    let ids = |prefix: &str| {
        let ids = parts.iter().filter(|part| part.logical_id.starts_with(prefix) && part.kind == "AWS::EC2::Subnet");
        ids.map(|part| part.physical_id.as_str()).collect::<Vec<_>>().join(",")
    };
    let vpc = || parts.iter().find(|part| part.logical_id == "Vpc").map(|part| part.physical_id.clone());
    let value = |output: &str| match output {
        "VpcId" => vpc().unwrap_or_default(),
        "PrivateSubnetIds" => ids("Private"),
        "PublicSubnetIds" => ids("Public"),
        "ClusterRoleArn" => role("-cp"),
        "NodeRoleArn" => role("-node"),
        "StorageRoleArn" => role("-ebs"),
        "JobRunnerRoleArn" => role("-jr"),
        "ResultsBucketName" => parameter("ResultsBucketName"),
        // The template puts the prefix in front of it that the connection's role is limited to.
        "DatabaseName" => format!("mainsheet_{}", parameter("DatabaseName")),
        "RoleArn" => format!("arn:aws:iam::{}:role/{}", scene.account_id, parameter("IamRoleName")),
        "PermissionsBoundaryArn" => {
            format!("arn:aws:iam::{}:policy/{}", scene.account_id, parameter("IamPermissionBoundaryName"))
        }
        other => parameter(other),
    };
    stack.template.outputs().iter().map(|output| ((*output).to_owned(), value(output))).collect()
}

#[async_trait]
impl Stacks for Session {
    async fn create_stack(&self, stack: &NewStack) -> CloudResult<String> {
        self.call(Action::CreateStack, |scene| {
            require_prefix(Action::CreateStack, &stack.name)?;
            require_tags(&stack.tags)?;
            require_stacks_role(scene, stack)?;
            require_parameters(stack.template, &stack.parameters)?;
            let now = scene.now;
            let present = scene
                .here()
                .stacks
                .iter()
                .find(|other| other.name == stack.name && other.status(now) != StackStatus::DeleteComplete);
            match present {
                Some(present) if present.token == stack.token => return Ok(present.arn.clone()),
                Some(_) => return Err(CloudError::AlreadyExists { what: format!("stack {}", stack.name) }),
                None => {}
            }
            let failure = failure(scene, stack);
            let made = begin(scene, stack, stack.template.body().to_owned(), failure.as_ref());
            let arn = made.arn.clone();
            scene.here().stacks.push(made);
            Ok(arn)
        })
    }

    async fn stack(&self, name: &str) -> CloudResult<Stack> {
        self.call(Action::DescribeStacks, |scene| {
            let now = scene.now;
            find(scene, name).map(|stack| stack.view(now))
        })
    }

    async fn stack_resources(&self, name: &str) -> CloudResult<Vec<StackResource>> {
        self.call(Action::DescribeStackResources, |scene| {
            let now = scene.now;
            let stack = find(scene, name)?;
            let view = |part: &Part| {
                let event = stack.latest(&part.logical_id, now)?;
                Some(StackResource {
                    logical_id: part.logical_id.clone(),
                    physical_id: Some(part.physical_id.clone()).filter(|_| event.status != StackStatus::CreateFailed),
                    kind: part.kind.clone(),
                    status: event.status,
                    reason: event.reason.clone(),
                    updated_at: event.at,
                })
            };
            Ok(stack.parts.iter().filter_map(view).collect())
        })
    }

    async fn stack_events(&self, name: &str) -> CloudResult<Vec<StackEvent>> {
        self.call(Action::DescribeStackEvents, |scene| {
            let now = scene.now;
            let past = find(scene, name)?.events.iter().filter(|event| event.at <= now).rev().take(100);
            let view = |event: &Event| StackEvent {
                at: event.at,
                logical_id: event.logical_id.clone(),
                kind: event.kind.clone(),
                status: event.status,
                reason: event.reason.clone(),
            };
            Ok(past.map(view).collect())
        })
    }

    async fn update_stack(
        &self,
        name: &str,
        template: Template,
        parameters: &BTreeMap<String, String>,
        token: &ClientToken,
    ) -> CloudResult<StackUpdate> {
        self.call(Action::UpdateStack, |scene| {
            require_prefix(Action::UpdateStack, stack_name(name))?;
            let (now, doomed, role_arn) = (scene.now, scene.doomed, scene.role_arn.clone());
            let stack = find_mut(scene, name)?;
            let mut wanted = stack.parameters.clone();
            wanted.extend(parameters.clone());
            require_parameters(template, &wanted)?;
            match stack.status(now) {
                _ if stack.token == *token => return Ok(StackUpdate::Started),
                StackStatus::DeleteComplete => return Err(CloudError::not_found("stack", name)),
                StackStatus::CreateComplete | StackStatus::UpdateComplete | StackStatus::UpdateRollbackComplete => {}
                status => return Err(conflict(format!("stack {name} is in {status:?} state and can not be updated"))),
            }
            if stack.body == template.body() && stack.parameters == wanted {
                return Ok(StackUpdate::Unchanged);
            }
            let protected = protected_change(stack, template);
            stack.token = token.clone();
            stack.happen(now, None, StackStatus::UpdateInProgress, None);
            let at = now + Duration::from_secs(30);
            if let Some(part) = protected {
                let reason = format!(
                    "User: {role_arn} is not authorized to perform an action on resource {} because no identity-based policy \
                     allows it",
                    part.physical_id
                );
                stack.happen(at, Some(&part), StackStatus::UpdateFailed, Some(reason));
                stack.happen(at, None, StackStatus::UpdateRollbackInProgress, None);
                stack.happen(at + Duration::from_secs(20), None, StackStatus::UpdateRollbackComplete, None);
            } else if doomed {
                let reason = Some("An injected fault: a resource could not be updated.".to_owned());
                stack.happen(at, None, StackStatus::UpdateRollbackInProgress, reason);
                stack.happen(at + Duration::from_secs(20), None, StackStatus::UpdateRollbackComplete, None);
            } else {
                (stack.body, stack.parameters) = (template.body().to_owned(), wanted);
                stack.happen(at, None, StackStatus::UpdateComplete, None);
            }
            Ok(StackUpdate::Started)
        })
    }

    async fn delete_stack(&self, name: &str, keep: &[String], _token: &ClientToken) -> CloudResult<()> {
        self.call(Action::DeleteStack, |scene| {
            require_prefix(Action::DeleteStack, stack_name(name))?;
            let (now, doomed) = (scene.now, scene.doomed);
            match find(scene, name)?.status(now) {
                StackStatus::DeleteInProgress | StackStatus::DeleteComplete => return Ok(()),
                StackStatus::UpdateInProgress | StackStatus::UpdateRollbackInProgress => {
                    return Err(conflict(format!("stack {name} is being updated")));
                }
                StackStatus::DeleteFailed => {}
                _ if keep.is_empty() => {}
                _ => return Err(invalid(format!("Stack {name} is not in DELETE_FAILED: all of it is deleted"))),
            }
            let stuck = if doomed { doomed_deletion(scene, name)? } else { in_use(scene, name)? };
            find_mut(scene, name)?.tear_down(now, keep, stuck);
            Ok(())
        })
    }
}

/// By name: of several the latest, unless it is gone. By ARN: the one.
fn find<'s>(scene: &'s mut Scene<'_>, name: &str) -> CloudResult<&'s SimulatedStack> {
    find_mut(scene, name).map(|stack| &*stack)
}

fn find_mut<'s>(scene: &'s mut Scene<'_>, name: &str) -> CloudResult<&'s mut SimulatedStack> {
    let now = scene.now;
    let fits = |stack: &&mut SimulatedStack| {
        stack.arn == name || (stack.name == name && stack.status(now) != StackStatus::DeleteComplete)
    };
    scene.here().stacks.iter_mut().rev().find(fits).ok_or_else(|| CloudError::not_found("stack", name))
}

/// The name in an ARN, or the name.
fn stack_name(name: &str) -> &str {
    if name.starts_with("arn:") { name.split('/').nth(1).unwrap_or_default() } else { name }
}

/// What an update would change of the connection's stack and the platform may not change: its roles and their boundary. A text that is
/// no template is that of a customer who lets CloudFormation do so with a role of their own.
fn protected_change(stack: &SimulatedStack, template: Template) -> Option<Part> {
    if template != Template::Connection {
        return None;
    }
    let deployed = Yaml::load_from_str(&stack.body).ok()?;
    let wanted = Yaml::load_from_str(template.body()).ok()?;
    let changes = |part: &&Part| {
        let before = resource(&deployed, &part.logical_id);
        before.is_some() && before != resource(&wanted, &part.logical_id)
    };
    stack.parts.iter().find(changes).cloned()
}

fn resource<'y>(documents: &'y [Yaml<'y>], logical_id: &str) -> Option<&'y Yaml<'y>> {
    documents.first()?.as_mapping_get("Resources")?.as_mapping_get(logical_id)
}

/// What CloudFormation builds it with is the role of the connection by which the account was entered.
fn require_stacks_role(scene: &Scene<'_>, stack: &NewStack) -> CloudResult<()> {
    let entered = scene.account.roles.get(role_name(scene.role_arn));
    if entered
        .is_some_and(|role| stack.tags.get(CONNECTION_TAG).map(String::as_str) == Some(role.connection_id.as_str()))
    {
        return require_boundary(entered, stack);
    }
    let wanted = stack.role_arn(scene.role_arn).unwrap_or_default();
    Err(invalid(format!("Role {wanted} is invalid or cannot be assumed")))
}

/// IAM lets that role make others within its own permissions boundary alone.
fn require_boundary(entered: Option<&Role>, stack: &NewStack) -> CloudResult<()> {
    let own = entered.map(|role| role.boundary_name.as_str()).filter(|name| !name.is_empty());
    let named = stack.parameters.get("BoundaryName").map(String::as_str);
    if own.is_none() || named.is_none() || own == named {
        return Ok(());
    }
    Err(denied(Action::CreateStack, "no identity-based policy allows iam:CreateRole without the permissions boundary"))
}

/// The patterns that values of a template's parameters have to fit, where they have one.
fn allowed_patterns(template: Template) -> CloudResult<BTreeMap<String, Regex>> {
    let broken = |error: &dyn std::fmt::Display| invalid(format!("Template format error: {error}"));
    let documents = Yaml::load_from_str(template.body()).map_err(|error| broken(&error))?;
    let parameters = documents.first().and_then(|document| document.as_mapping_get("Parameters"));
    let mut patterns = BTreeMap::new();
    for (name, parameter) in parameters.and_then(Yaml::as_mapping).into_iter().flatten() {
        let pattern = parameter.as_mapping_get("AllowedPattern").and_then(Yaml::as_str);
        if let (Some(name), Some(pattern)) = (name.as_str(), pattern) {
            let pattern = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| broken(&error))?;
            patterns.insert(name.to_owned(), pattern);
        }
    }
    Ok(patterns)
}

/// What CloudFormation looks at before it begins.
pub(crate) fn require_parameters(template: Template, given: &BTreeMap<String, String>) -> CloudResult<()> {
    for (name, pattern) in allowed_patterns(template)? {
        if given.get(&name).is_some_and(|value| !pattern.is_match(value)) {
            return Err(invalid(format!("Parameter {name} failed to satisfy its pattern")));
        }
    }
    if let Some(missing) = template.required_parameters().iter().find(|name| !given.contains_key(**name)) {
        return Err(invalid(format!("Parameters: [{missing}] must have values")));
    }
    let known =
        |name: &str| template.required_parameters().contains(&name) || template.optional_parameters().contains(&name);
    match given.keys().find(|name| !known(name)) {
        Some(unknown) => Err(invalid(format!("Parameters: [{unknown}] do not exist in the template"))),
        None => Ok(()),
    }
}

/// Which part of a new stack will fail, and why.
fn failure(scene: &mut Scene<'_>, stack: &NewStack) -> Option<(&'static str, String)> {
    let last = |blueprints: &[Blueprint]| blueprints[blueprints.len() - 1].0;
    if scene.doomed {
        let part = match stack.template {
            Template::Connection => last(CONNECTION),
            Template::Network => "PrivateRouteTable",
            Template::Cluster => last(CLUSTER),
            Template::Catalog => last(CATALOG),
        };
        return Some((part, "An injected fault: the resource could not be created.".to_owned()));
    }
    if stack.template != Template::Network {
        return None;
    }
    if let Some(reason) = stack.parameters.get("Cidr").and_then(|cidr| unusable(cidr)) {
        return Some(("Vpc", reason));
    }
    let with_nat = stack.parameters.get("NatGateways").is_none_or(|wanted| wanted != "none");
    let quotas = [
        ("Vpc", QuotaKind::Vpcs, "The maximum number of VPCs has been reached."),
        ("InternetGateway", QuotaKind::InternetGateways, "The maximum number of internet gateways has been reached."),
        ("NatAddress", QuotaKind::ElasticIps, "The maximum number of addresses has been reached."),
    ];
    let used_up = |(part, kind, _): &(&str, QuotaKind, &str)| {
        (with_nat || *part != "NatAddress") && scene.used(*kind) >= scene.limit(*kind)
    };
    let found = quotas.into_iter().find(used_up);
    found.map(|(part, kind, reason)| (part, format!("{reason} (Service: Ec2, quota: {})", kind.as_str())))
}

/// VPCs are of /16 to /28 (Amazon VPC, VPC CIDR blocks); the template's subnets need /20 or more.
fn unusable(cidr: &str) -> Option<String> {
    match cidr.parse::<Ipv4Net>() {
        Ok(block) if block.addr() != block.network() => {
            Some(format!("Value ({cidr}) for parameter cidrBlock is invalid."))
        }
        Ok(block) if !(16..=20).contains(&block.prefix_len()) => {
            Some(format!("The CIDR '{cidr}' is invalid: its size has to be from /16 to /20."))
        }
        Ok(_) => None,
        Err(_) => Some(format!("Value ({cidr}) for parameter cidrBlock is invalid. This is not a valid CIDR block.")),
    }
}

/// Something in the account that keeps a part of a stack from going.
fn in_use(scene: &mut Scene<'_>, name: &str) -> CloudResult<Option<(&'static str, String)>> {
    let stack = find(scene, name)?.clone();
    let here: &RegionState = scene.here();
    Ok(match stack.template {
        Template::Network => {
            let subnets: Vec<&str> = stack.parts.iter().map(|part| part.physical_id.as_str()).collect();
            let lives_in = here
                .clusters
                .values()
                .find(|cluster| cluster.subnet_ids.iter().any(|subnet| subnets.contains(&subnet.as_str())));
            lives_in.map(|cluster| {
                let reason = format!("The subnet has dependencies and cannot be deleted: cluster {}.", cluster.name);
                ("PrivateSubnetA", reason)
            })
        }
        Template::Cluster => {
            let role = stack.outputs.get("NodeRoleArn");
            let mut used = here.clusters.values().flat_map(|cluster| cluster.node_groups.values());
            let group = used.find(|group| Some(&group.node_role_arn) == role).map(|group| {
                let reason = "Cannot delete entity, must remove roles from instance profile first";
                ("NodeRole", format!("{reason}: node group {}.", group.name))
            });
            group.or_else(|| full_bucket(scene, &stack, "ResultsBucket", "ResultsBucketName"))
        }
        Template::Catalog => full_bucket(scene, &stack, "Bucket", "BucketName"),
        Template::Connection => None,
    })
}

/// A bucket of a stack, known by the parameter with its name, that something is in.
fn full_bucket(
    scene: &Scene<'_>,
    stack: &SimulatedStack,
    logical_id: &'static str,
    parameter: &str,
) -> Option<(&'static str, String)> {
    let full = scene.account.full_buckets.contains(stack.parameters.get(parameter)?);
    full.then(|| (logical_id, "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)".to_owned()))
}

fn doomed_deletion(scene: &mut Scene<'_>, name: &str) -> CloudResult<Option<(&'static str, String)>> {
    let part = match find(scene, name)?.template {
        Template::Network => "Vpc",
        Template::Cluster => "ClusterRole",
        Template::Catalog => "Bucket",
        Template::Connection => "Role",
    };
    Ok(Some((part, "An injected fault: the resource could not be deleted.".to_owned())))
}
