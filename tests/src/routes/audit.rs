//! The audit log: what stands in it, and that it cannot be changed unseen.

use std::time::Duration;

use mainsheet_auth::audit_verify::{Jwks, Signature, verify};
use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{PASSWORD, Person, SecondFactor, TestApp, build};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

fn actions(page: &Value) -> Vec<&str> {
    items(page).iter().map(|item| item["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_was_done_is_listed_newest_first_with_who_where_and_what_changed() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    app.advance(Duration::from_secs(1));
    let browser = owner.with("user-agent", "a browser");
    let _ =
        browser.patch("/org", json!({ "settings": { "auth": { "checkBreachedPasswords": false } } })).await.expect(200);
    let log = owner.get("/org/audit-log").await.expect(200).json();
    let newest = &items(&log)[0];
    assert_eq!((&newest["action"], &newest["target"]), (&json!("organization.update"), &json!(owner.organization_id)));
    assert_eq!(
        (&newest["actor"]["userId"], &newest["origin"]["userAgent"]),
        (&json!(owner.user_id), &json!("a browser"))
    );
    let changed = &newest["details"];
    assert_eq!(changed["before"]["settings"], json!({ "auth": { "checkBreachedPasswords": true } }));
    assert_eq!(changed["after"]["settings"], json!({ "auth": { "checkBreachedPasswords": false } }));
    // Two of one millisecond are in no particular order.
    let mut first = actions(&log)[1..].to_vec();
    first.sort_unstable();
    assert_eq!(first, ["login.create", "organization.sign_up", "user.verify_email"]);
}

#[tokio::test]
async fn tries_to_sign_in_that_fail_are_told_whichever_factor_was_wrong() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let ada = app.member("ada@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let _ = SecondFactor::set_up(&app, &ada.client).await;
    let anonymous = app.anonymous().with("user-agent", "a guesser");
    let log_in = async |email: &str, password: &str| {
        anonymous.post("/auth/login", json!({ "email": email, "password": password })).await
    };
    let failures = async || {
        let log = owner.get("/org/audit-log?action=login.fail").await.expect(200).json();
        for item in items(&log) {
            assert_eq!((&item["actor"], &item["target"]), (&json!({ "type": "platform" }), &json!(ada.user_id)));
            assert_eq!(item["origin"]["userAgent"], "a guesser");
        }
        items(&log).len()
    };
    let _ = log_in("nobody@example.com", "incorrect horse battery").await.expect(401);
    let challenge = log_in("ada@example.com", PASSWORD).await.expect(200).text("challengeToken");
    assert_eq!(failures().await, 0);
    let _ = log_in("ada@example.com", "incorrect horse battery").await.expect(401);
    assert_eq!(failures().await, 1);
    let code = json!({ "email": "ada@example.com", "code": "000000" });
    let _ = anonymous.post("/auth/login/code/verify", code).await.expect(401);
    assert_eq!(failures().await, 2);
    let factor = json!({ "challengeToken": challenge, "recoveryCode": "aaaa-bbbb-cccc-dddd" });
    let _ = anonymous.post("/auth/mfa/verify", factor).await.expect(401);
    assert_eq!(failures().await, 3);
    // What has to wait is not looked at.
    for status in [401, 401, 429] {
        let _ = log_in("ada@example.com", "incorrect horse battery").await.expect(status);
    }
    assert_eq!(failures().await, 5);
    app.deliver().await;
}

#[tokio::test]
async fn what_somebody_may_do_is_told_as_it_was_and_as_it_is() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let team = owner.team_id.clone();
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let id = super::members::member_id(&owner, "bob@").await;
    let seat = format!("/org/teams/{team}/members/{id}");
    let roles = |roles: &[&str]| json!({ "roleIds": roles });
    let _ = owner.put(&format!("/org/members/{id}/roles"), roles(&["BILLING"])).await.expect(204);
    let _ = owner.post(&seat, roles(&["VIEWER"])).await.expect(201);
    let _ = owner.put(&format!("{seat}/roles"), roles(&["EDITOR"])).await.expect(204);
    let _ = owner.delete(&seat).await.expect(204);
    let _ = owner.patch(&format!("/org/members/{id}"), json!({ "isEnabled": false })).await.expect(200);
    let _ = owner.patch(&format!("/org/teams/{team}"), json!({ "defaultRoleId": "VIEWER" })).await.expect(200);
    let told = async |action: &str| {
        let log = owner.get(&format!("/org/audit-log?action={action}")).await.expect(200).json();
        items(&log)[0]["details"].clone()
    };
    let of_team = |roles: &[&str]| json!({ "teamRoleIds": { team.as_str(): roles } });
    let change = |before: Value, after: Value| json!({ "before": before, "after": after });
    assert_eq!(told("member.set_roles").await, change(roles(&["MEMBER"]), roles(&["BILLING"])));
    let none = json!({ "teamRoleIds": {} });
    assert_eq!(told("team_member.add").await, change(none.clone(), of_team(&["VIEWER"])));
    assert_eq!(told("team_member.set_roles").await, change(of_team(&["VIEWER"]), of_team(&["EDITOR"])));
    assert_eq!(told("team_member.remove").await, change(of_team(&["EDITOR"]), none));
    assert_eq!(told("member.update").await["after"]["isEnabled"], false);
    assert_eq!(told("team.update").await["before"]["defaultRoleId"], "EDITOR");
    drop(bob);
}

#[tokio::test]
async fn targets_are_ids() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let made = [
        ("cluster.register", cluster.clone()),
        ("job.create", owner.job("daily", &cluster).await),
        ("query.create", owner.query("daily").await),
        ("catalog.create", owner.create("/workloads/catalogs", build::catalog("main", &owner.team_id)).await),
    ];
    for (action, id) in made {
        let log = owner.get(&format!("/org/audit-log?action={action}")).await.expect(200).json();
        assert_eq!(items(&log)[0]["target"], id, "{action}");
    }
    app.deliver().await;
}

