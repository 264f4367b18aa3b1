//! The objects of a run, as they are applied.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use k8s_openapi::api::core::v1::Pod;
use mainsheet_core::job::{CapacityType, EbsConfig, MachineName};
use serde_json::{Map, Value, json};

use super::{KubernetesSettings, Role, TERMINATION_GRACE_SECONDS};
use crate::backend::{Job, PROGRAMS, SESSION_TIMEOUT};
use crate::run_directory::Assignment;
use crate::sail_catalogs;

/// The label of which run something is.
const RUN: &str = "mainsheet.dev/run";
/// The label of what a pod is for.
const ROLE: &str = "mainsheet.dev/role";
const MANAGER: &str = "app.kubernetes.io/managed-by";
/// Selects what agents have made.
pub(crate) const MANAGED: &str = "app.kubernetes.io/managed-by=mainsheet-agent";
/// Selects what belongs to a run, workers that Sail has started included.
pub(crate) const OF_A_RUN: &str = "mainsheet.dev/run";
/// Where Sail servers listen.
pub(crate) const SAIL_PORT: u16 = 50051;
/// Machines that are for runs only may refuse everything that does not tolerate this taint.
const TAINT: &str = "mainsheet.dev/jobs";
const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
/// The labels by which machines are told that may be taken away, with the value that says so: of Karpenter and EKS Auto Mode, and of
/// managed node groups.
const SPOT: [(&str, &str); 2] = [(CAPACITY_TYPE, "spot"), ("eks.amazonaws.com/capacityType", "SPOT")];
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";

const RUN_FOLDER: &str = "/mainsheet-run";
const PROGRAM_FOLDER: &str = "/mainsheet-programs";
/// As `pod.py` has it.
const SECRET_FOLDER: &str = "/mainsheet-secret";
const WORKER: &str = "worker";
/// What Sail gives its workers itself, among what a job may set. From a template it would be merged into what Kubernetes refuses: a
/// variable with a value and a reference. Sail hands its own level of logging on.
const SAIL_SETS: [&str; 2] = ["RUST_LOG", "TRACEPARENT"];
/// Nobody in particular: what a restricted namespace demands.
const USER: u32 = 65532;
/// How much longer than its run a pod lives when no agent comes back to end it, in seconds.
const DEADLINE_SLACK_SECONDS: i64 = 600;
const GIB: u64 = 1 << 30;
/// Workers that a Sail server starts with where the job names no maximum: Sail's own default.
const DEFAULT_WORKERS: u32 = 4;
/// Tasks that a worker takes at once: Sail's own default.
const TASKS_A_WORKER: u32 = 8;
/// Parts that a query is cut into at most, however many workers there may be.
const MOST_PARTS: u32 = 512;

/// CPU and memory that are requested of a machine that no other engine shares: what any machine has left beside the cluster's own
/// pods. It may take the rest, too.
const WHOLE_MACHINE: (&str, &str) = ("500m", "1Gi");

/// The name of a run's objects, from its directory's.
pub(crate) fn name(directory: &Path) -> String {
    let name = directory.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    format!("ms-{name}")
}

/// The objects of one attempt of a run.
pub(crate) struct RunObjects {
    name: String,
    owner_uid: OnceLock<String>,
}

impl RunObjects {
    pub(crate) fn named(name: String) -> Self {
        Self { name, owner_uid: OnceLock::new() }
    }

