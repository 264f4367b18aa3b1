//! The manifests in `kubernetes/base`: that they are whole, and grant the agent exactly what it calls.
#![allow(clippy::panic, reason = "a manifest of another form has failed the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

fn base() -> PathBuf {
    manifest("base")
}

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes").join(path)
}

/// All documents of a manifest of the base.
fn documents(file: &str) -> Vec<Value> {
    documents_of(&base().join(file))
}

fn documents_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    Yaml::load_from_str(&text).unwrap().iter().map(plain).collect()
}

fn plain(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), plain(value))).collect()
        }
        _ => Value::Null,
    }
}

fn texts(list: &Value) -> Vec<String> {
    serde_json::from_value(list.clone()).unwrap()
}

/// Verbs and resources that the agent's roles grant.
pub(crate) fn granted() -> BTreeSet<(String, String)> {
    let documents = ["agent-role.yaml", "storage-role.yaml"].into_iter().flat_map(documents);
    let rules = documents.flat_map(|document| document["rules"].as_array().cloned().unwrap_or_default());
    let granted: BTreeSet<_> = rules
        .flat_map(|rule| {
            let resources = texts(&rule["resources"]);
            let pairs = texts(&rule["verbs"]).into_iter();
            pairs.flat_map(move |verb| resources.clone().into_iter().map(move |resource| (verb.clone(), resource)))
        })
        .collect();
    assert!(!granted.is_empty());
    granted
}

#[test]
fn the_base_holds_what_an_agent_needs_in_the_namespaces_that_it_belongs_to() {
    let files = texts(&documents("kustomization.yaml")[0]["resources"]);
    let there = fs::read_dir(base()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = there.filter(|name| name != "kustomization.yaml").collect();
    assert_eq!(files.iter().cloned().collect::<BTreeSet<_>>(), there);

    let mut kinds: Vec<String> = files
        .iter()
        .flat_map(|file| documents(file))
        .map(|document| {
            let metadata = &document["metadata"];
            let namespace = metadata["namespace"].as_str().map(|namespace| format!("{namespace}/")).unwrap_or_default();
            format!("{} {namespace}{}", document["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap())
        })
        .collect();
    kinds.sort();
    let expected = [
        "ClusterRole mainsheet-agent-storage",
        "ClusterRoleBinding mainsheet-agent-storage",
        "Deployment mainsheet/mainsheet-agent",
        "Namespace mainsheet",
        "Namespace mainsheet-jobs",
        "NetworkPolicy mainsheet-jobs/mainsheet-jobs",
        "PersistentVolumeClaim mainsheet/mainsheet-agent",
        "Role mainsheet-jobs/mainsheet-agent",
        "Role mainsheet-jobs/mainsheet-job",
        "RoleBinding mainsheet-jobs/mainsheet-agent",
        "RoleBinding mainsheet-jobs/mainsheet-job",
        "ServiceAccount mainsheet-jobs/mainsheet-job",
        "ServiceAccount mainsheet/mainsheet-agent",
        "StorageClass mainsheet-agent",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn the_agent_s_volume_needs_no_default_class() {
    use k8s_openapi::api::core::v1::PersistentVolumeClaim;
    use k8s_openapi::api::storage::v1::StorageClass;

    let data = documents("data.yaml");
    let [class, claim] = data.as_slice() else { panic!("{data:?}") };
    assert_eq!(super::cluster::unknown_fields::<StorageClass>(class), Vec::<String>::new());
    assert_eq!(super::cluster::unknown_fields::<PersistentVolumeClaim>(claim), Vec::<String>::new());
    assert_eq!(class["provisioner"], "ebs.csi.aws.com");
    assert_eq!(class["parameters"], json!({"type": "gp3", "encrypted": "true"}));
    assert_eq!(class["volumeBindingMode"], "WaitForFirstConsumer");
    assert_eq!(claim["spec"]["storageClassName"], class["metadata"]["name"]);
}

#[test]
fn karpenter_starts_machines_for_runs_alone_and_stops_none_that_a_run_is_on() {
    let documents = documents_of(&manifest("karpenter/nodepool.yaml"));
    let [pool, class] = documents.as_slice() else { panic!("{documents:?}") };
    assert_eq!((&pool["kind"], &class["kind"]), (&json!("NodePool"), &json!("EC2NodeClass")));
    let machines = &pool["spec"]["template"]["spec"];
    assert_eq!(machines["nodeClassRef"]["name"], class["metadata"]["name"]);
    // As the runs' pods tolerate it.
    assert_eq!(machines["taints"], json!([{"key": "mainsheet.dev/jobs", "effect": "NoSchedule"}]));
    let both = json!({"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand", "spot"]});
    assert!(machines["requirements"].as_array().unwrap().contains(&both));
    let disruption = &pool["spec"]["disruption"];
    assert_eq!((&disruption["consolidationPolicy"], &machines["expireAfter"]), (&json!("WhenEmpty"), &json!("Never")));
    assert_eq!(disruption["budgets"], json!([{"nodes": "0", "reasons": ["Drifted"]}]));
}

#[test]
fn nobody_reaches_a_pod_of_a_run_but_by_a_policy_of_that_run() {
    use k8s_openapi::api::networking::v1::NetworkPolicy;

    let policies = documents("network-policy.yaml");
    let unknown = super::cluster::unknown_fields::<NetworkPolicy>(&policies[0]);
    assert_eq!((policies.len(), unknown), (1, Vec::new()));
    assert_eq!(policies[0]["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
}

#[test]
fn the_agent_s_pod_is_confined_and_is_what_kubernetes_knows() {
    use k8s_openapi::api::apps::v1::Deployment;

    let deployment = documents("deployment.yaml").remove(0);
    let unknown = super::cluster::unknown_fields::<Deployment>(&deployment);
    assert_eq!(unknown, Vec::<String>::new());
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(spec["serviceAccountName"], "mainsheet-agent");
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
    assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &spec["containers"][0];
    let confined = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], confined);
    assert!(container["resources"]["limits"]["memory"].is_string() && container["livenessProbe"].is_object());
}
