//! An organization in which every operation has something to act on.

use std::sync::Arc;

use mainsheet_testkit::provider::TestProvider;
use mainsheet_testkit::{PASSWORD, Person, SecondFactor, TestAgent, TestApp, build};
use serde_json::{Value, json};

use crate::estate::Estate;

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
    /// What it has in cloud accounts.
    pub(crate) estate: Estate,
    /// A second team that the main cluster is shared with.
    pub(crate) second_team: String,
    /// A catalog of both teams.
    pub(crate) catalog: String,
    /// A catalog to delete.
    pub(crate) spare_catalog: String,
    pub(crate) query: String,
    /// A query to delete.
    pub(crate) spare_query: String,
    pub(crate) job: String,
    /// A job to delete.
    pub(crate) spare_job: String,
    /// A job with two versions, shared with the second team.
    pub(crate) versioned_job: String,
    /// A job with a draft.
    pub(crate) drafted_job: String,
    /// Another one, to publish the draft of.
    pub(crate) publishable_job: String,
    /// Another one, to discard the draft of.
    pub(crate) discardable_job: String,
    /// A run that was cancelled.
    pub(crate) cancelled_run: String,
    /// A run that has ended, to delete.
    pub(crate) spare_ended_run: String,
    /// A run that has ended, with a log and results.
    pub(crate) ended_run: String,
    /// A run that its creator holds back.
    pub(crate) held_run: String,
    /// Another one.
    pub(crate) spare_run: String,
    /// What identifies a run that the agent executes.
    pub(crate) leased: Value,
    /// People of the organization with accounts that it manages.
    pub(crate) colleague: Colleague,
    /// One to take out of the organization.
    pub(crate) leaver: Colleague,
    /// One to take off the second team.
    pub(crate) seated: Colleague,
    /// One to delete.
    pub(crate) closing: Colleague,
    /// A team to delete.
    pub(crate) spare_team: String,
    /// Where people of the organization sign in.
    pub(crate) provider: TestProvider,
    pub(crate) identity_provider: String,
    /// One to give a new secret.
    pub(crate) rotated_identity_provider: String,
    /// One to delete.
    pub(crate) spare_identity_provider: String,
    /// Where a browser comes back to from the provider, and its cookie.
    pub(crate) browser: (String, String),
    /// What another one brought from there.
    pub(crate) one_time_code: String,
    /// Tokens of invitations: to look at, to accept, to cancel.
    pub(crate) invitations: [String; 3],
    /// A login of the owner's to end.
    pub(crate) spare_login: String,
    /// Somebody with a second factor.
    pub(crate) careful: Careful,
    /// Somebody who gives up their second factor, and the code that they were mailed.
    pub(crate) careless: (Person, String),
    /// The token that sets somebody's new password.
    pub(crate) reset_token: String,
}

/// Somebody with a second factor, who sets up another one.
pub(crate) struct Careful {
    pub(crate) person: Person,
    /// What the new authenticator shows.
    pub(crate) code: String,
    /// A sign-in that is half done, and a recovery code to finish it with.
    pub(crate) challenge: (String, String),
    /// A device that they trust.
    pub(crate) device: String,
}

impl Careful {
    async fn sign_up(app: &TestApp, email: &str) -> Self {
        let person = app.sign_up(email).await;
        let factor = SecondFactor::set_up(app, &person.client).await;
        let body = json!({
            "challengeToken": challenge(app, email).await, "recoveryCode": factor.recovery_codes[0], "trustDevice": true,
        });
        let _ = app.anonymous().post("/auth/mfa/verify", body).await.expect(200);
        let devices = person.get("/me/trusted-devices").await.expect(200).json();
        let device = devices["items"][0]["id"].as_str().unwrap().to_owned();
        let challenge = (challenge(app, email).await, factor.recovery_codes[1].clone());
        let code = SecondFactor::begin(&person.client).await.code(app);
        Self { person, code, challenge, device }
    }
}

/// The token of a sign-in that waits for the second factor.
async fn challenge(app: &TestApp, email: &str) -> String {
    let answer = app.anonymous().post("/auth/login", json!({ "email": email, "password": PASSWORD })).await;
    answer.expect(200).text("challengeToken")
}