    /// The name of its ConfigMap, its Secret and its NetworkPolicy.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pod_name(&self, role: Role) -> String {
        format!("{}-{}", self.name, role.name())
    }

    /// Whether an object is this run's.
    pub(crate) fn owns(&self, object: &impl kube::Resource) -> bool {
        object.meta().labels.as_ref().and_then(|labels| labels.get(RUN)) == Some(&self.name)
    }

    /// Whether a pod is a worker that this run's Sail server has started.
    pub(crate) fn owns_worker(&self, pod: &Pod) -> bool {
        let role = pod.metadata.labels.as_ref().and_then(|labels| labels.get(ROLE));
        self.owns(pod) && role.is_some_and(|role| role == WORKER)
    }

    /// The owner has this unique id; everything made from now on goes with it.
    pub(crate) fn owned_by(&self, uid: &str) {
        let _ = self.owner_uid.set(uid.to_owned());
    }

    /// The ConfigMap that everything else hangs below. It holds the Python programs.
    pub(crate) fn owner(&self) -> Value {
        let programs: BTreeMap<&str, &str> = PROGRAMS.into_iter().collect();
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name, "labels": {MANAGER: super::api::FIELD_MANAGER, RUN: self.name}},
            "immutable": true,
            "data": programs,
        })
    }

    /// What only the run's pods read: what to execute, the values of its environment variables, and its catalogs.
    pub(crate) fn secret(&self, assignment: &Assignment) -> std::io::Result<Value> {
        let environment =
            assignment.lease.environment.iter().map(|(name, value)| (format!("env.{name}"), value.clone()));
        let catalogs = catalogs(assignment).into_iter().map(|(name, value)| (format!("catalog.{name}"), value));
        let mut data: BTreeMap<String, String> = environment.chain(catalogs).collect();
        data.insert("job.json".to_owned(), serde_json::to_string(&Job::of(assignment))?);
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": self.metadata(&self.name, "job"),
            "immutable": true,
            "type": "Opaque",
            "stringData": data,
        }))
    }

    /// Lets the run's pods reach each other, workers that Sail has started included, and nobody else: Sail asks for no password.
    pub(crate) fn network_policy(&self) -> Value {
        let own = json!({"matchLabels": {RUN: self.name}});
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": self.metadata(&self.name, "network"),
            "spec": {
                "podSelector": own,
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": own}]}],
            },
        })
    }

    fn metadata(&self, name: &str, role: &str) -> Value {
        json!({
            "name": name,
            "labels": self.labels(role),
            "ownerReferences": [{
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": self.name,
                "uid": self.owner_uid.get().map_or("", String::as_str),
                "blockOwnerDeletion": true,
                "controller": true,
            }],
        })
    }

    fn labels(&self, role: &str) -> Value {
        json!({MANAGER: super::api::FIELD_MANAGER, RUN: self.name, ROLE: role})
    }

    /// A pod with one container. `sail` is the host and port of the Sail server that a runner talks to.
    pub(crate) fn pod(
        &self,
        settings: &KubernetesSettings,
        role: Role,
        assignment: &Assignment,
        sail: Option<&str>,
    ) -> Value {
        let machine = match role {
            Role::Sail => Machine::driver(settings, assignment),
            Role::Runner => Machine::runner(settings),
        };
        let program = match role {
            Role::Sail => "sail_server.py",
            Role::Runner => "runner.py",
        };
        let image = image(settings, assignment);
        let mut container = container(role.name(), image, &machine);
        container["command"] = json!(["python3", "-s", "-u", format!("{PROGRAM_FOLDER}/pod.py"), program]);
        let mut environment = self.environment(assignment);
        match role {
            Role::Sail => {
                environment.extend(self.sail_environment(settings, assignment));
                container["ports"] = json!([{"name": "spark", "containerPort": SAIL_PORT, "protocol": "TCP"}]);
                container["readinessProbe"] = json!({"tcpSocket": {"port": SAIL_PORT}, "periodSeconds": 1});
            }
            Role::Runner => {
                environment.push(variable("SPARK_REMOTE", &format!("sc://{}", sail.unwrap_or_default())));
            }
        }
        container["env"] = Value::Array(environment);
        let mut spec = self.pod_spec(settings, assignment, &machine);
        spec["restartPolicy"] = json!("Never");
        spec["serviceAccountName"] = json!(settings.service_account);
        // Only a Sail server that starts workers has to speak to Kubernetes.
        spec["automountServiceAccountToken"] = json!(role == Role::Sail && is_cluster(assignment));
        spec["containers"] = json!([container]);
        let mut metadata = self.metadata(&self.pod_name(role), role.name());
        metadata["annotations"] = json!({"karpenter.sh/do-not-disrupt": "true"});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }

    /// What the pods of a run, workers included, have in common.
    fn pod_spec(&self, settings: &KubernetesSettings, assignment: &Assignment, machine: &Machine<'_>) -> Value {
        let mut spec = json!({
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "tolerations": [{"key": TAINT, "operator": "Exists"}],
            "volumes": [
                {"name": "run", machine.volume_kind(): machine.volume(settings)},
                {"name": "programs", "configMap": {"name": self.name}},
                {"name": "job", "secret": {
                    "secretName": self.name,
                    "items": [{"key": "job.json", "path": "job.json"}],
                }},
            ],
        });
        if !machine.node_selector.is_empty() {
            spec["nodeSelector"] = Value::Object(machine.node_selector.clone());
        }
        if let Some(affinity) = machine.affinity() {
            spec["affinity"] = affinity;
        }
        if let Some(seconds) = assignment.lease.timeout_seconds.filter(|seconds| *seconds > 0) {
            // Kubernetes takes no more.
            let most = i64::from(i32::MAX);
            spec["activeDeadlineSeconds"] = json!(most.min(i64::from(seconds) + DEADLINE_SLACK_SECONDS));
        }
        if assignment.lease.needs_packages() {
            let mut packages = container("packages", image(settings, assignment), machine);
            packages["command"] = json!(["python3", "-s", "-u", format!("{PROGRAM_FOLDER}/pod.py"), "packages.py"]);
            let mut environment = self.environment(assignment);
            environment.push(variable("MAINSHEET_LAYERS", &format!("{RUN_FOLDER}/layers")));
            packages["env"] = Value::Array(environment);
            spec["initContainers"] = json!([packages]);
        }
        spec
    }

    fn environment(&self, assignment: &Assignment) -> Vec<Value> {
        let ours = [
            ("MAINSHEET_RUN", RUN_FOLDER),
            ("MAINSHEET_POD", "1"),
            ("HOME", "/mainsheet-run/work"),
            ("TMPDIR", "/mainsheet-run/tmp"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("PYTHONUNBUFFERED", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ];
        let ours = ours.into_iter().map(|(name, value)| variable(name, value));
        let theirs = assignment.lease.environment.keys().map(|name| self.secret_variable(name, &format!("env.{name}")));
        theirs.chain(ours).collect()
    }

    /// A variable whose value is in the run's Secret.
    fn secret_variable(&self, name: &str, key: &str) -> Value {
        json!({"name": name, "valueFrom": {"secretKeyRef": {"name": self.name, "key": key}}})
    }

    /// Catalogs are for the Sail server alone: it plans with them, and what its workers get names files.
    fn sail_environment(&self, settings: &KubernetesSettings, assignment: &Assignment) -> Vec<Value> {
        let catalogs = catalogs(assignment).into_iter();
        let catalogs = catalogs.map(|(name, _)| self.secret_variable(name, &format!("catalog.{name}")));
        let session = variable(SESSION_TIMEOUT.0, SESSION_TIMEOUT.1);
        let spilling = Machine::driver(settings, assignment).spilling();
        catalogs.chain([session]).chain(spilling).chain(self.sail_mode(settings, assignment)).collect()
    }

    fn sail_mode(&self, settings: &KubernetesSettings, assignment: &Assignment) -> Vec<Value> {
        let listen = variable("MAINSHEET_SAIL_LISTEN", &format!("0.0.0.0:{SAIL_PORT}"));
        if !is_cluster(assignment) {
            return vec![listen, variable("SAIL_MODE", "local")];
        }
        let most = assignment.lease.compute.as_ref().and_then(|compute| compute.worker.as_ref()?.max_nodes);
        let parts = most.unwrap_or(DEFAULT_WORKERS).saturating_mul(TASKS_A_WORKER).min(MOST_PARTS);
        let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
        vec![
            listen,
            // Sail's own cluster mode: docs.lakesail.com, deployment on Kubernetes.
            variable("SAIL_MODE", "kubernetes-cluster"),
            variable("SAIL_CLUSTER__DRIVER_LISTEN_HOST", "0.0.0.0"),
            field("SAIL_CLUSTER__DRIVER_EXTERNAL_HOST", "status.podIP"),
            variable(
                "SAIL_CLUSTER__WORKER_INITIAL_COUNT",
                &most.unwrap_or(DEFAULT_WORKERS).min(DEFAULT_WORKERS).to_string(),
            ),
            // As long as a pod may take to come up: Sail forgets workers that take longer and starts others beside them.
            variable("SAIL_CLUSTER__WORKER_LAUNCH_TIMEOUT_SECS", &settings.patience.as_secs().to_string()),
            // 0 is no maximum.
            variable("SAIL_CLUSTER__WORKER_MAX_COUNT", &most.unwrap_or(0).to_string()),
            variable("SAIL_CLUSTER__WORKER_TASK_SLOTS", &TASKS_A_WORKER.to_string()),
            // As many parts as workers take tasks; unless told, Sail goes by the processors of its server.
            variable("SAIL_EXECUTION__DEFAULT_PARALLELISM", &parts.to_string()),
            variable("SAIL_KUBERNETES__IMAGE", image(settings, assignment)),
            field("SAIL_KUBERNETES__NAMESPACE", "metadata.namespace"),
            // Workers go with the Sail server's pod.
            field("SAIL_KUBERNETES__DRIVER_POD_NAME", "metadata.name"),
            variable("SAIL_KUBERNETES__WORKER_POD_NAME_PREFIX", &format!("{}-{WORKER}-", self.name)),
            variable("SAIL_KUBERNETES__WORKER_SERVICE_ACCOUNT_NAME", &settings.service_account),
            variable("SAIL_KUBERNETES__WORKER_POD_TEMPLATE", &self.worker_template(settings, assignment).to_string()),
        ]
    }

    /// What Sail merges into the pods of its workers.
    fn worker_template(&self, settings: &KubernetesSettings, assignment: &Assignment) -> Value {
        let machine = Machine::worker(settings, assignment);
        let mut container = container(WORKER, image(settings, assignment), &machine);
        let mut environment = self.environment(assignment);
        environment.retain(|variable| !SAIL_SETS.iter().any(|name| variable["name"] == *name));
        environment.push(variable("PYTHONPATH", &format!("{RUN_FOLDER}/site")));
        environment.extend(machine.spilling());
        container["env"] = Value::Array(environment);
        let mut spec = self.pod_spec(settings, assignment, &machine);
        spec["automountServiceAccountToken"] = json!(false);
        // Its working directories are made by the programs of the others.
        container["env"].as_array_mut().into_iter().flatten().for_each(|variable| {
            if variable["name"] == "TMPDIR" || variable["name"] == "HOME" {
                variable["value"] = json!(RUN_FOLDER);
            }
        });
        spec["containers"] = json!([container]);
        json!({"metadata": {"labels": self.labels(WORKER)}, "spec": spec})
    }
}

/// What a pod asks of its machine.
struct Machine<'a> {
    cpu: &'a str,
    memory: &'a str,
    /// Whether it has its machine for itself among runs.
    is_whole: bool,
    node_selector: Map<String, Value>,
    /// Whether its machine must not be one that may be taken away.
    is_durable: bool,
    volume: Option<&'a EbsConfig>,
}

