//! Applying to a cluster's Kubernetes API, as its server is documented (server-side apply).

use std::time::Duration;

use mainsheet_cloud::account::{CloudError, CloudResult, KubernetesTarget};
use serde_json::{Value, json};

use crate::answers::json_refusal;
use crate::endpoint::Answer;
use crate::world::{ROLE, World};

/// A certificate of nobody's, as clusters have: base64 of PEM.
const AUTHORITY: &str = include_str!("authority.b64");

fn target(world: &World) -> KubernetesTarget {
    KubernetesTarget {
        cluster: "mainsheet-c".to_owned(),
        endpoint: world.endpoint.url.clone(),
        certificate_authority: AUTHORITY.trim().to_owned(),
    }
}

fn objects() -> Vec<Value> {
    let object = |version: &str, kind: &str, metadata: Value| json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
    vec![
        object("v1", "Namespace", json!({ "name": "mainsheet" })),
        object("v1", "ServiceAccount", json!({ "name": "mainsheet-agent", "namespace": "mainsheet" })),
        object("rbac.authorization.k8s.io/v1", "ClusterRole", json!({ "name": "mainsheet-agent-storage" })),
        object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({ "name": "mainsheet-agent", "namespace": "mainsheet-jobs" }),
        ),
        object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({ "name": "mainsheet-jobs", "namespace": "mainsheet-jobs" }),
        ),
        object("apps/v1", "Deployment", json!({ "name": "mainsheet-agent", "namespace": "mainsheet" })),
    ]
}

/// What a Kubernetes API server answers instead (`metav1.Status`).
fn status(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": message, "details": { "retryAfterSeconds": if code == 429 { 3 } else { 0 } } });
    Answer::json(&status).status(code).header("content-type", "application/json")
}

#[tokio::test]
async fn objects_are_applied_in_order_each_where_it_belongs() {
    let world = World::new().await;
    let account = world.enter().await;
    let answer = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "x" } });
    world.endpoint.on("kubernetes:PATCH", Answer::json(&answer).header("content-type", "application/json"));
    account.apply(&target(&world), &objects()).await.unwrap();
    let calls = world.endpoint.calls();
    let paths: Vec<&str> = calls.iter().map(|call| call.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/api/v1/namespaces/mainsheet",
            "/api/v1/namespaces/mainsheet/serviceaccounts/mainsheet-agent",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/mainsheet-agent-storage",
            "/apis/rbac.authorization.k8s.io/v1/namespaces/mainsheet-jobs/rolebindings/mainsheet-agent",
            "/apis/networking.k8s.io/v1/namespaces/mainsheet-jobs/networkpolicies/mainsheet-jobs",
            "/apis/apps/v1/namespaces/mainsheet/deployments/mainsheet-agent",
        ]
    );
    for (call, object) in calls.iter().zip(objects()) {
        assert_eq!(call.content_type, "application/apply-patch+yaml");
        assert!(call.query.contains("fieldManager=mainsheet") && call.query.contains("force=true"), "{}", call.query);
        assert!(call.authorization.starts_with("Bearer k8s-aws-v1."), "{}", call.authorization);
        assert_eq!(serde_json::from_str::<Value>(&call.body).unwrap(), object);
    }
}

async fn refused(world: &World, answer: Answer) -> CloudResult<()> {
    let account = world.enter().await;
    world.endpoint.on("kubernetes:PATCH", answer);
    account.apply(&target(world), &objects()[..1]).await
}

#[tokio::test]
async fn refusals_of_kubernetes_say_what_is_the_matter() {
    let world = World::new().await;
    let message = "Namespace mainsheet: m".to_owned();
    for (code, reason, meant) in [
        (
            403,
            "Forbidden",
            CloudError::AccessDenied { action: "kubernetes:Apply".to_owned(), message: message.clone() },
        ),
        (404, "NotFound", CloudError::NotFound { what: "what Namespace mainsheet belongs to".to_owned() }),
        (409, "Conflict", CloudError::Conflict { message: message.clone() }),
        (422, "Invalid", CloudError::Invalid { message: message.clone() }),
        (429, "TooManyRequests", CloudError::Throttled { retry_after: Some(Duration::from_secs(3)) }),
        (500, "InternalError", CloudError::Unavailable { message: message.clone() }),
        (503, "ServiceUnavailable", CloudError::Unavailable { message: message.clone() }),
    ] {
        assert_eq!(refused(&world, status(code, reason, "m")).await, Err(meant), "{code}");
    }
}

#[tokio::test]
async fn a_cluster_that_has_not_heard_of_its_access_entry_yet_will() {
    let world = World::new().await;
    let unauthorized = || status(401, "Unauthorized", "Unauthorized");
    let message = "Namespace mainsheet: Unauthorized".to_owned();
    world.endpoint.on("eks:ListAccessEntries", Answer::json(&json!({ "accessEntries": [ROLE] })));
    let policies = json!({ "associatedAccessPolicies": [{ "policyArn": "x" }] });
    world.endpoint.on("eks:ListAssociatedAccessPolicies", Answer::json(&policies));
    let passing = CloudError::Unavailable { message: message.clone() };
    assert_eq!(refused(&world, unauthorized()).await, Err(passing));
    world.endpoint.on("eks:ListAccessEntries", Answer::json(&json!({ "accessEntries": [] })));
    let lasting = CloudError::AccessDenied { action: "kubernetes:Apply".to_owned(), message };
    assert_eq!(refused(&world, unauthorized()).await, Err(lasting));
    world.endpoint.on("eks:ListAccessEntries", json_refusal(404, "ResourceNotFoundException", "gone"));
    let gone = CloudError::NotFound { what: "cluster mainsheet-c".to_owned() };
    assert_eq!(refused(&world, unauthorized()).await, Err(gone));
}

#[tokio::test]
async fn an_api_that_does_not_answer_may_later() {
    let world = World::new().await;
    let account = world.enter().await;
    let nobody = KubernetesTarget { endpoint: "http://127.0.0.1:1".to_owned(), ..target(&world) };
    let answer = account.apply(&nobody, &objects()).await;
    assert!(matches!(&answer, Err(CloudError::Unavailable { .. })), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_object_is_not_sent() {
    let world = World::new().await;
    let account = world.enter().await;
    let answer = account.apply(&target(&world), &[json!({ "kind": "Namespace" })]).await;
    assert!(matches!(&answer, Err(CloudError::Invalid { .. })), "{answer:?}");
    assert_eq!(world.endpoint.actions(), [""; 0]);
}