/// What is on its own line in the mail that somebody is sent upon a request.
async fn mailed(app: &TestApp, path: &str, email: &str) -> String {
    let _ = app.anonymous().post(path, json!({ "email": email })).await.expect(202);
    app.deliver().await;
    app.mails().into_iter().rfind(|mail| mail.0.to == email).unwrap().token()
}

/// The login of a person that they use.
pub(crate) async fn current_login(person: &Person) -> String {
    let logins = person.get("/me/logins").await.expect(200).json();
    let current = logins["items"].as_array().unwrap().iter().find(|login| login["isCurrent"] == true).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

/// A browser that comes back from its provider: to which path, and its cookie.
async fn browser(app: &TestApp, provider: &TestProvider, id: &str) -> (String, String) {
    let sent = app.anonymous().get(&format!("/auth/sso/{id}/authorize")).await.expect(302);
    let back = provider.sign_in(sent.header("location").unwrap());
    let path = back.split_once("/api/v1").unwrap().1.to_owned();
    (path, sent.header("set-cookie").unwrap().split(';').next().unwrap().to_owned())
}

/// Somebody who works in the organization.
pub(crate) struct Colleague {
    pub(crate) user: String,
    pub(crate) member: String,
}

impl Colleague {
    async fn hire(owner: &Person, name: &str) -> Self {
        // Addresses are unique over all organizations.
        let email = format!("{name}.{}@example.com", owner.organization_id.to_lowercase());
        let user = owner.create("/org/users", json!({ "email": email, "displayName": name })).await;
        let page = owner.get("/org/members").await.expect(200).json();
        let item = page["items"].as_array().unwrap().iter().find(|item| item["userId"] == user.as_str()).unwrap();
        Self { member: item["memberId"].as_str().unwrap().to_owned(), user }
    }
}

/// The token of a new invitation.
async fn invitation(owner: &Person, name: &str) -> String {
    let email = invited(owner, name);
    let body = json!({ "email": email, "organizationRoleId": "MEMBER", "sendEmail": false });
    owner.post("/org/invites", body).await.expect(201).text("invitationToken")
}

/// The address of somebody who is invited.
pub(crate) fn invited(owner: &Person, name: &str) -> String {
    format!("{name}.{}@example.com", owner.organization_id.to_lowercase())
}

/// A team's id.
async fn team(owner: &Person, name: &str) -> String {
    let created = owner.post("/org/teams", build::team(name)).await.expect(201).json();
    created["team"]["id"].as_str().unwrap().to_owned()
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
        let provider = TestProvider::start(app.now()).await;
        // Addresses are unique over all organizations.
        let subject = owner.organization_id.to_lowercase();
        provider.claims(json!({ "sub": subject, "email": format!("grace.{subject}@example.com") }));
        let set_up = async |issuer: &str| owner.create("/auth/idps", build::identity_provider(issuer)).await;
        let identity_provider = set_up(&provider.issuer).await;
        let (rotated_identity_provider, spare_identity_provider) =
            (set_up("https://one.example").await, set_up("https://two.example").await);
        let (path, cookie) = browser(&app, &provider, &identity_provider).await;
        let arrived = app.anonymous().with("cookie", &cookie).get(&path).await.expect(302);
        let one_time_code = arrived.header("location").unwrap().split_once("code=").unwrap().1.to_owned();
        let browser = browser(&app, &provider, &identity_provider).await;
        let idle = owner.post("/workloads/clusters", build::cluster("idle")).await.expect(201);
        let idle_cluster = idle.text("id");
        let (second_team, spare_team) = (team(&owner, "second").await, team(&owner, "spare").await);
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
        let catalog = owner.create("/workloads/catalogs", build::catalog("main", &second_team)).await;
        let teams = json!({ "teamIds": [owner.team_id] });
        let _ = owner.post(&format!("/workloads/catalogs/{catalog}/teams"), teams).await.expect(201);
        let spare_catalog = owner.create("/workloads/catalogs", build::catalog("spare", &owner.team_id)).await;
        let query = build::with(build::query("daily", &owner.team_id), "/catalogId", json!(catalog));
        let query = owner.create("/workloads/queries", query).await;
        let spare_query = owner.query("spare").await;
        let (job, spare_job) =
            (owner.job("daily", &agent.cluster_id).await, owner.job("spare", &agent.cluster_id).await);
        let versioned_job = owner.job("versioned", &agent.cluster_id).await;
        let version = json!({ "timeoutSeconds": 60 });
        let _ = owner.post(&format!("/workloads/jobs/{versioned_job}/versions"), version.clone()).await.expect(201);
        let teams = json!({ "teamIds": [second_team] });
        for path in [format!("/workloads/jobs/{versioned_job}/teams"), format!("/workloads/queries/{query}/teams")] {
            let _ = owner.post(&path, teams.clone()).await.expect(201);
        }
        let mut drafted = Vec::new();
        for key in ["drafted", "publishable", "discardable"] {
            let job = owner.job(key, &agent.cluster_id).await;
            let _ = owner.post(&format!("/workloads/jobs/{job}/draft"), version.clone()).await.expect(201);
            drafted.push(job);
        }
        let [drafted_job, publishable_job, discardable_job] = drafted.try_into().unwrap();
        let spare_ended_run = ended_run(&app, &owner, &agent, &job).await;
        let ended_run = ended_run(&app, &owner, &agent, &job).await;
        let leased = leased_run(&app, &owner, &agent, &job).await;
        let hold = json!({ "hold": true });
        let held_run = owner.create(&format!("/workloads/jobs/{job}/runs"), hold.clone()).await;
        let spare_run = owner.create(&format!("/workloads/jobs/{job}/runs"), hold).await;
        let colleague = Colleague::hire(&owner, "colleague").await;
        let (leaver, seated) = (Colleague::hire(&owner, "leaver").await, Colleague::hire(&owner, "seated").await);
        let closing = Colleague::hire(&owner, "closing").await;
        for person in [&colleague, &seated] {
            let seat = format!("/org/teams/{second_team}/members/{}", person.member);
            let _ = owner.post(&seat, json!({})).await.expect(201);
        }
        let invitations =
            [invitation(&owner, "shown").await, invitation(&owner, "joining").await, invitation(&owner, "gone").await];
        let cancelled_run = owner.create(&format!("/workloads/jobs/{job}/runs"), json!({ "hold": true })).await;
        let _ = owner.act(&format!("/workloads/jobs/{job}/runs/{cancelled_run}/cancel")).await.expect(200);
        let spare_login = current_login(&Person::sign_in(&app, &owner.email, PASSWORD).await).await;
        let careful = Careful::sign_up(&app, &invited(&owner, "careful")).await;
        let careless = app.sign_up(&invited(&owner, "careless")).await;
        let code = mailed(&app, "/auth/login/code", &careless.email).await;
        let forgetful = app.sign_up(&invited(&owner, "forgetful")).await;
        let reset_token = mailed(&app, "/auth/password/forgot", &forgetful.email).await;
        let estate = Estate::of(&app, &owner).await;
        // One that waits for an agent.
        let _ = owner.run(&job).await;
        app.deliver().await;
        Self {
            registration_token: idle.text("agentRegistrationToken"),
            app,
            provider,
            identity_provider,
            rotated_identity_provider,
            spare_identity_provider,
            browser,
            one_time_code,
            owner,
            second_login,
            mailed_token,
            agent,
            idle_cluster,
            service_account,
            service_key,
            spare_service_key,
            spare_service_account,
            estate,
            second_team,
            catalog,
            spare_catalog,
            query,
            spare_query,
            job,
            spare_job,
            versioned_job,
            drafted_job,
            publishable_job,
            discardable_job,
            cancelled_run,
            spare_ended_run,
            ended_run,
            held_run,
            spare_run,
            leased,
            colleague,
            leaver,
            seated,
            closing,
            spare_team,
            invitations,
            spare_login,
            careful,
            careless: (careless, code),
            reset_token,
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
    agent.lease_run(&run).await
}

/// A run that succeeded, with a log and results.
pub(crate) async fn ended_run(app: &TestApp, owner: &Person, agent: &TestAgent, job: &str) -> String {
    let leased = leased_run(app, owner, agent, job).await;
    let _ = agent.log(&leased, 0, &["first", "second"]).await.expect(200);
    let _ = agent.results(&leased, preview()).await.expect(204);
    agent.succeed(&leased).await;
    leased["jobRunId"].as_str().unwrap().to_owned()
}