impl<'a> Machine<'a> {
    fn runner(settings: &'a KubernetesSettings) -> Self {
        Self {
            cpu: &settings.runner_cpu,
            memory: &settings.runner_memory,
            is_whole: false,
            node_selector: Map::new(),
            is_durable: true,
            volume: None,
        }
    }

    /// A Sail server's. Without it the run is lost, so it is never on spot capacity.
    fn driver(settings: &'a KubernetesSettings, assignment: &'a Assignment) -> Self {
        let driver = assignment.lease.compute.as_ref().and_then(|compute| compute.driver.as_ref());
        let instance_type = driver.and_then(|driver| driver.instance_type.as_ref());
        let volume = driver.and_then(|driver| driver.ebs_config.as_ref());
        Self::engine(settings, instance_type, volume, true)
    }

    fn worker(settings: &'a KubernetesSettings, assignment: &'a Assignment) -> Self {
        let worker = assignment.lease.compute.as_ref().and_then(|compute| compute.worker.as_ref());
        let instance_type = worker.and_then(|worker| worker.instance_type.as_ref());
        let volume = worker.and_then(|worker| worker.ebs_config.as_ref());
        let capacity = worker.and_then(|worker| worker.capacity_type);
        let mut this = Self::engine(settings, instance_type, volume, capacity == Some(CapacityType::OnDemand));
        if capacity == Some(CapacityType::Spot) {
            this.node_selector.insert(CAPACITY_TYPE.to_owned(), json!("spot"));
        }
        this
    }

