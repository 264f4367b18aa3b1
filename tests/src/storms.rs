//! Storms: what can be had once is wanted by a hundred at the same moment. One gets it, the others are told that they do not, and
//! nothing is left of their tries.
//!
//! One round of each is part of every run of the tests; `MAINSHEET_STORM_ROUNDS=50 cargo test --workspace --lib storms` makes 50.

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{Answer, PASSWORD, Person, SecondFactor, TestApp, infrastructure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::routes::members::member_id;

/// Requests at once.
const PARALLEL: usize = 100;

/// How often a storm comes, each time over something new.
fn rounds() -> usize {
    std::env::var("MAINSHEET_STORM_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

/// Sends what `request` makes of each number, all at once.
async fn storm<R>(request: impl Fn(usize) -> R) -> Vec<Answer>
where
    R: Future<Output = Answer> + Send + 'static,
{
    (0..PARALLEL).map(request).collect::<JoinSet<_>>().join_all().await
}

/// The one answer that has what all wanted. Each of the others is a refusal with one of these statuses.
#[track_caller]
fn winner(answers: Vec<Answer>, lost: &[u16]) -> Answer {
    let (mut won, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    for answer in refused {
        assert!(lost.contains(&answer.status.as_u16()), "{answer}");
    }
    assert_eq!(won.len(), 1, "{}", won.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    won.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_invitation_makes_one_member() {
    let app = TestApp::start().await;
    for round in 0..rounds() {
        let owner = app.sign_up(&format!("owner{round}@example.com")).await;
        let email = format!("ada{round}@example.com");
        let ada = app.sign_up(&email).await;
        let path = format!("/org/invites/{}/accept", mailed(&app, &owner, &email).await);
        let answers = storm(|_| {
            let (ada, path) = (ada.client.clone(), path.clone());
            async move { ada.post(&path, json!({})).await }
        });
        assert_eq!(winner(answers.await, &[404, 409]).json()["user"]["id"], ada.user_id);
        assert_eq!(owner.get("/org/members").await.expect(200).json()["total"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_invitation_makes_one_account() {
    let app = TestApp::start().await;
    for round in 0..rounds() {
        let owner = app.sign_up(&format!("owner{round}@example.com")).await;
        let email = format!("ada{round}@example.com");
        let path = format!("/org/invites/{}/accept", mailed(&app, &owner, &email).await);
        let user = json!({ "email": email, "givenName": "Ada", "familyName": "Lovelace", "password": PASSWORD });
        let answers = storm(|_| {
            let (client, path, body) = (app.anonymous(), path.clone(), json!({ "user": user }));
            async move { client.post(&path, body).await }
        });
        // Who finds the account that somebody else has just made is asked to sign in with it, and gets nothing else.
        let is_asked = |answer: &Answer| answer.status == 200 && answer.json()["nextStep"] == "login";
        let (asked, others): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(is_asked);
        for answer in asked {
            assert!(answer.json()["user"].is_null() && answer.json()["otaCode"].is_null(), "{answer}");
        }
        assert!(winner(others, &[404, 409]).json()["otaCode"].is_string());
        assert_eq!(owner.get("/org/members").await.expect(200).json()["total"], 2);
    }
}

/// An invitation's token, as it was mailed.
async fn mailed(app: &TestApp, owner: &Person, email: &str) -> String {
    let _ = owner.post("/org/invites", json!({ "email": email, "organizationRoleId": "MEMBER" })).await.expect(201);
    app.deliver().await;
    app.mails().last().unwrap().token()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_recovery_code_signs_in_once() {
    let app = TestApp::start().await;
    for round in 0..rounds() {
        let email = format!("ada{round}@example.com");
        let ada = app.sign_up(&email).await;
        let factor = SecondFactor::set_up(&app, &ada.client).await;
        let challenges = [challenge(&app, &email).await, challenge(&app, &email).await];
        let answers = storm(|turn| {
            let token = &challenges[turn % challenges.len()];
            let body = json!({ "challengeToken": token, "recoveryCode": factor.recovery_codes[0] });
            let client = app.anonymous();
            async move { client.post("/auth/mfa/verify", body).await }
        });
        // Most are not looked at: tries are counted before.
        let won = winner(answers.await, &[401, 409, 429]);
        let _ = app.anonymous().bearer(&won.text("accessToken")).get("/me").await.expect(200);
        assert_eq!(ada.get("/me/mfa").await.expect(200).json()["recoveryCodesRemaining"], 9);
    }
}

/// The token of a sign-in that waits for the second factor.
async fn challenge(app: &TestApp, email: &str) -> String {
    let body = json!({ "email": email, "password": PASSWORD });
    app.anonymous().post("/auth/login", body).await.expect(200).text("challengeToken")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refresh_token_is_traded_once_and_whoever_shared_it_is_out() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada@example.com").await;
    for _ in 0..rounds() {
        let login = Person::sign_in(&app, &ada.email, PASSWORD).await;
        let refresh = json!({ "refreshToken": login.refresh_token });
        let answers = storm(|_| {
            let (client, body) = (app.anonymous(), refresh.clone());
            async move { client.post("/auth/token/refresh", body).await }
        });
        let won = winner(answers.await, &[401]);
        let next = json!({ "refreshToken": won.text("refreshToken") });
        let _ = app.anonymous().post("/auth/token/refresh", next).await.expect(401);
        let _ = app.anonymous().bearer(&won.text("accessToken")).get("/me").await.expect(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_the_last_two_owners_stays() {
    let app = TestApp::start().await;
    for round in 0..rounds() {
        let owner = app.sign_up(&format!("owner{round}@example.com")).await;
        let roles = [OrganizationRole::Owner];
        let other = app.member(&format!("other{round}@example.com"), &owner.organization_id, &roles, &[]).await;
        let ids = [member_id(&owner, &other.email).await, member_id(&owner, &owner.email).await];
        let answers = storm(|turn| {
            let (person, id) = if turn % 2 == 0 { (&owner, &ids[0]) } else { (&other, &ids[1]) };
            let client = person.with("lakesail-organization-id", &owner.organization_id);
            let path = format!("/org/members/{id}");
            async move { client.delete(&path).await }
        });
        // Who was removed meanwhile finds no organization any more, and whoever is removed already is not there.
        let _ = winner(answers.await, &[404, 409]);
        app.deliver().await;
        let dump = app.dump();
        let of_organization = |row: &&Value| row["data"]["member"]["organizationId"] == owner.organization_id.as_str();
        assert_eq!(dump.of_kind("member").filter(of_organization).count(), 1);
    }
}

/// Of a hundred who want to provision, or to change and to destroy the same thing, one starts an operation; all others are told which.
#[tokio::test(flavor = "multi_thread")]
async fn one_operation_is_at_work_on_a_cluster() {
    let app = TestApp::start().await;
    for round in 0..rounds() {
        let owner = app.sign_up(&format!("owner{round}@example.com")).await;
        let connection = app.connection(&owner, "prod").await;
        let network = app.network(&owner, &connection, "main").await;
        let place = (connection.as_str(), network.as_str());
        let pending = app.pending_cluster(&owner, place, "pending").await;
        let pending = format!("/infra/connections/{connection}/clusters/{pending}");
        let active = app.provisioned_cluster(&owner, place, "active").await;
        let active = format!("/infra/connections/{connection}/clusters/{active}");

        let answers = storm(|_| {
            let (client, path) = (owner.client.clone(), format!("{pending}/provision"));
            async move { client.post(&path, json!({})).await }
        });
        let provisioning = alone_at_work(answers.await).text("id");
        let shown = owner.get(&pending).await.expect(200).json();
        assert_eq!(shown["included"]["clusters"][0]["operationId"], provisioning.as_str());

        let answers = storm(|turn| {
            let (client, path) = (owner.client.clone(), active.clone());
            let update = json!({ "config": infrastructure::cluster_config("1.35") });
            async move { if turn % 2 == 0 { client.post(&path, update).await } else { client.delete(&path).await } }
        });
        let _ = alone_at_work(answers.await);
        app.deliver().await;
        let started = app.started_workflows();
        assert_eq!(started.iter().filter(|start| start.organization_id.as_str() == owner.organization_id).count(), 4);
    }
}

/// The one answer that started an operation. Each of the others names it.
#[track_caller]
fn alone_at_work(answers: Vec<Answer>) -> Answer {
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert_eq!(answer.problem().code, "operation_in_progress", "{answer}");
    }
    winner(answers, &[409])
}
