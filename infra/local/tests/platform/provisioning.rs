//! From an empty account to a cluster that runs a job, and back to an empty account; and the same when something goes wrong at a
//! moment that is drawn.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Owner, Platform, client, text};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
/// How far the clock is moved between two looks at an operation, in seconds.
const STEP: u64 = 60;
/// How often an operation is looked at before it hangs: twelve hours.
const LOOKS: usize = 12 * 60;

/// Somebody who has connected an account.
struct Scene {
    platform: Platform,
    owner: Owner,
    connection: String,
    /// The role that lets the platform in.
    role: String,
    /// What goes wrong, and in which operation: it is taken out when its moment has come.
    mishap: Option<Mishap>,
}

/// Something that goes wrong.
#[derive(Debug)]
struct Mishap {
    /// In this operation, counted from 0.
    operation: u64,
    /// After so many looks at it.
    looks: u64,
    fault: Value,
}

impl Scene {
    /// Signs up and connects an account: the template is downloaded, deployed as the customer would, and the role verified.
    async fn connect(mishap: Option<Mishap>) -> Self {
        let platform = Platform::start(&[]).await;
        let owner = Owner::of(&platform).await;
        let config =
            json!({"name": "prod", "provider": "aws", "providerConfig": {"accountId": ACCOUNT, "region": REGION}});
        let connection = text(&owner.post("/infra/connections", &config).await["id"]);
        let mut scene = Self { platform, owner, connection, role: String::new(), mishap };
        let path = scene.path("");
        let shown = scene.owner.get(&format!("{path}/template")).await;
        assert!(text(&shown["downloadUrl"]).ends_with("/template/download"), "{shown}");
        let template = scene.owner.download(&format!("{path}/template/download")).await;
        let deployment = json!({"accountId": ACCOUNT, "region": REGION, "template": template});
        let deployed = scene.local(Method::POST, "/deploy", &deployment).await;
        let role = json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/mainsheet-another")});
        assert_eq!(scene.owner.post(&format!("{path}/verify"), &role).await["status"], "failed");
        scene.role = text(&deployed["roleArn"]);
        scene.verify().await;
        let regions = scene.owner.get(&format!("{path}/regions")).await;
        assert!(regions["items"].as_array().unwrap().iter().any(|region| region["regionCode"] == REGION), "{regions}");
        scene
    }

    /// A network or cluster, by its path.
    async fn shown(&self, path: &str) -> Value {
        let kind = path.rsplit('/').nth(1).unwrap();
        self.owner.get(path).await["included"][kind][0].clone()
    }

    /// The role lets the platform in.
    async fn verify(&self) {
        let verified = self.owner.post(&self.path("/verify"), &json!({"roleArn": self.role})).await;
        assert_eq!(verified["status"], "active", "{verified}");
    }

    /// The path of something of the connection.
    fn path(&self, below: &str) -> String {
        format!("/infra/connections/{}{below}", self.connection)
    }

