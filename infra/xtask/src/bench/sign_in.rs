//! What `POST /auth/login` takes with an address that has an account, beside one that has none: whoever guesses addresses must not
//! hear from the clock which ones are right.

use std::time::{Duration, Instant};

use mainsheet_testkit::{PASSWORD, TestApp};
use serde_json::json;

use super::table::Line;
use super::timing::milliseconds;

/// What a wrong password for a known address may take, in terms of any for an unknown one.
const BAR: std::ops::RangeInclusive<f64> = 0.95..=1.05;
/// Tries of each kind.
const TRIES: usize = 200;
/// Tries that come first and do not count.
const WARM_UP: usize = 10;
/// Between tries, by the injected clock: failures are forgotten, so none has to wait.
const PAUSE: Duration = Duration::from_secs(2 * 3600);

/// Who tries: address, password, and what they get. Who gets in is somebody of their own, because that forgets failures, and whose
/// failures are forgotten is counted anew.
const UNKNOWN: (&str, &str, u16) = ("bob@example.com", "no harbour for wrong words", 401);
const WRONG: (&str, &str, u16) = ("ada@example.com", "no harbour for wrong words", 401);
const RIGHT: (&str, &str, u16) = ("eve@example.com", PASSWORD, 200);

pub(super) async fn measure() -> Vec<Line> {
    let app = TestApp::start_without_proxy().await;
    for (email, ..) in [WRONG, RIGHT] {
        let _ = app.sign_up(email).await;
    }
    let kinds = [UNKNOWN, WRONG, RIGHT];
    let mut times = [const { Vec::new() }; 3];
    for count in 0..WARM_UP + TRIES {
        // Each kind is as often first as last.
        for turn in 0..kinds.len() {
            let kind = (count + turn) % kinds.len();
            let time = sign_in(&app, kinds[kind]).await;
            if count >= WARM_UP {
                times[kind].push(milliseconds(time));
            }
        }
    }
    app.deliver().await;
    let [unknown, wrong, right] = times;
    let wrong = Line::ratio_within("  known address with a wrong password / unknown address", &wrong, &unknown, BAR);
    // Tells nothing to somebody who guesses: it takes the password, and a login is written.
    let right = right.iter().zip(&unknown).map(|(right, unknown)| right / unknown).collect();
    let right = Line::shown("  known address with its password / unknown address", "x", right);
    vec![Line::shown("POST /auth/login with an unknown address", "ms", unknown), wrong, right]
}

async fn sign_in(app: &TestApp, (email, password, status): (&str, &str, u16)) -> Duration {
    app.advance(PAUSE);
    let client = app.anonymous();
    let body = json!({ "email": email, "password": password });
    let begin = Instant::now();
    let answer = client.post("/auth/login", body).await;
    let time = begin.elapsed();
    let _ = answer.expect(status);
    time
}