#[tokio::test]
async fn records_are_found_by_actor_action_target_and_time() {
    let app = TestApp::start().await;
    let began = app.now();
    let (owner, stranger) = (app.sign_up("owner@example.com").await, app.sign_up("stranger@example.com").await);
    app.advance(Duration::from_secs(60));
    let from = app.now();
    let team = owner.post("/org/teams", build::team("Data")).await.expect(201).json();
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    app.advance(Duration::from_secs(60));
    let admin = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let _ = admin.post("/org/teams", build::team("Other")).await.expect(201);
    let found = async |query: &str| -> Value { owner.get(&format!("/org/audit-log?{query}")).await.expect(200).json() };
    assert_eq!(actions(&found("action=team.create").await).len(), 2);
    assert_eq!(actions(&found(&format!("actor={}", admin.user_id)).await), ["team.create"]);
    assert_eq!(actions(&found(&format!("target={team}")).await), ["team.create"]);
    assert_eq!(actions(&found(&format!("from={from}&to={}", from + Duration::from_millis(1))).await), ["team.create"]);
    assert_eq!(items(&found(&format!("target={}", stranger.organization_id)).await).len(), 0);
    let _ = owner.get(&format!("/org/audit-log?from={from}&to={from}")).await.expect(422);
    let _ = owner.get("/org/audit-log?from=yesterday").await.expect(422);
    // Within the present month and without: what is yet to come, and what was before the organization.
    for nothing in [
        format!("from={}", app.now() + Duration::from_secs(1)),
        "from=9999-12-30T00:00:00Z".to_owned(),
        format!("to={}", began - Duration::from_secs(1)),
        "to=1970-01-01T00:00:00Z".to_owned(),
    ] {
        assert_eq!(items(&found(&nothing).await).len(), 0, "{nothing}");
    }
    let member = app.member("member@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let refused = member.get("/org/audit-log").await.expect(403).problem();
    assert!(refused.message.contains("CanViewAuditLog"), "{refused:?}");
}

#[tokio::test]
async fn pages_go_back_over_months_and_belong_to_their_filters() {
    let app = TestApp::start().await;
    let mut owner = app.sign_up("owner@example.com").await;
    for month in 0..3 {
        for number in 0..2 {
            let _ = owner.post("/org/teams", build::team(&format!("{month} {number}"))).await.expect(201);
            app.advance(Duration::from_secs(1));
        }
        app.advance(DAY * 40);
        owner = Person::sign_in(&app, &owner.email, PASSWORD).await;
    }
    let (mut seen, mut marker) = (Vec::new(), String::new());
    for _ in 0..10 {
        let page = owner.get(&format!("/org/audit-log?action=team.create&limit=1{marker}")).await.expect(200).json();
        seen.extend(items(&page).iter().map(|item| item["at"].as_str().unwrap().to_owned()));
        match page["marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|one, other| one > other), "{seen:?}");
    let refused = owner.get(&format!("/org/audit-log?limit=1{marker}")).await.expect(400).problem();
    assert_eq!(refused.code, "invalid_marker");
    let none = owner.get("/org/audit-log?limit=0").await.expect(200).json();
    assert_eq!(none, json!({ "items": [] }));
}

/// The whole log as `infra/docs/audit.md` says.
async fn export(owner: &Person) -> Vec<Value> {
    let mut lines = Vec::new();
    for (path, kind) in [("/org/audit-log", "record"), ("/org/audit-log/blocks", "block")] {
        let mut marker = String::new();
        loop {
            let page = owner.get(&format!("{path}?limit=7{marker}")).await.expect(200).json();
            lines.extend(items(&page).iter().map(|item| json!({ kind: item })));
            match page["marker"].as_str() {
                Some(next) => marker = format!("&marker={next}"),
                None => break,
            }
        }
    }
    lines.push(json!({ "checkpoint": owner.get("/org/audit-log/checkpoint").await.expect(200).text("checkpoint") }));
    lines
}

async fn jwks(app: &TestApp) -> Jwks {
    let keys = app.store().public_keys().await.unwrap();
    serde_json::from_value(json!({ "keys": keys })).unwrap()
}

fn check(lines: &[Value], keys: Option<&Jwks>) -> Result<mainsheet_auth::audit_verify::Verified, String> {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    verify(lines.iter().map(String::as_str), keys)
}

/// An organization with a log of two blocks and a record that is too young for one.
async fn sealed_log(app: &TestApp) -> Person {
    let owner = app.sign_up("owner@example.com").await;
    for number in 0..3 {
        let _ = owner.post("/org/teams", build::team(&format!("{number}"))).await.expect(201);
        app.advance(Duration::from_secs(1));
    }
    assert!(app.tick().await.sealed >= 5);
    let _ = owner.patch("/org", json!({ "name": "Renamed" })).await.expect(200);
    assert_eq!(app.tick().await.sealed, 1);
    assert_eq!(app.tick().await.sealed, 0, "what is sealed is sealed");
    app.advance(Duration::from_secs(1));
    let _ = owner.patch("/org", json!({ "name": "Renamed again" })).await.expect(200);
    owner
}

#[tokio::test]
async fn an_export_is_verified_by_the_published_keys() {
    // A block is what one read of the log holds.
    let app = TestApp::start().await.steady();
    let owner = sealed_log(&app).await;
    let lines = export(&owner).await;
    let verified = check(&lines, Some(&jwks(&app).await)).unwrap();
    assert_eq!((verified.records, verified.blocks, verified.unsealed, verified.covered), (7, 2, 1, 2));
    assert_eq!((verified.signature, check(&lines, None).unwrap().signature), (Signature::Holds, Signature::Unchecked));
    let stranger = app.sign_up("stranger@example.com").await;
    let empty = export(&stranger).await;
    assert_eq!(check(&empty, None).unwrap().blocks, 0);
}

#[tokio::test]
async fn whatever_is_changed_left_out_put_in_or_moved_is_found() {
    // A block is what one read of the log holds.
    let app = TestApp::start().await.steady();
    let owner = sealed_log(&app).await;
    let keys = jwks(&app).await;
    let lines = export(&owner).await;
    let records = lines.iter().filter(|line| line.get("record").is_some()).count();
    let blocks = lines.len() - 1 - records;
    assert!(check(&lines, Some(&keys)).is_ok());

    // The newest record has no block yet; every other one is fixed.
    for index in 1..records {
        let without = [&lines[..index], &lines[index + 1..]].concat();
        assert!(check(&without, Some(&keys)).unwrap_err().contains("missing"));
        let mut changed = lines.clone();
        changed[index]["record"]["target"] = json!("ANOTHER");
        assert!(check(&changed, Some(&keys)).unwrap_err().contains("was changed"));
        let mut moved = lines.clone();
        moved.swap(index, index - 1);
        assert!(check(&moved, Some(&keys)).unwrap_err().contains("out of order"));
    }
    let mut put_in = lines.clone();
    let mut forged = lines[records - 1]["record"].clone();
    forged["id"] = json!("00000000000000000001");
    forged["at"] = json!("2026-01-01T00:00:00.000Z");
    forged.as_object_mut().unwrap().remove("block");
    put_in.insert(records, json!({ "record": forged }));
    assert!(check(&put_in, Some(&keys)).unwrap_err().contains("put in afterwards"));
    for index in records..records + blocks {
        let without = [&lines[..index], &lines[index + 1..]].concat();
        assert!(check(&without, Some(&keys)).is_err());
        let mut changed = lines.clone();
        changed[index]["block"]["records"].as_array_mut().unwrap().pop();
        assert!(check(&changed, Some(&keys)).is_err());
    }
}

#[tokio::test]
async fn a_checkpoint_is_good_for_later_exports_of_its_log_alone() {
    // A block is what one read of the log holds.
    let app = TestApp::start().await.steady();
    let owner = sealed_log(&app).await;
    let keys = jwks(&app).await;
    let kept = export(&owner).await.pop().unwrap();
    let _ = app.tick().await;
    let mut later = export(&owner).await;
    *later.last_mut().unwrap() = kept.clone();
    let verified = check(&later, Some(&keys)).unwrap();
    assert_eq!((verified.blocks, verified.covered), (3, 2));

    let other = app.sign_up("other@example.com").await;
    let _ = app.tick().await;
    let mut foreign = export(&other).await;
    *foreign.last_mut().unwrap() = kept.clone();
    assert!(check(&foreign, Some(&keys)).unwrap_err().contains("another organization"));
    let mut forged = later.clone();
    let text = kept["checkpoint"].as_str().unwrap();
    *forged.last_mut().unwrap() = json!({ "checkpoint": format!("{}AAAA", &text[..text.len() - 4]) });
    assert!(check(&forged, Some(&keys)).unwrap_err().contains("signature"));
    *forged.last_mut().unwrap() = json!({ "checkpoint": owner.access_token });
    assert!(check(&forged, Some(&keys)).unwrap_err().contains("another purpose"));
}

#[tokio::test]
async fn ticks_at_the_same_moment_seal_each_record_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    for number in 0..120 {
        let _ = owner.post("/org/teams", build::team(&format!("{number}"))).await.expect(201);
    }
    let (store, now) = (app.store(), app.now());
    while sealed_by(tokio::join!(store.seal_audit(now), store.seal_audit(now), store.seal_audit(now))) > 0 {}
    let verified = check(&export(&owner).await, Some(&jwks(&app).await)).unwrap();
    assert_eq!((verified.records, verified.unsealed), (123, 0));
    app.deliver().await;
}

/// Records that ticks sealed together; one that lost against another sealed none.
fn sealed_by(ticks: (Sealed, Sealed, Sealed)) -> usize {
    ticks.0.unwrap() + ticks.1.unwrap() + ticks.2.unwrap()
}

type Sealed = mainsheet_core::Result<usize>;