    fn engine(
        settings: &'a KubernetesSettings,
        instance_type: Option<&MachineName>,
        volume: Option<&'a EbsConfig>,
        is_durable: bool,
    ) -> Self {
        let node_selector = instance_type.map(|name| (INSTANCE_TYPE.to_owned(), json!(name))).into_iter().collect();
        let is_whole = instance_type.is_some();
        let (cpu, memory) =
            if is_whole { WHOLE_MACHINE } else { (settings.engine_cpu.as_str(), settings.engine_memory.as_str()) };
        Self { cpu, memory, is_whole, node_selector, is_durable, volume }
    }

    fn affinity(&self) -> Option<Value> {
        let mut affinity = Map::new();
        if self.is_durable {
            // Machines that nobody has labelled count as durable.
            let durable = SPOT.map(|(label, spot)| json!({"key": label, "operator": "NotIn", "values": [spot]}));
            let terms = json!([{"matchExpressions": durable}]);
            affinity.insert(
                "nodeAffinity".to_owned(),
                json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}),
            );
        }
        if self.is_whole {
            let engines = json!({"key": ROLE, "operator": "In", "values": [Role::Sail.name(), WORKER]});
            let term = json!({
                "labelSelector": {"matchExpressions": [engines]},
                "topologyKey": "kubernetes.io/hostname",
            });
            affinity.insert(
                "podAntiAffinity".to_owned(),
                json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]}),
            );
        }
        (!affinity.is_empty()).then_some(Value::Object(affinity))
    }

    fn resources(&self) -> Value {
        let requests = json!({"cpu": self.cpu, "memory": self.memory});
        if self.is_whole {
            // It may take whatever its machine has.
            return json!({"requests": requests});
        }
        json!({"requests": requests, "limits": {"memory": self.memory}})
    }

    /// Sail's settings for spilling to the volume, where there is one. Without a limit of its memory Sail would never spill.
    fn spilling(&self) -> Vec<Value> {
        let Some(volume) = self.volume else { return Vec::new() };
        let size = u64::from(volume.size()) * GIB;
        let mut settings = vec![variable("SAIL_RUNTIME__TEMPORARY_FILES__MAX_SIZE", &(size / 10 * 9).to_string())];
        // How much a machine of the job's own choice has is not known here.
        if let Some(memory) = bytes(self.memory).filter(|_| !self.is_whole) {
            settings.push(variable("SAIL_RUNTIME__MEMORY_POOL__TYPE", "fair"));
            settings.push(variable("SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE", &(memory / 10 * 7).to_string()));
        }
        settings
    }

    fn volume_kind(&self) -> &'static str {
        if self.volume.is_some() { "ephemeral" } else { "emptyDir" }
    }

    fn volume(&self, settings: &KubernetesSettings) -> Value {
        let Some(volume) = self.volume else { return json!({}) };
        let size = volume.size();
        json!({"volumeClaimTemplate": {
            "metadata": {"labels": {MANAGER: super::api::FIELD_MANAGER}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": storage_class(settings, volume).0,
                "resources": {"requests": {"storage": format!("{size}Gi")}},
            },
        }})
    }
}