    /// A control endpoint of the simulated cloud.
    async fn local(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/_local/cloud{path}", self.platform.url());
        let answer = client().request(method, url).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Some time passes; tokens end meanwhile.
    async fn pass(&mut self) {
        let url = format!("{}/_local/clock", self.platform.url());
        let moved = client().post(url).json(&json!({"advanceSeconds": STEP})).send().await.unwrap();
        assert_eq!(moved.status(), StatusCode::OK, "{}", moved.text().await.unwrap());
        self.owner.sign_in().await;
    }

    /// Watches an operation to its end. Answers it, and its stages in the order in which they were seen.
    async fn watch(&mut self, operation: &str) -> (Value, Vec<String>) {
        let mut stages: Vec<String> = Vec::new();
        for look in 0..LOOKS {
            self.befall(look as u64).await;
            let seen = self.owner.get(&format!("/operations/{operation}")).await;
            let stage = text(&seen["progress"]["stage"]);
            if stages.last() != Some(&stage) {
                stages.push(stage);
            }
            require_summary(&seen);
            if !matches!(seen["status"].as_str(), Some("pending" | "running")) {
                let open = ["pending", "running"].map(|status| seen["progress"]["summary"][status].as_u64().unwrap());
                assert!(seen["status"] != "succeeded" || open == [0, 0], "all of it is done: {seen}");
                self.local(Method::DELETE, "/faults", &Value::Null).await;
                self.mishap = self.mishap.take().map(Mishap::later);
                return (seen, stages);
            }
            self.pass().await;
        }
        panic!("{operation} hangs at {:?}", stages.last());
    }

    /// What is to go wrong at this moment does.
    async fn befall(&mut self, look: u64) {
        if let Some(mishap) = self.mishap.take_if(|mishap| mishap.operation == 0 && mishap.looks <= look) {
            self.local(Method::POST, "/faults", &mishap.fault).await;
        }
    }

    /// Builds something that was described: looks whether that can be, what it costs, and does what was shown.
    async fn provision(&mut self, path: &str) -> (Value, Vec<String>) {
        let preflight = self.owner.post(&format!("{path}/preflight"), &json!({})).await;
        assert_eq!(preflight["ok"], true, "{preflight}");
        let plan = self.owner.get(&format!("{path}/plan")).await;
        assert!(!plan["resources"].as_array().unwrap().is_empty(), "{plan}");
        let operation = self.owner.post(&format!("{path}/provision"), &json!({"planHash": plan["hash"]})).await;
        self.watch(&text(&operation["id"])).await
    }

    /// Tears something down, again when it went wrong, and erases its record.
    async fn destroy(&mut self, path: &str, record: &str) {
        for _ in 0..2 {
            let (status, operation) = self.owner.send(Method::DELETE, path, None).await.unwrap();
            assert_eq!(status, StatusCode::ACCEPTED, "DELETE {path}: {operation}");
            let (ended, _) = self.watch(&text(&operation["id"])).await;
            if ended["status"] == "succeeded" {
                let (status, answer) = self.owner.send(Method::DELETE, record, None).await.unwrap();
                assert_eq!(status, StatusCode::NO_CONTENT, "DELETE {record}: {answer}");
                return;
            }
            self.require_told(&ended).await;
        }
        panic!("{path} cannot be destroyed");
    }

    /// It did not succeed because of what went wrong, which it says. A connection that was locked out is let in again.
    async fn require_told(&self, ended: &Value) {
        let error = &ended["error"];
        let told = ["code", "message"].iter().all(|field| error[field].as_str().is_some_and(|text| !text.is_empty()));
        assert!(ended["status"] == "failed" && told && self.mishap.is_none(), "{ended}");
        eprintln!("{}: {}: {}", text(&ended["operation"]), text(&error["code"]), text(&error["message"]));
        self.verify().await;
    }

    /// Describes and builds something; where that goes wrong, what is left is destroyed and it is tried once more. Answers its path
    /// and its record's, and the stages.
    async fn build(&mut self, kind: &str, body: &Value) -> (String, String, Vec<String>) {
        for _ in 0..2 {
            let id = text(&self.owner.post(&self.path(&format!("/{kind}")), body).await["id"]);
            let (path, record) = (self.path(&format!("/{kind}/{id}")), format!("/infra/{kind}/{id}"));
            let (ended, stages) = self.provision(&path).await;
            if ended["status"] == "succeeded" {
                assert_eq!(self.shown(&path).await["status"], "active");
                return (path, record, stages);
            }
            self.require_told(&ended).await;
            assert_eq!(self.shown(&path).await["status"], "failed");
            self.destroy(&path, &record).await;
        }
        panic!("no {kind} can be built");
    }

    /// Brings the cluster to the next version; where that goes wrong and the cluster still works, once more.
    async fn update(&mut self, path: &str) {
        for _ in 0..2 {
            let updated = self.owner.post(path, &json!({"config": config("1.35")})).await;
            let (ended, _) = self.watch(&text(&updated["operationId"])).await;
            if ended["status"] == "succeeded" {
                assert_eq!(self.shown(path).await["config"]["kubernetesVersion"], "1.35");
                return;
            }
            self.require_told(&ended).await;
            let cluster = self.shown(path).await;
            if cluster["status"] == "failed" || cluster["config"]["kubernetesVersion"] == "1.35" {
                return;
            }
        }
        panic!("{path} cannot be updated");
    }

    /// All of it: network, cluster, a job, another version, and the end of everything.
    async fn live(&mut self) {
        let network = json!({"name": "main", "region": REGION, "config": {"cidr": "10.0.0.0/20"}});
        let (network, network_record, stages) = self.build("networks", &network).await;
        assert!(stages.contains(&"create_network_stack".to_owned()), "{stages:?}");
        let network_id = network.rsplit('/').next().unwrap().to_owned();
        let cluster = json!({"name": "main", "networkId": network_id, "region": REGION, "config": config("1.34")});
        let (cluster, cluster_record, stages) = self.build("clusters", &cluster).await;
        for stage in ["create_scaffolding_stack", "create_control_plane", "create_node_group", "install_add_ons"] {
            assert!(stages.contains(&stage.to_owned()), "{stage} of {stages:?}");
        }
        let cluster_id = cluster.rsplit('/').next().unwrap().to_owned();

        // The agent was told of another address when it was installed.
        self.platform.move_to_another_port().await;
        self.owner.follow(&self.platform);
        let sql = json!({"sql": {"source": "SELECT 6 * 7 AS answer"}});
        let job = self.owner.job("answer", &cluster_id, sql).await;
        let run = self.owner.run(&job).await;
        let ended = self.owner.ended(&run).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        let results = self.owner.get(&format!("{run}/results")).await;
        assert_eq!(results["rows"], json!([[42]]), "{results}");

        let health = self.owner.get(&format!("{cluster}/health")).await;
        assert_eq!((&health["status"], &health["readyNodes"]), (&json!("healthy"), &json!(2)), "{health}");
        let kubeconfig = text(&self.owner.get(&format!("{cluster}/kubeconfig")).await["kubeconfig"]);
        assert!(kubeconfig.contains("get-token"), "{kubeconfig}");
        self.update(&cluster).await;

        let (status, refused) = self.owner.send(Method::DELETE, &network, None).await.unwrap();
        assert_eq!(status, StatusCode::CONFLICT, "a cluster lives in it: {refused}");
        self.destroy(&cluster, &cluster_record).await;
        self.destroy(&network, &network_record).await;

        assert_eq!(self.owner.get(&self.path("/orphans")).await["items"], json!([]));
        assert_eq!(self.local(Method::GET, "/resources", &Value::Null).await["items"], json!([]));
        let (status, answer) = self.owner.send(Method::DELETE, &self.path(""), None).await.unwrap();
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }
}

impl Mishap {
    /// One operation has ended.
    fn later(self) -> Self {
        Self { operation: self.operation.saturating_sub(1), ..self }
    }

