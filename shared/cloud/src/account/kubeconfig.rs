//! What `kubectl` needs to know of a cluster.

use mainsheet_core::region::Region;
use serde_json::json;

use super::KubernetesTarget;

/// A kubeconfig of a cluster. It holds no credentials: whoever uses it has some of the account, and the AWS CLI makes a token of
/// them (client-go, exec credential plugins). As JSON, which kubeconfigs may be: JSON is YAML.
#[must_use]
pub fn kubeconfig(target: &KubernetesTarget, region: &Region) -> String {
    let name = &target.cluster;
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{
            "name": name,
            "cluster": {
                "server": target.endpoint,
                "certificate-authority-data": target.certificate_authority,
            },
        }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "users": [{
            "name": name,
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "aws",
                    "args": ["eks", "get-token", "--region", region.as_str(), "--cluster-name", name, "--output", "json"],
                    "interactiveMode": "IfAvailable",
                    "installHint": "Install version 2 of the AWS CLI, and sign in to the account that the cluster is in.",
                },
            },
        }],
    });
    format!("{config:#}\n")
}
