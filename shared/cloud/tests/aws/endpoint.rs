//! An endpoint of every service: it answers as it was told to, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

/// A call, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// As IAM calls it, as in `eks:CreateCluster`.
    pub(crate) action: String,
    /// The region that it was signed for; empty where nothing was signed.
    pub(crate) region: String,
    /// The access key that it was signed with.
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::ok(body.to_string())
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[derive(Default)]
pub(crate) struct Script {
    answers: HashMap<String, VecDeque<Answer>>,
    calls: Vec<Call>,
}

/// The endpoint. Clones are the same.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) script: Arc<Mutex<Script>>,
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// What an action is answered from now on.
    pub(crate) fn on(&self, action: &str, answer: Answer) -> &Self {
        self.on_each(action, [answer])
    }

    /// What an action is answered one time after the other; the last one again and again.
    pub(crate) fn on_each(&self, action: &str, answers: impl IntoIterator<Item = Answer>) -> &Self {
        self.script().answers.insert(action.to_owned(), answers.into_iter().collect());
        self
    }

    /// What was asked since it was looked at last.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.script().calls)
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.action).collect()
    }

    /// The one call of an action since it was looked at last.
    pub(crate) fn call(&self, action: &str) -> Call {
        let calls = self.calls();
        let mut found: Vec<&Call> = calls.iter().filter(|call| call.action == action).collect();
        match (found.pop(), found.pop()) {
            (Some(call), None) => call.clone(),
            other => panic!("not one call of {action}: {other:?}"),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let authorization = header("authorization");
    let scope: Vec<String> = authorization
        .split_once("Credential=")
        .map(|(_, rest)| rest.split(',').next().unwrap().split('/').map(str::to_owned).collect())
        .unwrap_or_default();
    let part = |index: usize| scope.get(index).cloned().unwrap_or_default();
    let service = part(3);
    let operation = match service.as_str() {
        "eks" => eks_operation(head.method.as_str(), head.uri.path()),
        "servicequotas" => header("x-amz-target").split('.').nth(1).unwrap_or_default().to_owned(),
        "" => head.method.to_string(),
        _ => body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned(),
    };
    let service = if service.is_empty() { "kubernetes".to_owned() } else { service };
    let call = Call {
        action: format!("{service}:{operation}"),
        region: part(2),
        key: part(0),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        content_type: header("content-type"),
        authorization,
        body,
    };
    let mut script = script.lock().unwrap();
    let answers = script.answers.get_mut(&call.action);
    let answer = match answers {
        Some(answers) if answers.len() > 1 => answers.pop_front(),
        Some(answers) => answers.front().cloned(),
        None => None,
    };
    let answer = answer.unwrap_or_else(|| Answer::ok(format!("nothing to say to {}", call.action)).status(418));
    script.calls.push(call);
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

/// The operation of a request, by its method and path (Amazon EKS API reference).
fn eks_operation(method: &str, path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let operation = match (method, &parts[..]) {
        ("POST", ["clusters"]) => "CreateCluster",
        ("GET", ["clusters"]) => "ListClusters",
        ("GET", ["clusters", _]) => "DescribeCluster",
        ("DELETE", ["clusters", _]) => "DeleteCluster",
        ("POST", ["clusters", _, "updates"]) => "UpdateClusterVersion",
        ("POST", ["clusters", _, "update-config"]) => "UpdateClusterConfig",
        ("GET", ["clusters", _, "updates", _]) => "DescribeUpdate",
        ("POST", ["clusters", _, "node-groups"]) => "CreateNodegroup",
        ("GET", ["clusters", _, "node-groups"]) => "ListNodegroups",
        ("GET", ["clusters", _, "node-groups", _]) => "DescribeNodegroup",
        ("DELETE", ["clusters", _, "node-groups", _]) => "DeleteNodegroup",
        ("POST", ["clusters", _, "node-groups", _, "update-config"]) => "UpdateNodegroupConfig",
        ("POST", ["clusters", _, "node-groups", _, "update-version"]) => "UpdateNodegroupVersion",
        ("POST", ["clusters", _, "access-entries"]) => "CreateAccessEntry",
        ("GET", ["clusters", _, "access-entries"]) => "ListAccessEntries",
        ("GET", ["clusters", _, "access-entries", _]) => "DescribeAccessEntry",
        ("DELETE", ["clusters", _, "access-entries", _]) => "DeleteAccessEntry",
        ("POST", ["clusters", _, "access-entries", _, "access-policies"]) => "AssociateAccessPolicy",
        ("GET", ["clusters", _, "access-entries", _, "access-policies"]) => "ListAssociatedAccessPolicies",
        ("POST", ["clusters", _, "addons"]) => "CreateAddon",
        ("GET", ["clusters", _, "addons", _]) => "DescribeAddon",
        ("DELETE", ["clusters", _, "addons", _]) => "DeleteAddon",
        ("POST", ["clusters", _, "addons", _, "update"]) => "UpdateAddon",
        ("GET", ["addons", "supported-versions"]) => "DescribeAddonVersions",
        _ => panic!("EKS knows no {method} {path}"),
    };
    operation.to_owned()
}
