//! Sign-in and membership.

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{Answer, PASSWORD, Person, SecondFactor, TestApp};
use serde_json::{Value, json};

use super::{rounds, storm, winner};
use crate::routes::members::member_id;

#[tokio::test(flavor = "multi_thread")]
async fn one_invitation_makes_one_member() {
    let app = TestApp::start_patient().await.steady();
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
    let app = TestApp::start_patient().await.steady();
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
    let app = TestApp::start_patient().await.steady();
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
    let app = TestApp::start_patient().await.steady();
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
    let app = TestApp::start_patient().await.steady();
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
