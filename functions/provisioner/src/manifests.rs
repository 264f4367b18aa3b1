//! The agent's Kubernetes objects: `infra/agent/kubernetes/base` with what is different in each cluster.

use mainsheet_core::{Error, Result};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// The base, in the order in which it is applied.
const BASE: [&str; 8] = [
    include_str!("../../../infra/agent/kubernetes/base/namespaces.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/service-accounts.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/agent-role.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/storage-role.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/job-role.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/network-policy.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/data.yaml"),
    include_str!("../../../infra/agent/kubernetes/base/deployment.yaml"),
];

/// The namespace of the agent.
const NAMESPACE: &str = "mainsheet";
/// The name of everything that is the agent's.
const AGENT: &str = "mainsheet-agent";
/// The service account of runs.
const JOB: &str = "mainsheet-job";

/// The container images of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// The agent's own.
    pub agent: String,
    /// What runs are executed in.
    pub runtime: String,
}

/// What is different in each cluster.
pub(crate) struct Overlay<'a> {
    /// What the agent calls.
    pub(crate) api_url: &'a str,
    /// What it registers with.
    pub(crate) registration_token: &'a SecretString,
    /// Where results go that name no place of their own.
    pub(crate) output_base: &'a str,
    /// The role of the cluster's jobs.
    pub(crate) job_role_arn: &'a str,
    /// The images.
    pub(crate) images: &'a Images,
}

/// The objects to apply, in order.
///
/// # Errors
/// [`Error::Internal`] when the base cannot be read: a defect.
pub(crate) fn manifests(overlay: &Overlay<'_>) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for text in BASE {
        let documents = Yaml::load_from_str(text).map_err(Error::internal)?;
        objects.extend(documents.iter().map(plain).collect::<Result<Vec<_>>>()?);
    }
    for object in &mut objects {
        adapt(object, overlay);
    }
    // The namespaces come first; what the deployment refers to comes before it.
    let deployment = objects.len().saturating_sub(1);
    objects.splice(deployment..deployment, [config_map(overlay), secret(overlay)]);
    Ok(objects)
}

fn adapt(object: &mut Value, overlay: &Overlay<'_>) {
    let is = |kind: &str, name: &str| object["kind"] == kind && object["metadata"]["name"] == name;
    if is("ServiceAccount", JOB) {
        object["metadata"]["annotations"] = json!({ "eks.amazonaws.com/role-arn": overlay.job_role_arn });
    } else if is("Deployment", AGENT) {
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        container["image"] = json!(overlay.images.agent);
        let variables = container["env"].as_array_mut().into_iter().flatten();
        for variable in variables.filter(|variable| variable["name"] == "MAINSHEET_KUBERNETES_IMAGE") {
            variable["value"] = json!(overlay.images.runtime);
        }
    }
}

fn config_map(overlay: &Overlay<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": AGENT, "namespace": NAMESPACE },
        "data": { "url": overlay.api_url, "outputBase": overlay.output_base },
    })
}

fn secret(overlay: &Overlay<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": AGENT, "namespace": NAMESPACE },
        "stringData": { "registrationToken": overlay.registration_token.expose_secret() },
    })
}

fn plain(yaml: &Yaml<'_>) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => Value::Array(items.iter().map(plain).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let entry = |(name, value): (&Yaml<'_>, &Yaml<'_>)| -> Result<(String, Value)> {
                let name = name.as_str().ok_or_else(|| Error::internal("a key that is no text"))?;
                Ok((name.to_owned(), plain(value)?))
            };
            Value::Object(entries.iter().map(entry).collect::<Result<_>>()?)
        }
        other => return Err(Error::internal(format!("not in a manifest: {other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_gets_the_base_with_what_is_its_own() {
        let images = Images { agent: "registry/agent:1".to_owned(), runtime: "registry/runtime:1".to_owned() };
        let objects = manifests(&Overlay {
            api_url: "https://mainsheet.example/api/v1",
            registration_token: &SecretString::from("msreg_x"),
            output_base: "s3://bucket/results",
            job_role_arn: "arn:aws:iam::123456789012:role/mainsheet-jr",
            images: &images,
        })
        .unwrap();
        let find = |kind: &str, name: &str| {
            let fits = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
            objects.iter().find(fits).unwrap_or_else(|| panic!("no {kind} {name}"))
        };
        assert_eq!(objects[0]["kind"], "Namespace");
        assert_eq!(objects.last().unwrap()["kind"], "Deployment");
        let claim = &find("PersistentVolumeClaim", AGENT)["spec"];
        assert_eq!(claim["storageClassName"], find("StorageClass", AGENT)["metadata"]["name"]);
        let account = find("ServiceAccount", JOB);
        assert_eq!(
            account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
            "arn:aws:iam::123456789012:role/mainsheet-jr"
        );
        let container = &find("Deployment", AGENT)["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "registry/agent:1");
        let runtime = container["env"]
            .as_array()
            .unwrap()
            .iter()
            .find(|variable| variable["name"] == "MAINSHEET_KUBERNETES_IMAGE");
        assert_eq!(runtime.unwrap()["value"], "registry/runtime:1");
        assert_eq!(find("ConfigMap", AGENT)["data"]["url"], "https://mainsheet.example/api/v1");
        assert_eq!(find("Secret", AGENT)["stringData"]["registrationToken"], "msreg_x");
        assert!(objects.iter().all(|object| object["apiVersion"].is_string()), "{objects:#?}");
    }
}
