//! The first proof that an address is its owner's, of an account that others put their things into. The operations are tried with
//! accounts that have nothing to lose.

use std::time::Duration;

use mainsheet_testkit::provider::TestProvider;
use serde_json::json;

use super::report;
use super::stage::{Again, Stage, Trial};
use crate::routes::first_proofs::{EMAIL, Planted, mailed_codes};
use crate::routes::new_passwords::{NEW, reset_token};

/// Proves the address with each fault, and in the end without one, which has to leave nothing of others.
async fn prove(planted: &Planted, trial: &Trial<'_>) {
    let app = &planted.app;
    let provider = TestProvider::start(app.now()).await;
    let stage = Stage::set(app, &provider).await;
    report(trial.name, Box::pin(stage.try_out(trial)).await);
    let _ = (trial.request)().send().await.expect(trial.success);
    app.advance(Duration::from_secs(1));
    planted.assert_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_a_link_that_confirms_the_address_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let body = json!({ "token": planted.link });
    let request = || planted.app.anonymous().call("POST", "/auth/email/verify").json(&body);
    prove(&planted, &Trial { name: "a link that confirms", request: &request, success: 204, again: Again::Same }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_a_mailed_code_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let code = mailed_codes(&planted.app, EMAIL).await.pop().unwrap();
    let body = json!({ "email": EMAIL, "code": code });
    let request = || planted.app.anonymous().call("POST", "/auth/login/code/verify").json(&body);
    prove(&planted, &Trial { name: "a mailed code", request: &request, success: 200, again: Again::Refused(401) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_a_link_that_sets_a_new_password_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let body = json!({ "token": reset_token(&planted.app, EMAIL).await, "newPassword": NEW });
    let request = || planted.app.anonymous().call("POST", "/auth/password/reset").json(&body);
    let trial = Trial { name: "a link for a password", request: &request, success: 204, again: Again::Refused(400) };
    prove(&planted, &trial).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_an_invitation_that_was_mailed_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let (_, path) = planted.invite().await;
    let request = || planted.other.call("POST", &path).json(&json!({}));
    let trial = Trial { name: "a mailed invitation", request: &request, success: 200, again: Again::Refused(404) };
    prove(&planted, &trial).await;
}