/// The classes of the volumes of a run, with their names. Runs that ask for the same share a class.
pub(crate) fn storage_classes(settings: &KubernetesSettings, assignment: &Assignment) -> BTreeMap<String, Value> {
    let Some(compute) = &assignment.lease.compute else { return BTreeMap::new() };
    let driver = compute.driver.as_ref().and_then(|driver| driver.ebs_config.as_ref());
    let worker = compute.worker.as_ref().filter(|_| is_cluster(assignment));
    let worker = worker.and_then(|worker| worker.ebs_config.as_ref());
    driver.into_iter().chain(worker).map(|volume| storage_class(settings, volume)).collect()
}

/// A volume's class: its name says all that is in it, because a class cannot be changed.
fn storage_class(settings: &KubernetesSettings, volume: &EbsConfig) -> (String, Value) {
    let kind = volume.kind();
    let mut name = format!("mainsheet-{kind}");
    let mut parameters = json!({"type": kind, "encrypted": "true"});
    if let Some(iops) = volume.iops {
        name += &format!("-{iops}iops");
        parameters["iops"] = json!(iops.to_string());
    }
    if let Some(throughput) = volume.throughput {
        name += &format!("-{throughput}mibps");
        parameters["throughput"] = json!(throughput.to_string());
    }
    let is_kept = volume.delete_on_termination == Some(false);
    if is_kept {
        name += "-retain";
    }
    let class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "labels": {MANAGER: super::api::FIELD_MANAGER}},
        "provisioner": settings.volume_provisioner,
        "parameters": parameters,
        "reclaimPolicy": if is_kept { "Retain" } else { "Delete" },
        "volumeBindingMode": "WaitForFirstConsumer",
    });
    (name, class)
}