    /// Anything that can go wrong, at any moment.
    fn drawn(seed: u64) -> Self {
        let mut state = seed;
        // SplitMix64.
        let mut draw = |count: usize| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (mixed ^ (mixed >> 31)) % count as u64
        };
        // As long as they take: a minute each look.
        let operation = draw(5);
        let looks = draw([3, 15, 15, 7, 2][usize::try_from(operation).unwrap()]);
        let services: [&[&str]; 5] = [
            &["cloudformation", "sts"],
            &["cloudformation", "eks", "kubernetes", "sts"],
            &["eks", "sts"],
            &["eks", "cloudformation", "sts"],
            &["cloudformation", "sts"],
        ];
        let services = services[usize::try_from(operation).unwrap()];
        let service = services[usize::try_from(draw(services.len())).unwrap()];
        let errors: [(&str, Option<u32>); 9] = [
            ("throttled", Some(3)),
            ("unavailable", Some(3)),
            ("unavailable", None),
            ("access_denied", None),
            ("role_not_assumable", None),
            ("quota_exceeded", Some(1)),
            ("invalid", Some(1)),
            ("conflict", Some(1)),
            ("answer_lost", Some(1)),
        ];
        let (error, times) = errors[usize::try_from(draw(errors.len())).unwrap()];
        Self { operation, looks, fault: json!({"service": service, "error": error, "times": times}) }
    }
}

fn config(version: &str) -> Value {
    let group = json!({"name": "system", "instanceTypes": ["m7g.large"], "minSize": 1, "desiredSize": 2, "maxSize": 3});
    json!({"kubernetesVersion": version, "systemNodeGroup": group})
}

/// The counters of an operation's progress count its resources.
fn require_summary(operation: &Value) {
    let progress = &operation["progress"];
    let resources = progress["resources"].as_array().unwrap();
    let count = |status: &str| resources.iter().filter(|resource| resource["status"] == status).count();
    for status in ["pending", "running", "succeeded", "failed", "unchanged"] {
        assert_eq!(progress["summary"][status], count(status), "{status} of {progress}");
    }
    assert_eq!(progress["summary"]["total"], resources.len(), "{progress}");
    for resource in resources {
        assert!(text(&resource["urn"]).starts_with("urn:") && resource["type"].is_string(), "{resource}");
    }
}

#[tokio::test]
async fn an_account_is_connected_built_in_worked_in_and_left_empty() {
    Scene::connect(None).await.live().await;
}

/// `MAINSHEET_SEED=n` draws another mishap.
#[tokio::test]
async fn whatever_goes_wrong_on_the_way_the_account_is_left_empty() {
    let seed = mainsheet_testkit::environment::number::<u64>("MAINSHEET_SEED").unwrap_or(20_261_121);
    let mishap = Mishap::drawn(seed);
    eprintln!("MAINSHEET_SEED={seed}: {mishap:?}");
    let mut scene = Scene::connect(Some(mishap)).await;
    scene.live().await;
    assert!(scene.mishap.is_none(), "it never came to that: {:?}", scene.mishap);
}
