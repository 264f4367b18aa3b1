//! Whom the requests come from and what they ask for.

use std::time::Duration;

use axum::body::Bytes;
use mainsheet_core::role::OrganizationRole;
use mainsheet_core::{Clock, Timestamp};
use mainsheet_testkit::{Person, TestApp, build};
use serde_json::json;

/// Jobs of the organization, each with a run.
const JOBS: usize = 25;
/// The second endpoint's page of them: the list goes on behind it.
pub(super) const LIST: &str = "/workloads/jobs?limit=20";
/// How old an access token may get before it is replaced; it lasts 15 minutes.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// An organization with jobs, and somebody who may see them.
pub(super) struct Estate {
    pub(super) app: TestApp,
    pub(super) owner: Person,
    /// A member of the same organization without a team.
    pub(super) member: Person,
    /// Somebody of another organization.
    pub(super) stranger: Person,
    /// The first endpoint's path.
    pub(super) job: String,
}

impl Estate {
    pub(super) async fn found() -> Self {
        // What is compared is what each asks of the table when nothing is in the way.
        let app = TestApp::start().await.steady();
        to_the_present(&app);
        let owner = app.sign_up("owner@example.com").await;
        let member = app.member("member@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
        // Their token names the organization that they had.
        let member = member.refreshed().await;
        let stranger = app.sign_up("stranger@example.com").await;
        let cluster = owner.cluster("main").await.cluster_id;
        let mut jobs = Vec::new();
        for number in 0..JOBS {
            let key = format!("daily-sales-{number:02}");
            let job = build::with(build::job(&key, &cluster, &owner.team_id), "/config", config());
            let job = build::with(job, "/description", json!("Sales of the day before, for the dashboard."));
            let job = build::with(job, "/cronExpression", json!("30 5 * * 1-5"));
            let job = build::with(job, "/cronTimezone", json!("Europe/Berlin"));
            let id = owner.create("/workloads/jobs", job).await;
            let _ = owner.run(&id).await;
            jobs.push(id);
        }
        app.deliver().await;
        Self { job: format!("/workloads/jobs/{}", jobs[0]), app, owner, member, stranger }
    }

    /// A token of the owner's that lasts for a while.
    pub(super) async fn renew(&mut self) {
        let passed = Clock::system().now().since(self.app.now());
        if passed > FRESH {
            to_the_present(&self.app);
            self.owner = self.owner.refreshed().await;
        }
    }
}

fn config() -> serde_json::Value {
    let statement = "INSERT INTO sales.daily SELECT day, region, sum(amount) AS amount FROM sales.orders \
                     WHERE day = current_date() - INTERVAL 1 DAY GROUP BY day, region";
    json!({
        "sql": { "source": statement },
        "compute": { "worker": { "instanceType": "c8g.4xlarge", "maxNodes": 4, "capacityType": "spot" } },
        "lakesail": { "executionMode": "cluster", "maxRetries": 2, "env.STAGE": "production" },
    })
}

/// Functions go by the machine's clock. The control plane that made the rows began in the past.
fn to_the_present(app: &TestApp) {
    let (now, then) = (Clock::system().now(), app.now());
    assert!(now >= then, "this machine's clock is behind {then}");
    app.advance(now.since(then));
}

/// A request as an HTTP API sends it (payload format 2.0).
pub(super) fn event(path: &str, token: Option<&str>) -> Bytes {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = format!("{}{path}", mainsheet_testkit::BASE);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let now: Timestamp = Clock::system().now();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "ANY /api/v1/workloads/jobs/{proxy+}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip, br",
            "content-length": "0",
            "host": "api.example.com",
            "user-agent": agent,
            "x-amzn-trace-id": "Root=1-6b0d7a10-5f8a3c2e4d1b0a9f8e7d6c5b",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": agent },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "ANY /api/v1/workloads/jobs/{proxy+}",
            "stage": "$default",
            "time": "21/Nov/2026:08:30:00 +0000",
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    if let Some((name, value)) = query.split_once('=') {
        event["queryStringParameters"] = json!({ name: value });
    }
    if let Some(token) = token {
        event["headers"]["authorization"] = json!(format!("Bearer {token}"));
    }
    Bytes::from(event.to_string())
}
