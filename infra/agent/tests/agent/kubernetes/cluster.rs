//! A small Kubernetes API server that is as strict as the real one where it matters, and whose kubelet is the test.
#![allow(clippy::panic, reason = "a request that the real server does not know has failed the test")]
#![allow(clippy::disallowed_methods, reason = "a server beside the agent has a clock of its own")]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::client::Body as Question;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::manifests;
use crate::workplace::until;

pub(crate) const NAMESPACE: &str = "mainsheet-jobs";
const POLL: Duration = Duration::from_millis(20);

/// Resource, then name.
type Key = (String, String);

/// A moment at which the agent is killed: a call, and whether it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) verb: &'static str,
    pub(crate) resource: &'static str,
    /// How the name ends.
    pub(crate) name: &'static str,
    pub(crate) took_effect: bool,
    /// How many such calls come before it.
    pub(crate) passed: usize,
}

#[derive(Default)]
struct Objects {
    objects: BTreeMap<Key, Value>,
    /// What was ever made.
    made: Vec<Key>,
    logs: BTreeMap<String, Vec<(Timestamp, String)>>,
    violations: Vec<String>,
    /// Verb and resource of every call.
    calls: BTreeSet<(String, String)>,
    version: u64,
    /// How often pods were listed.
    looks: usize,
    /// Fields that somebody else has set, by object.
    foreign: BTreeMap<Key, Vec<String>>,
    kill_at: Option<Moment>,
    killed: bool,
    /// Statuses with which the next calls are answered instead.
    outage: Vec<u16>,
    /// Pods whose machine does not answer: they end only when forced.
    stuck: BTreeSet<String>,
    /// The next follow request breaks off after so many lines.
    log_breaks_after: Option<usize>,
    /// Follow requests break off when nothing has come for so long.
    most_silence: Option<Duration>,
    /// How often logs were asked for.
    logs_asked: usize,
    /// How many lists are yet to be left without an answer.
    silent_lists: usize,
    forbidden: BTreeSet<String>,
}

#[derive(Clone)]
pub(crate) struct Cluster {
    objects: Arc<Mutex<Objects>>,
    killed: Arc<Notify>,
    granted: Arc<BTreeSet<(String, String)>>,
}