fn container(name: &str, image: &str, machine: &Machine<'_>) -> Value {
    json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": machine.resources(),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "run", "mountPath": RUN_FOLDER},
            {"name": "programs", "mountPath": PROGRAM_FOLDER, "readOnly": true},
            {"name": "job", "mountPath": SECRET_FOLDER, "readOnly": true},
        ],
    })
}

/// The run's catalogs as Sail's configuration. The values hold secrets.
fn catalogs(assignment: &Assignment) -> Vec<(&'static str, String)> {
    assignment.lease.catalogs.iter().flat_map(sail_catalogs::environment).collect()
}

/// A quantity of Kubernetes in whole units, such as `8Gi`; `None` of one that is written in another way.
fn bytes(quantity: &str) -> Option<u64> {
    let digits = quantity.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match quantity.strip_prefix(digits)? {
        "" => 1,
        "k" => 1_000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => GIB,
        "T" => 1_000_000_000_000,
        "Ti" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn variable(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn image<'a>(settings: &'a KubernetesSettings, assignment: &'a Assignment) -> &'a str {
    assignment.lease.image.as_deref().unwrap_or(&settings.image)
}

fn is_cluster(assignment: &Assignment) -> bool {
    assignment.lease.engine.get("executionMode").is_some_and(|mode| mode == "cluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_whole_units_alone() {
        let read = [("8Gi", 8 << 30), ("512Mi", 512 << 20), ("2G", 2_000_000_000), ("1048576", 1 << 20), ("0", 0)];
        for (quantity, expected) in read {
            assert_eq!(bytes(quantity), Some(expected), "{quantity}");
        }
        for quantity in ["", "Gi", "1.5Gi", "500m", "-1Gi", "1e9", "8 Gi", "20000000000000Ti"] {
            assert_eq!(bytes(quantity), None, "{quantity}");
        }
    }
}
