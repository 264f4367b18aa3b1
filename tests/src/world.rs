//! An organization in which every operation has something to act on.

use std::sync::Arc;

use mainsheet_testkit::{PASSWORD, Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

/// The organization, its owner, and one thing of each kind for each thing that can be done to it.
pub(crate) struct World {
    pub(crate) app: Arc<TestApp>,
    pub(crate) owner: Person,
    /// Another login of the owner's, to sign out of.
    pub(crate) second_login: Person,
    /// The token mailed to somebody who has just signed up.
    pub(crate) mailed_token: String,
    /// Serves the cluster that the jobs run on.
    pub(crate) agent: TestAgent,
    /// A cluster that nothing runs on, with a token that was not used yet.
    pub(crate) idle_cluster: String,
    pub(crate) registration_token: String,
    /// A service account with a key.
    pub(crate) service_account: String,
    pub(crate) service_key: String,
    /// A key to revoke.
    pub(crate) spare_service_key: String,
    /// A service account to delete.
    pub(crate) spare_service_account: String,
    /// A second team that the main cluster is shared with.
    pub(crate) second_team: String,
    pub(crate) query: String,
    /// A query to delete.
    pub(crate) spare_query: String,
    pub(crate) job: String,
    /// A job to delete.
    pub(crate) spare_job: String,
    /// A run that has ended, with a log and results.
    pub(crate) ended_run: String,
    /// A run that its creator holds back.
    pub(crate) held_run: String,
    /// Another one.
    pub(crate) spare_run: String,
    /// What identifies a run that the agent executes.
    pub(crate) leased: Value,
}

/// Signed up, not confirmed.
pub(crate) const NEWCOMER: &str = "newcomer@example.com";

/// A preview of one row.
pub(crate) fn preview() -> Value {
    json!({ "columns": [{ "name": "one", "type": "int" }], "rows": [[1]], "truncated": false })
}

impl World {
    pub(crate) async fn start() -> Self {
        let app = Arc::new(TestApp::start().await);
        Self::of(app, "owner@example.com").await
    }

    /// Another organization on the same control plane.
    pub(crate) async fn beside(world: &Self, email: &str) -> Self {
        Self::of(Arc::clone(&world.app), email).await
    }

    async fn of(app: Arc<TestApp>, email: &str) -> Self {
        let owner = app.sign_up(email).await;
        let second_login = Person::sign_in(&app, &owner.email, PASSWORD).await;
        let mailed_token = newcomer(&app).await;
        let agent = owner.cluster("main").await;
        let idle = owner.post("/workloads/clusters", build::cluster("idle")).await.expect(201);
        let idle_cluster = idle.text("id");
        let second_team = owner.post("/org/teams", build::team("second")).await.expect(201).json();
        let second_team = second_team["team"]["id"].as_str().unwrap().to_owned();
        let teams = json!({ "teamIds": [second_team] });
        let _ = owner.post(&format!("/workloads/clusters/{}/teams", agent.cluster_id), teams).await.expect(201);
        let account = |name: &str| json!({ "username": name, "description": "" });
        let service_account = owner.create("/org/service-accounts", account("robot")).await;
        let spare_service_account = owner.create("/org/service-accounts", account("spare")).await;
        let keys = format!("/org/service-accounts/{service_account}/keys");
        let (service_key, spare_service_key) =
            (owner.create(&keys, json!({})).await, owner.create(&keys, json!({})).await);
        for principal in [format!("user:{}", owner.user_id), format!("team:{second_team}")] {
            let policy = json!({ "permissions": ["CanViewClusters"] });
            let _ = owner.put(&format!("/org/policies/{principal}"), policy).await.expect(200);
        }
        let (query, spare_query) = (owner.query("daily").await, owner.query("spare").await);
        let (job, spare_job) =
            (owner.job("daily", &agent.cluster_id).await, owner.job("spare", &agent.cluster_id).await);
        let ended_run = ended_run(&app, &owner, &agent, &job).await;
        let leased = leased_run(&app, &owner, &agent, &job).await;
        let hold = json!({ "hold": true });
        let held_run = owner.create(&format!("/workloads/jobs/{job}/runs"), hold.clone()).await;
        let spare_run = owner.create(&format!("/workloads/jobs/{job}/runs"), hold).await;
        // One that waits for an agent.
        let _ = owner.run(&job).await;
        app.deliver().await;
        Self {
            registration_token: idle.text("agentRegistrationToken"),
            app,
            owner,
            second_login,
            mailed_token,
            agent,
            idle_cluster,
            service_account,
            service_key,
            spare_service_key,
            spare_service_account,
            second_team,
            query,
            spare_query,
            job,
            spare_job,
            ended_run,
            held_run,
            spare_run,
            leased,
        }
    }
}

/// Somebody signs up and does not confirm their address; answers the token that was mailed.
async fn newcomer(app: &TestApp) -> String {
    let body = build::sign_up(NEWCOMER, PASSWORD, "Newcomers");
    let _ = app.anonymous().post("/auth/signup", body).await.expect(201);
    app.deliver().await;
    app.mails().last().unwrap().token()
}

/// A run that the agent has just leased.
pub(crate) async fn leased_run(app: &TestApp, owner: &Person, agent: &TestAgent, job: &str) -> Value {
    let run = owner.run(job).await;
    app.deliver().await;
    let leased = agent.lease_one().await;
    assert_eq!(leased["jobRunId"], run);
    leased
}

/// A run that succeeded, with a log and results.
pub(crate) async fn ended_run(app: &TestApp, owner: &Person, agent: &TestAgent, job: &str) -> String {
    let leased = leased_run(app, owner, agent, job).await;
    let _ = agent.log(&leased, 0, &["first", "second"]).await.expect(200);
    let _ = agent.results(&leased, preview()).await.expect(204);
    agent.succeed(&leased).await;
    leased["jobRunId"].as_str().unwrap().to_owned()
}