/// Why a call is refused: status, reason, message.
struct Refusal(u16, &'static str, String);

type Answer = Result<Response<Body>, Refusal>;

impl Cluster {
    pub(crate) fn new() -> Self {
        let granted = manifests::granted();
        Self { objects: Arc::default(), killed: Arc::default(), granted: Arc::new(granted) }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let this = self.clone();
        let service = tower::service_fn(move |request| {
            let this = this.clone();
            async move { Ok::<_, Infallible>(this.serve(request).await) }
        });
        kube::Client::new(service, NAMESPACE)
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap()
    }

    async fn serve(&self, request: Request<Question>) -> Response<Body> {
        let call = Call::of(request).await;
        if let Some(status) = self.objects().outage.pop() {
            return refusal(&Refusal(status, "Outage", "away for a moment".to_owned()));
        }
        if self.is_killed_at(&call, false) || self.is_silent(&call) {
            std::future::pending::<()>().await;
        }
        let answer = self.answer(&call).unwrap_or_else(|why| refusal(&why));
        if self.is_killed_at(&call, true) {
            std::future::pending::<()>().await;
        }
        answer
    }

    fn is_silent(&self, call: &Call) -> bool {
        let mut objects = self.objects();
        let silent = call.verb == "list" && objects.silent_lists > 0;
        objects.silent_lists -= usize::from(silent);
        silent
    }

    fn is_killed_at(&self, call: &Call, took_effect: bool) -> bool {
        let mut objects = self.objects();
        let meant = objects.kill_at.as_mut().filter(|moment| {
            moment.verb == call.verb
                && moment.resource == call.resource
                && call.name.ends_with(moment.name)
                && moment.took_effect == took_effect
        });
        let Some(moment) = meant else { return false };
        let hit = moment.passed == 0;
        if hit {
            objects.kill_at = None;
            objects.killed = true;
            self.killed.notify_one();
        } else {
            moment.passed -= 1;
        }
        hit
    }

    fn answer(&self, call: &Call) -> Answer {
        let mut objects = self.objects();
        self.authorize(&mut objects, call, &call.verb)?;
        match call.verb.as_str() {
            "patch" => {
                if !objects.objects.contains_key(&call.key()) {
                    self.authorize(&mut objects, call, "create")?;
                }
                let blocks =
                    call.body["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
                if blocks {
                    // Asked for by clusters that guard `blockOwnerDeletion`.
                    objects.calls.insert(("update".to_owned(), "configmaps/finalizers".to_owned()));
                }
                objects.apply(call).map(|object| answer(200, &object))
            }
            "get" if call.resource == "pods/log" => self.log(&mut objects, call),
            "get" => objects.get(&call.key()).map(|object| answer(200, object)),
            "list" => Ok(answer(200, &objects.list(call))),
            "delete" => objects.delete(call).map(|object| answer(200, &object)),
            verb => Err(Refusal(405, "MethodNotAllowed", verb.to_owned())),
        }
    }

    fn authorize(&self, objects: &mut Objects, call: &Call, verb: &str) -> Result<(), Refusal> {
        let right = (verb.to_owned(), call.resource.clone());
        let forbidden = objects.forbidden.contains(&call.resource) || !self.granted.contains(&right);
        objects.calls.insert(right);
        if forbidden {
            let message =
                format!("{} is forbidden: User \"mainsheet-agent\" cannot {verb} {}", call.name, call.resource);
            return Err(Refusal(403, "Forbidden", message));
        }
        Ok(())
    }

    fn log(&self, objects: &mut Objects, call: &Call) -> Answer {
        let pod = objects.get(&("pods".to_owned(), call.name.clone()))?;
        let state = &pod["status"]["containerStatuses"][0]["state"];
        if state.get("running").is_none() && state.get("terminated").is_none() {
            return Err(Refusal(400, "BadRequest", "container is waiting to start".to_owned()));
        }
        let since: Option<Timestamp> = call.query.get("sinceTime").map(|text| text.parse().unwrap());
        let (this, name) = (self.clone(), call.name.clone());
        objects.logs_asked += 1;
        let (breaks_after, most_silence) = (objects.log_breaks_after, objects.most_silence);
        // Later each time: what overlaps with what came before must not be all that ever comes.
        objects.log_breaks_after = breaks_after.map(|lines| lines + 5);
        let lines = futures::stream::unfold((0, 0), move |(place, sent)| {
            let (this, name) = (this.clone(), name.clone());
            async move {
                let mut place = place;
                let silent_since = std::time::Instant::now();
                if breaks_after.is_some_and(|most| sent >= most) {
                    return Some((Err(std::io::Error::other("the connection broke")), (usize::MAX, 0)));
                }
                loop {
                    match this.next_line(&name, place, since) {
                        Next::Line(line) => return Some((Ok(Bytes::from(line)), (place + 1, sent + 1))),
                        Next::Skip => place += 1,
                        Next::Wait if most_silence.is_some_and(|most| silent_since.elapsed() > most) => {
                            return Some((Err(std::io::Error::other("nothing came")), (usize::MAX, 0)));
                        }
                        Next::Wait => tokio::time::sleep(POLL).await,
                        Next::End => return None,
                    }
                }
            }
        });
        Ok(Response::builder().status(200).body(Body::from_stream(lines)).unwrap())
    }

    fn next_line(&self, pod: &str, place: usize, since: Option<Timestamp>) -> Next {
        let objects = self.objects();
        match objects.logs.get(pod).and_then(|lines| lines.get(place)) {
            Some((at, _)) if since.is_some_and(|since| *at < since) => Next::Skip,
            Some((at, text)) => Next::Line(format!("{at} {text}\n")),
            None => {
                let pod = objects.objects.get(&("pods".to_owned(), pod.to_owned()));
                let runs = pod.is_some_and(|pod| {
                    pod["status"]["containerStatuses"][0]["state"].get("running").is_some()
                        && pod["metadata"].get("deletionTimestamp").is_none()
                });
                if runs && place != usize::MAX { Next::Wait } else { Next::End }
            }
        }
    }

    // What the test does.

    /// Waits until a pod with this ending of its name is there, and gives its name.
    pub(crate) async fn pod(&self, ending: &str) -> String {
        let find = || {
            let objects = self.objects();
            let pods = objects.objects.keys().filter(|(resource, _)| resource == "pods");
            pods.map(|(_, name)| name.clone()).find(|name| name.ends_with(ending))
        };
        until(&format!("the pod {ending}"), find).await
    }

    /// What the kubelet says of a pod.
    pub(crate) fn set_status(&self, pod: &str, status: Value) {
        let mut objects = self.objects();
        objects.version += 1;
        objects.objects.get_mut(&("pods".to_owned(), pod.to_owned())).unwrap()["status"] = status;
    }

    /// What its container prints: lines with the numbers that `pod.py` gives.
    pub(crate) fn print(&self, pod: &str, lines: &[String]) {
        let mut objects = self.objects();
        let now = now();
        objects.logs.entry(pod.to_owned()).or_default().extend(lines.iter().map(|line| (now, line.clone())));
    }

    /// The machine has removed the first lines of a pod's log.
    pub(crate) fn rotate(&self, pod: &str, lines: usize) {
        self.objects().logs.get_mut(pod).unwrap().drain(..lines);
    }

    /// Somebody, such as the eviction of a machine, removes a pod at once.
    pub(crate) fn lose(&self, pod: &str) {
        let mut objects = self.objects();
        objects.objects.remove(&("pods".to_owned(), pod.to_owned()));
        objects.collect();
    }

    /// Puts an object there that the agent did not make.
    pub(crate) fn put(&self, resource: &str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.objects().objects.insert((resource.to_owned(), name), object);
    }

    pub(crate) fn object(&self, resource: &str, name: &str) -> Option<Value> {
        self.objects().objects.get(&(resource.to_owned(), name.to_owned())).cloned()
    }

    /// What is there, classes of volumes apart: they belong to no run.
    pub(crate) fn left(&self) -> Vec<Key> {
        self.objects().objects.keys().filter(|(resource, _)| resource != "storageclasses").cloned().collect()
    }

    pub(crate) fn times_made(&self, ending: &str) -> usize {
        self.objects().made.iter().filter(|(_, name)| name.ends_with(ending)).count()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.objects().violations.clone()
    }

    pub(crate) fn calls(&self) -> BTreeSet<(String, String)> {
        self.objects().calls.clone()
    }

    /// How often the agent has looked at all pods.
    pub(crate) fn looks(&self) -> usize {
        self.objects().looks
    }

    pub(crate) fn kill_at(&self, moment: Moment) {
        self.objects().kill_at = Some(moment);
    }

    pub(crate) async fn killed(&self) {
        until("the agent is killed", || self.objects().killed.then_some(())).await;
    }

    pub(crate) fn set_outage(&self, statuses: &[u16]) {
        self.objects().outage = statuses.to_vec();
    }

    pub(crate) fn forbid(&self, resource: &str) {
        self.objects().forbidden.insert(resource.to_owned());
    }

    pub(crate) fn make_stuck(&self, pod: &str) {
        self.objects().stuck.insert(pod.to_owned());
    }

    pub(crate) fn break_logs_after(&self, lines: usize) {
        self.objects().log_breaks_after = Some(lines);
    }

    pub(crate) fn break_silent_logs_after(&self, most: Duration) {
        self.objects().most_silence = Some(most);
    }

    /// How often the agent has asked for a log.
    pub(crate) fn logs_asked(&self) -> usize {
        self.objects().logs_asked
    }

    /// The next so many lists are never answered.
    pub(crate) fn leave_lists_unanswered(&self, lists: usize) {
        self.objects().silent_lists = lists;
    }

    /// The agent that made an object has set this field, such as `/data/pod.py`, otherwise.
    pub(crate) fn alter(&self, resource: &str, name: &str, field: &str, value: Value) {
        let mut objects = self.objects();
        let object = objects.objects.get_mut(&(resource.to_owned(), name.to_owned())).unwrap();
        *object.pointer_mut(field).unwrap() = value;
    }

    /// Somebody else has set this field, such as `/data/pod.py`, to something else.
    pub(crate) fn take_over(&self, resource: &str, name: &str, field: &str) {
        self.objects().foreign.entry((resource.to_owned(), name.to_owned())).or_default().push(field.to_owned());
    }
}

fn now() -> Timestamp {
    mainsheet_core::Clock::system().now().to_string().parse().unwrap()
}

enum Next {
    Line(String),
    Skip,
    Wait,
    End,
}

struct Call {
    verb: String,
    resource: String,
    name: String,
    query: BTreeMap<String, String>,
    content_type: String,
    body: Value,
}

impl Call {
    async fn of(request: Request<Question>) -> Self {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let core = format!("/api/v1/namespaces/{NAMESPACE}/");
        let networking = format!("/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/");
        let prefixes = [core.as_str(), networking.as_str(), "/apis/storage.k8s.io/v1/"];
        let rest = prefixes.into_iter().find_map(|prefix| path.strip_prefix(prefix));
        let mut segments = rest.unwrap().split('/');
        let mut resource = segments.next().unwrap().to_owned();
        let name = segments.next().unwrap_or_default().to_owned();
        if let Some(part) = segments.next() {
            resource = format!("{resource}/{part}");
        }
        let verb = match parts.method {
            Method::GET if name.is_empty() => "list",
            Method::GET => "get",
            Method::PATCH => "patch",
            Method::DELETE if name.is_empty() => "deletecollection",
            Method::DELETE => "delete",
            Method::POST => "create",
            _ => "other",
        };
        let url = reqwest::Url::parse(&format!("http://kubernetes{}", parts.uri)).unwrap();
        let content_type = parts.headers.get("content-type").map(|value| value.to_str().unwrap().to_owned());
        Self {
            verb: verb.to_owned(),
            resource,
            name,
            query: url.query_pairs().into_owned().collect(),
            content_type: content_type.unwrap_or_default(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    fn key(&self) -> Key {
        (self.resource.clone(), self.name.clone())
    }
}

impl Objects {
    fn get(&self, key: &Key) -> Result<&Value, Refusal> {
        let absent = || Refusal(404, "NotFound", format!("{} \"{}\" not found", key.0, key.1));
        self.objects.get(key).ok_or_else(absent)
    }

    fn list(&mut self, call: &Call) -> Value {
        self.looks += usize::from(call.resource == "pods");
        let selector = call.query.get("labelSelector").cloned().unwrap_or_default();
        let (label, wanted) =
            selector.split_once('=').map_or((selector.as_str(), None), |(label, value)| (label, Some(value)));
        let selected = |object: &&Value| {
            let label = object["metadata"]["labels"][label].as_str();
            label.is_some() && wanted.is_none_or(|wanted| label == Some(wanted))
        };
        let of_kind = self.objects.iter().filter(|((resource, _), _)| *resource == call.resource);
        let items: Vec<Value> = of_kind.map(|(_, object)| object).filter(selected).cloned().collect();
        let answer = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": self.version.to_string()}, "items": items});
        // After a look, pods that are to end have ended.
        let ending = |((resource, name), object): (&Key, &Value)| {
            let ends = resource == "pods"
                && object["metadata"].get("deletionTimestamp").is_some()
                && !self.stuck.contains(name);
            ends.then(|| (resource.clone(), name.clone()))
        };
        for key in self.objects.iter().filter_map(ending).collect::<Vec<_>>() {
            self.objects.remove(&key);
        }
        self.collect();
        answer
    }

    fn apply(&mut self, call: &Call) -> Result<Value, Refusal> {
        if call.content_type != "application/apply-patch+yaml"
            || call.query.get("fieldManager").is_none_or(String::is_empty)
        {
            return Err(Refusal(415, "UnsupportedMediaType", "not a server-side apply".to_owned()));
        }
        let object = &call.body;
        self.check(call, object)?;
        let key = call.key();
        for field in self.foreign.get(&key).into_iter().flatten() {
            if object.pointer(field).is_some() && !call.query.contains_key("force") {
                let message = format!("Apply failed with 1 conflict: conflict with \"somebody\": {field}");
                return Err(Refusal(409, "Conflict", message));
            }
        }
        let existing = self.objects.get(&key).cloned();
        self.version += 1;
        let mut stored = object.clone();
        if let Some(existing) = &existing {
            let frozen = match call.resource.as_str() {
                "pods" => &["spec"][..],
                "storageclasses" => &["provisioner", "parameters", "reclaimPolicy"],
                _ => &["data", "stringData"],
            };
            for field in frozen {
                if existing.get(field) != object.get(field) {
                    return Err(Refusal(422, "Invalid", format!("{field}: Forbidden: may not be changed")));
                }
            }
            stored["metadata"] = existing["metadata"].clone();
            stored["status"] = existing.get("status").cloned().unwrap_or(Value::Null);
        } else {
            stored["metadata"]["uid"] = json!(format!("uid-{}", self.version));
            if call.resource == "pods" {
                stored["status"] = json!({"phase": "Pending"});
            }
            self.made.push(key.clone());
        }
        stored["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key, stored.clone());
        Ok(stored)
    }

    /// What the API server, or somebody after it, would not stand.
    fn check(&mut self, call: &Call, object: &Value) -> Result<(), Refusal> {
        let invalid = |message: String| Refusal(422, "Invalid", message);
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if name != call.name
            || name.len() > 63
            || !name.chars().all(is_plain)
            || name.starts_with('-')
            || name.ends_with('-')
        {
            return Err(invalid(format!("metadata.name: Invalid value: {name:?}")));
        }
        let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
        for (label, value) in labels {
            if value.as_str().is_none_or(|value| value.len() > 63) {
                return Err(invalid(format!("metadata.labels[{label}]: Invalid value: {value}")));
            }
        }
        let unknown = match call.resource.as_str() {
            "configmaps" => unknown_fields::<ConfigMap>(object),
            "secrets" => unknown_fields::<Secret>(object),
            "pods" => unknown_fields::<Pod>(object),
            "networkpolicies" => unknown_fields::<NetworkPolicy>(object),
            "storageclasses" => unknown_fields::<StorageClass>(object),
            resource => vec![resource.to_owned()],
        };
        if !unknown.is_empty() {
            return Err(invalid(format!("unknown or malformed fields: {unknown:?}")));
        }
        for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            let key = ("configmaps".to_owned(), owner["name"].as_str().unwrap_or_default().to_owned());
            if self.objects.get(&key).map(|found| &found["metadata"]["uid"]) != Some(&owner["uid"]) {
                self.violations.push(format!("{name} has an owner that is not there: {owner}"));
            }
        }
        let is_key = |key: &str| {
            let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
            (1..=253).contains(&key.len()) && key.chars().all(is_letter)
        };
        let mut data = [&object["data"], &object["stringData"]].into_iter().filter_map(Value::as_object).flatten();
        if let Some((key, _)) = data.find(|(key, _)| !is_key(key)) {
            return Err(invalid(format!("data[{key}]: Invalid value")));
        }
        if call.resource == "pods" {
            self.check_pod(object)?;
        }
        Ok(())
    }

    /// The checks of a restricted namespace, and that everything a pod refers to is there.
    fn check_pod(&mut self, pod: &Value) -> Result<(), Refusal> {
        let spec = &pod["spec"];
        let refuse =
            |what: &str| Err(Refusal(403, "Forbidden", format!("violates PodSecurity \"restricted\": {what}")));
        if spec["securityContext"]["runAsNonRoot"] != true
            || spec["securityContext"]["seccompProfile"]["type"] != "RuntimeDefault"
        {
            return refuse("securityContext");
        }
        let deadline = &spec["activeDeadlineSeconds"];
        if !deadline.is_null() && deadline.as_i64().is_none_or(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds))
        {
            return Err(Refusal(422, "Invalid", format!("spec.activeDeadlineSeconds: Invalid value: {deadline}")));
        }
        let volumes: Vec<&Value> = spec["volumes"].as_array().unwrap().iter().collect();
        for container in
            spec["containers"].as_array().unwrap().iter().chain(spec["initContainers"].as_array().into_iter().flatten())
        {
            let context = &container["securityContext"];
            if context["allowPrivilegeEscalation"] != false || context["capabilities"]["drop"] != json!(["ALL"]) {
                return refuse("container securityContext");
            }
            for mount in container["volumeMounts"].as_array().unwrap() {
                if !volumes.iter().any(|volume| volume["name"] == mount["name"]) {
                    return Err(Refusal(422, "Invalid", format!("volumeMounts: Not found: {}", mount["name"])));
                }
            }
            for variable in container["env"].as_array().into_iter().flatten() {
                if let Some(reference) = variable["valueFrom"].get("secretKeyRef") {
                    let key = ("secrets".to_owned(), reference["name"].as_str().unwrap().to_owned());
                    let data = self.objects.get(&key).map(|secret| &secret["stringData"]);
                    if data.is_none_or(|data| data.get(reference["key"].as_str().unwrap()).is_none()) {
                        self.violations.push(format!("there is no secret {reference}"));
                    }
                }
            }
        }
        let is_guarded = self.objects.iter().any(|((resource, _), policy)| {
            let run = &policy["spec"]["podSelector"]["matchLabels"]["mainsheet.dev/run"];
            resource == "networkpolicies" && run.is_string() && *run == pod["metadata"]["labels"]["mainsheet.dev/run"]
        });
        if !is_guarded {
            self.violations.push(format!("whoever is in the namespace reaches {}", pod["metadata"]["name"]));
        }
        for volume in volumes {
            let references =
                [("configmaps", &volume["configMap"]["name"]), ("secrets", &volume["secret"]["secretName"])];
            let class = &volume["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"];
            for (resource, name) in references.into_iter().chain([("storageclasses", class)]) {
                if let Some(name) = name.as_str()
                    && !self.objects.contains_key(&(resource.to_owned(), name.to_owned()))
                {
                    self.violations.push(format!("there is no {resource} {name}"));
                }
            }
        }
        Ok(())
    }

    fn delete(&mut self, call: &Call) -> Result<Value, Refusal> {
        let key = call.key();
        let mut object = self.get(&key)?.clone();
        let wanted = &call.body["preconditions"]["uid"];
        if wanted.is_string() && *wanted != object["metadata"]["uid"] {
            return Err(Refusal(409, "Conflict", "the UID in the precondition does not match".to_owned()));
        }
        self.version += 1;
        object["metadata"]["deletionTimestamp"] = json!(now().to_string());
        let is_running = matches!(object["status"]["phase"].as_str(), Some("Pending" | "Running"));
        let stays = match call.resource.as_str() {
            "pods" => is_running && call.body["gracePeriodSeconds"] != 0,
            _ => call.body["propagationPolicy"] == "Foreground",
        };
        if stays {
            self.objects.insert(key, object.clone());
        } else {
            self.objects.remove(&key);
        }
        self.collect();
        Ok(object)
    }

    /// Garbage collection: what has no owner any more goes, and then owners that were waiting for that.
    fn collect(&mut self) {
        loop {
            let owner_of = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"].as_str().map(str::to_owned);
            let is_going = |uid: &str| {
                let owner = self.objects.values().find(|object| object["metadata"]["uid"] == uid);
                owner.is_none_or(|owner| owner["metadata"].get("deletionTimestamp").is_some())
            };
            let orphans = self.objects.iter().filter(|(_, object)| owner_of(object).is_some_and(|uid| is_going(&uid)));
            let orphans = orphans.filter(|((_, name), _)| !self.stuck.contains(name)).map(|(key, _)| key.clone());
            let idle = |(key, object): &(&Key, &Value)| {
                key.0 == "configmaps"
                    && object["metadata"].get("deletionTimestamp").is_some()
                    && !self
                        .objects
                        .values()
                        .any(|other| owner_of(other).as_deref() == object["metadata"]["uid"].as_str())
            };
            let idle = self.objects.iter().filter(idle).map(|(key, _)| key.clone());
            let gone: Vec<Key> = orphans.chain(idle).collect();
            if gone.is_empty() {
                return;
            }
            self.objects.retain(|key, _| !gone.contains(key));
        }
    }
}

/// Fields that a kind does not have, or that are of another type.
pub(crate) fn unknown_fields<K: DeserializeOwned + Serialize>(object: &Value) -> Vec<String> {
    match serde_json::from_value::<K>(object.clone()) {
        Ok(typed) => missing(object, &serde_json::to_value(typed).unwrap(), String::new()),
        Err(error) => vec![error.to_string()],
    }
}

fn missing(given: &Value, known: &Value, at: String) -> Vec<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            given
                .iter()
                .flat_map(|(name, value)| match known.get(name) {
                    Some(known) => missing(value, known, format!("{at}/{name}")),
                    // The typed form leaves empty things out.
                    None if value.as_object().is_some_and(serde_json::Map::is_empty) => Vec::new(),
                    None => vec![format!("{at}/{name}")],
                })
                .collect()
        }
        (Value::Array(given), Value::Array(known)) if given.len() == known.len() => {
            given.iter().zip(known).flat_map(|(given, known)| missing(given, known, format!("{at}[]"))).collect()
        }
        _ if given == known => Vec::new(),
        _ => vec![at],
    }
}

fn answer(status: u16, object: &Value) -> Response<Body> {
    let body = Body::from(serde_json::to_vec(object).unwrap());
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

fn refusal(Refusal(code, reason, message): &Refusal) -> Response<Body> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    answer(*code, &status)
}
