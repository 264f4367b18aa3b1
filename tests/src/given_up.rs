//! Events that the relay gave up: what AWS Lambda sets aside in their place says when they came, and the relay finds them by that
//! once somebody hands it over (`infra/docs/operations.md`).

use std::time::Duration;

use mainsheet_core::Error;
use mainsheet_store::outbox::KEPT;
use mainsheet_testkit::{Fault, PASSWORD, TestApp, build};

const MINUTE: Duration = Duration::from_secs(60);

/// Somebody signs up, which is an event that asks for a mail.
async fn sign_up(app: &TestApp, name: &str) {
    let body = build::sign_up(&address(name), PASSWORD, name);
    let _ = app.anonymous().post("/auth/signup", body).await.expect(201);
}

fn address(name: &str) -> String {
    format!("{name}@example.com")
}

fn is_mailed(app: &TestApp, name: &str) -> bool {
    app.mails().iter().any(|mail| mail.0.to == address(name))
}

#[tokio::test]
async fn a_run_whose_event_was_given_up_gets_ready() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    app.deliver().await;
    let run = owner.run(&job).await;
    let message = app.give_up();
    app.deliver().await;
    assert_eq!(owner.run_state(&job, &run).await.text("status"), "pending");
    app.carry_again(&message).await.unwrap();
    app.deliver().await;
    assert_eq!(owner.run_state(&job, &run).await.text("status"), "ready");
}

#[tokio::test]
async fn an_event_is_carried_again_once() {
    let app = TestApp::start().await;
    sign_up(&app, "ada").await;
    let message = app.give_up();
    assert!(!is_mailed(&app, "ada"));
    let _ = app.take_port_calls();
    app.carry_again(&message).await.unwrap();
    assert_eq!(app.take_port_calls(), 1);
    // The message comes twice, or another one is of the same time.
    app.carry_again(&message).await.unwrap();
    assert_eq!(app.take_port_calls(), 0);
    app.deliver().await;
    assert!(is_mailed(&app, "ada"));
}

#[tokio::test]
async fn those_of_the_time_alone_are_carried_again() {
    let app = TestApp::start().await;
    sign_up(&app, "earlier").await;
    let earlier = app.give_up();
    // It begins at half past eight: these two are on both sides of an hour.
    app.advance(29 * MINUTE);
    sign_up(&app, "before").await;
    app.advance(2 * MINUTE);
    sign_up(&app, "after").await;
    let later = app.give_up();
    app.carry_again(&later).await.unwrap();
    app.deliver().await;
    assert_eq!(["earlier", "before", "after"].map(|name| is_mailed(&app, name)), [false, true, true]);
    app.carry_again(&earlier).await.unwrap();
    app.deliver().await;
    assert!(is_mailed(&app, "earlier"));
}

#[tokio::test]
async fn what_cannot_be_carried_keeps_no_other_from_it() {
    let app = TestApp::start().await;
    sign_up(&app, "ada").await;
    sign_up(&app, "grace").await;
    let message = app.give_up();
    let mailed = |app: &TestApp| ["ada", "grace"].iter().filter(|name| is_mailed(app, name)).count();
    app.fault_of_port(0, Fault::RequestLost);
    let error = app.carry_again(&message).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    app.heal();
    app.deliver().await;
    assert_eq!(mailed(&app), 1);
    let _ = app.take_port_calls();
    app.carry_again(&message).await.unwrap();
    assert_eq!(app.take_port_calls(), 1);
    app.deliver().await;
    assert_eq!(mailed(&app), 2);
}

#[tokio::test]
async fn a_message_is_good_as_long_as_events_are_kept() {
    let app = TestApp::start().await;
    sign_up(&app, "ada").await;
    let message = app.give_up();
    app.advance(KEPT + 2 * MINUTE);
    let _ = app.take_port_calls();
    app.carry_again(&message).await.unwrap();
    assert_eq!(app.take_port_calls(), 0);
    let of_something_else = app.carry_again("{}").await.unwrap_err();
    assert!(matches!(of_something_else, Error::Internal { .. }), "{of_something_else}");
}
