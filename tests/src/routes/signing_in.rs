//! Signing in, staying signed in, and signing out.

use std::time::Duration;

use mainsheet_testkit::{Answer, PASSWORD, Person, TestApp};
use serde_json::json;

const EMAIL: &str = "ada@example.com";

async fn log_in(app: &TestApp, email: &str, password: &str) -> Answer {
    app.anonymous().post("/auth/login", json!({ "email": email, "password": password })).await
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous().post("/auth/token/refresh", json!({ "refreshToken": token })).await
}

#[tokio::test]
async fn unknown_addresses_and_wrong_passwords_are_answered_alike() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let try_one = async |email: &str| {
        let (answer, round_trips) = app.measure(log_in(&app, email, "incorrect horse battery")).await;
        (answer.expect(401).anonymous(), round_trips)
    };
    let first = try_one(EMAIL).await;
    assert_eq!(first.1, ["BatchGetItem", "TransactWriteItems", "BatchGetItem", "TransactWriteItems"]);
    for email in ["nobody@example.com", EMAIL, "nobody@example.com"] {
        assert_eq!(try_one(email).await, first, "{email}");
    }
}

/// Fails until signing in is locked: the waits on the way, in seconds. Tries during a wait count for nothing.
async fn waits(app: &TestApp, email: &str) -> (usize, Vec<u64>) {
    let (mut failures, mut waits) = (0, Vec::new());
    loop {
        let answer = log_in(app, email, "incorrect horse battery").await;
        if answer.status.as_u16() == 401 {
            failures += 1;
            continue;
        }
        let wait = answer.expect(429).header("retry-after").unwrap().parse().unwrap();
        waits.push(wait);
        if wait == 900 {
            return (failures, waits);
        }
        app.advance(Duration::from_secs(wait));
    }
}

#[tokio::test]
async fn failures_make_the_next_try_wait_whether_the_account_exists_or_not() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let expected = (10, vec![1, 2, 4, 8, 16, 32, 900]);
    assert_eq!(waits(&app, EMAIL).await, expected);
    assert_eq!(waits(&app, "nobody@example.com").await, expected);
}

#[tokio::test]
async fn the_tenth_failure_locks_for_a_quarter_of_an_hour_and_no_longer() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let _ = waits(&app, EMAIL).await;
    app.advance(Duration::from_secs(899));
    let locked = log_in(&app, EMAIL, PASSWORD).await.expect(429);
    assert!(locked.problem().retryable);
    app.advance(Duration::from_secs(1));
    let _ = log_in(&app, EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_right_password_forgets_failures() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    for _ in 0..4 {
        for _ in 0..3 {
            let _ = log_in(&app, EMAIL, "incorrect horse battery").await.expect(401);
        }
        let _ = log_in(&app, EMAIL, PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn refresh_tokens_rotate_and_using_an_old_one_ends_the_login() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let second = person.refreshed().await;
    let third = second.refreshed().await;
    assert_ne!(person.refresh_token, second.refresh_token);
    let _ = third.get("/me").await.expect(200);

    let _ = refresh(&app, &person.refresh_token).await.expect(401);
    let _ = refresh(&app, &third.refresh_token).await.expect(401);
    for tokens in [&person, &second, &third] {
        let _ = tokens.get("/me").await.expect(401);
    }
    let _ = log_in(&app, EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_refresh_token_used_twice_at_once_gives_one_answer_and_ends_the_login() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let (one, other) = tokio::join!(refresh(&app, &person.refresh_token), refresh(&app, &person.refresh_token));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    let winner = if one.status.is_success() { one } else { other };
    let _ = app.anonymous().bearer(&winner.text("accessToken")).get("/me").await.expect(401);
    let _ = refresh(&app, &winner.text("refreshToken")).await.expect(401);
}

#[tokio::test]
async fn made_up_refresh_tokens_end_nothing() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let before = app.dump();
    let (head, secrets) = person.refresh_token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", secrets.chars().rev().collect::<String>());
    for token in [forged.as_str(), head, "", "msr_A.B.C", &person.access_token] {
        let _ = refresh(&app, token).await.expect(401);
    }
    app.dump().assert_same_as(&before, "a forged refresh token");
    let _ = person.get("/me").await.expect(200);
}

#[tokio::test]
async fn access_tokens_last_fifteen_minutes_and_logins_thirty_days_after_their_last_use() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    app.advance(Duration::from_secs(15 * 60 - 1));
    let _ = person.get("/me").await.expect(200);
    app.advance(Duration::from_secs(1));
    let _ = person.get("/me").await.expect(401);

    let day = Duration::from_secs(24 * 3600);
    app.advance(day * 29);
    let person = person.refreshed().await;
    app.advance(day * 29);
    let person = person.refreshed().await;
    app.advance(day * 30);
    let _ = refresh(&app, &person.refresh_token).await.expect(401);
}

#[tokio::test]
async fn signing_out_ends_this_login_at_once_and_no_other() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let other = Person::sign_in(&app, EMAIL, PASSWORD).await;
    let _ = person.act("/auth/logout").await.expect(204);
    let _ = person.get("/me").await.expect(401);
    let _ = refresh(&app, &person.refresh_token).await.expect(401);
    let _ = other.get("/me").await.expect(200);
    let _ = refresh(&app, &other.refresh_token).await.expect(200);
}
