//! People who use the API: with an account, signed in.

use std::ops::Deref;

use mainsheet_core::UserId;
use serde_json::{Value, json};

use crate::agent::TestAgent;
use crate::answer::Answer;
use crate::app::TestApp;
use crate::build;
use crate::client::Client;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A person, signed in. Sends requests as one.
#[derive(Clone)]
pub struct Person {
    /// The client that carries their access token.
    pub client: Client,
    /// Their address.
    pub email: String,
    /// Their id.
    pub user_id: String,
    /// The organization that they act in.
    pub organization_id: String,
    /// The default team of their own organization; empty in somebody else's.
    pub team_id: String,
    /// Their access token.
    pub access_token: String,
    /// Their refresh token.
    pub refresh_token: String,
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Person {
    pub(crate) async fn sign_up(app: &TestApp, email: &str) -> Self {
        let anonymous = app.anonymous();
        let organization = format!("{} and friends", email.split('@').next().unwrap());
        let answer = anonymous.post("/auth/signup", build::sign_up(email, PASSWORD, &organization)).await.expect(201);
        assert_eq!(answer.text("nextStep"), "verify_email");
        app.deliver().await;
        let mail = app.mails().into_iter().rfind(|mail| mail.0.to == email).unwrap();
        let _ = anonymous.post("/auth/email/verify", json!({ "token": mail.token() })).await.expect(204);
        Self::sign_in(app, email, PASSWORD).await
    }

    /// Signs in.
    pub async fn sign_in(app: &TestApp, email: &str, password: &str) -> Self {
        let tokens = app.anonymous().post("/auth/login", json!({ "email": email, "password": password })).await;
        let tokens = tokens.expect(200);
        let access_token = tokens.text("accessToken");
        let client = app.anonymous().bearer(&access_token);
        let me = client.get("/me").await.expect(200).json();
        let organizations = client.get("/me/organizations").await.expect(200).json();
        let organization = &organizations["items"][0];
        Self {
            client,
            email: email.to_owned(),
            user_id: me["user"]["id"].as_str().unwrap().to_owned(),
            organization_id: organization["id"].as_str().unwrap_or_default().to_owned(),
            team_id: organization["defaultTeamId"].as_str().unwrap_or_default().to_owned(),
            access_token,
            refresh_token: tokens.text("refreshToken"),
        }
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.user_id.parse().unwrap()
    }

    /// Trades the refresh token for new tokens; access tokens are short-lived.
    #[must_use]
    pub async fn refreshed(&self) -> Self {
        let tokens = self.client.post("/auth/token/refresh", json!({ "refreshToken": self.refresh_token })).await;
        let tokens = tokens.expect(200);
        let access_token = tokens.text("accessToken");
        Self {
            client: self.client.bearer(&access_token),
            access_token,
            refresh_token: tokens.text("refreshToken"),
            ..self.clone()
        }
    }

    /// A cluster with an agent that is alive, shared with their team.
    pub async fn cluster(&self, name: &str) -> TestAgent {
        let answer = self.post("/workloads/clusters", build::cluster(name)).await.expect(201);
        let agent = TestAgent::register(&self.client, &answer.text("id"), &answer.text("agentRegistrationToken")).await;
        let _ = agent.heartbeat(&[]).await.expect(200);
        if !self.team_id.is_empty() {
            let teams = json!({ "teamIds": [self.team_id] });
            let _ = self.post(&format!("/workloads/clusters/{}/teams", agent.cluster_id), teams).await.expect(201);
        }
        agent
    }

    /// A new thing's id.
    pub async fn create(&self, path: &str, body: Value) -> String {
        self.post(path, body).await.expect(201).text("id")
    }

    /// A job of their team that runs a statement.
    pub async fn job(&self, key: &str, cluster: &str) -> String {
        self.create("/workloads/jobs", build::job(key, cluster, &self.team_id)).await
    }

    /// A saved query of their team.
    pub async fn query(&self, name: &str) -> String {
        self.create("/workloads/queries", build::query(name, &self.team_id)).await
    }

    /// A run of a job.
    pub async fn run(&self, job: &str) -> String {
        self.create(&format!("/workloads/jobs/{job}/runs"), build::run()).await
    }

    /// A run as it stands.
    pub async fn run_state(&self, job: &str, run: &str) -> Answer {
        self.get(&format!("/workloads/jobs/{job}/runs/{run}")).await.expect(200)
    }
}
