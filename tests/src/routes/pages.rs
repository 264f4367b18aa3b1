//! Lists in parts: driven by the document where a rule holds for all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Person, TestApp, build};
use serde_json::{Value, json};

use crate::gates::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

fn lists(world: &World) -> Vec<(Operation, Request)> {
    let all = operations(&world.app).into_iter().filter(|operation| operation.is_list);
    let found: Vec<_> = all.map(|operation| (right(&operation.id, world).unwrap(), operation)).collect();
    assert!(found.len() > 4);
    found.into_iter().map(|(request, operation)| (operation, request)).collect()
}

fn takes(operation: &Operation, parameter: &str) -> bool {
    operation.parameters.iter().any(|name| name == parameter)
}

#[tokio::test]
async fn parameters_out_of_their_range_are_refused_by_name() {
    let world = World::start().await;
    for (operation, request) in lists(&world) {
        let get = |query: &str| {
            let joint = if request.path.contains('?') { '&' } else { '?' };
            let path = format!("{}{joint}{query}", request.path);
            let owner = world.owner.client.clone();
            async move { owner.get(&path).await }
        };
        for limit in ["101", "-1", "abc", "", "4294967296", "1e2", "0x10"] {
            get(&format!("limit={limit}")).await.assert_names_field("limit");
        }
        let none = get("limit=0").await.expect(200).json();
        assert_eq!(none["items"], json!([]), "{}", operation.id);
        let all = get("limit=100").await.expect(200).json();
        // Lists that show only some of what the organization has know how many there are once they end.
        assert!(none["total"].is_null() || none["total"] == all["total"], "{}", operation.id);
        assert_eq!(get("unknown=1&limit=100").await.expect(200).json(), all, "unknown parameters are ignored");
        if takes(&operation, "page") {
            for page in ["0", "-1", "abc", "10002", "4294967295"] {
                get(&format!("page={page}")).await.assert_names_field("page");
            }
            assert_eq!(get("page=10001&limit=1").await.expect(200).json()["items"], json!([]));
            let far = get("page=10001&limit=100").await;
            let refused = far.status.as_u16() == 422;
            assert!(refused || far.json()["items"] == json!([]), "{far}");
        }
        if takes(&operation, "marker") {
            for marker in ["x", "e30", "bm90IGpzb24", "%00", "%F0%9F%9A%A2"] {
                let refused = get(&format!("marker={marker}")).await.expect(400);
                assert_eq!(refused.problem().code, "invalid_marker", "{refused}");
            }
            get(&format!("marker={}", "A".repeat(1025))).await.assert_names_field("marker");
            if takes(&operation, "page") {
                let _ = get("page=1&marker=x").await.expect(400);
            }
        }
    }
}

/// Seven of everything that can be listed.
async fn seven(app: &TestApp, email: &str) -> (Person, Vec<(String, &'static str)>) {
    let owner = app.sign_up(email).await;
    let cluster = owner.cluster("main").await.cluster_id;
    let job = owner.job("of-runs", &cluster).await;
    for number in 0..7 {
        app.advance(Duration::from_millis(10));
        let _ = owner.post("/org/teams", build::team(&format!("team {number}"))).await.expect(201);
        let _ = owner.post("/workloads/clusters", build::cluster(&format!("cluster {number}"))).await.expect(201);
        let _ = owner.query(&format!("query {number}")).await;
        let _ = owner.job(&format!("job-{number}"), &cluster).await;
        let _ = owner.run(&job).await;
    }
    app.deliver().await;
    let lists = vec![
        ("/org/teams".to_owned(), "/team/id"),
        ("/workloads/queries".to_owned(), "/queryId"),
        ("/workloads/jobs".to_owned(), "/jobId"),
        (format!("/workloads/jobs/{job}/runs"), "/id"),
        ("/me/clusters".to_owned(), "/id"),
    ];
    (owner, lists)
}

fn ids(page: &Value, id: &str) -> Vec<String> {
    let id = |item: &Value| {
        item.pointer(id).and_then(Value::as_str).unwrap_or_else(|| panic!("no {id} in {item}")).to_owned()
    };
    page["items"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn walking_through_a_list_meets_every_item_once() {
    let app = TestApp::start().await;
    let (owner, lists) = seven(&app, "owner@example.com").await;
    for (path, id) in lists {
        let whole = owner.get(&path).await.expect(200).json();
        let expected = ids(&whole, id);
        assert!(expected.len() >= 7 && expected.len() as u64 == whole["total"].as_u64().unwrap(), "{path}: {whole}");
        assert_eq!(expected.iter().collect::<BTreeSet<_>>().len(), expected.len(), "{path}");
        let has_markers = owner.get(&format!("{path}?limit=3")).await.expect(200).json()["marker"].is_string();
        if has_markers {
            assert_eq!(by_marker(&owner, &path, id).await, expected, "{path} by marker");
        }
        if path != "/me/clusters" && path.ends_with("/runs") {
            continue;
        }
        let mut by_page = Vec::new();
        for page in 1..=4 {
            by_page.extend(ids(&owner.get(&format!("{path}?limit=3&page={page}")).await.expect(200).json(), id));
        }
        assert_eq!(by_page, expected, "{path} by page");
    }
}

async fn by_marker(owner: &Person, path: &str, id: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut marker = String::new();
    loop {
        let page = owner.get(&format!("{path}?limit=3{marker}")).await.expect(200).json();
        let items = ids(&page, id);
        assert!(!items.is_empty() && items.len() <= 3, "{path}: no page is empty");
        found.extend(items);
        match page["marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_marker_is_good_for_its_own_list_of_its_own_organization_for_a_day() {
    let app = TestApp::start().await;
    let (owner, lists) = seven(&app, "owner@example.com").await;
    let (stranger, _) = seven(&app, "stranger@example.com").await;
    let marked: Vec<&String> = lists.iter().map(|(path, _)| path).filter(|path| *path != "/me/clusters").collect();
    let mut markers = Vec::new();
    for path in &marked {
        let page = owner.get(&format!("{path}?limit=3")).await.expect(200).json();
        markers.push(page["marker"].as_str().unwrap_or_else(|| panic!("{path} has no marker")).to_owned());
    }
    let use_it = async |person: &Person, path: &str, marker: &str| {
        person.get(&format!("{path}?limit=3&marker={marker}")).await.status.as_u16()
    };
    for (at, marker) in markers.iter().enumerate() {
        for (of, path) in marked.iter().enumerate() {
            assert_eq!(use_it(&owner, path, marker).await, if at == of { 200 } else { 400 }, "{path}");
        }
        if !marked[at].ends_with("/runs") {
            assert_eq!(use_it(&stranger, marked[at], marker).await, 400, "another organization's marker");
        }
        let mut forged = marker.clone().into_bytes();
        forged[marker.len() / 2] = if forged[marker.len() / 2] == b'A' { b'B' } else { b'A' };
        assert_eq!(use_it(&owner, marked[at], &String::from_utf8(forged).unwrap()).await, 400);
    }
    assert_eq!(use_it(&owner, "/org/teams", &format!("{}&sortDirection=desc", markers[0])).await, 400);
    let day = Duration::from_secs(24 * 3600);
    app.advance(day);
    let owner = owner.refreshed().await;
    assert_eq!(use_it(&owner, marked[0], &markers[0]).await, 200);
    app.advance(Duration::from_secs(1));
    assert_eq!(use_it(&owner, marked[0], &markers[0]).await, 400);
}

/// A second team, and somebody who sits in it and in the owner's.
async fn colleague(app: &TestApp, owner: &Person) -> (String, Person) {
    let team = owner.post("/org/teams", build::team("second")).await.expect(201).json();
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    let seats = [&owner.team_id, &team].map(|team| (team.as_str(), TeamRole::Viewer));
    let ada = app.member("ada@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    (team, ada)
}

#[tokio::test]
async fn a_marker_is_good_for_what_its_list_keeps_alone() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let clusters = [owner.cluster("one").await.cluster_id, owner.cluster("other").await.cluster_id];
    let (second, ada) = colleague(&app, &owner).await;
    let teams = [owner.team_id.clone(), second.clone()];
    for number in 0..4 {
        app.advance(Duration::from_millis(10));
        let job = build::job(&format!("job-{number}"), &clusters[number % 2], &owner.team_id);
        let job = owner.create("/workloads/jobs", build::with(job, "/teamIds", json!(teams))).await;
        let _ = owner.run(&job).await;
        let query = build::query(&format!("query {number}"), &owner.team_id);
        let _ = owner.create("/workloads/queries", build::with(query, "/teamIds", json!(teams))).await;
    }
    app.deliver().await;
    let of_all = ["/workloads/jobs", "/workloads/queries"].map(|path| (&owner, format!("{path}?limit=1")));
    let of_clusters = clusters.iter().map(|cluster| (&owner, format!("/workloads/clusters/{cluster}/jobs?limit=1")));
    let of_teams = teams
        .iter()
        .flat_map(|team| ["jobs", "queries"].map(|what| (&owner, format!("/workloads/teams/{team}/{what}?limit=1"))));
    let of_people = [&owner, &ada].into_iter().flat_map(|person| {
        ["/me/jobs?sortBy=createdAt&", "/me/queries?sortBy=name&", "/me/jobs/runs?"]
            .map(|path| (person, format!("{path}limit=1")))
    });
    let lists: Vec<(&Person, String)> =
        of_all.into_iter().chain(of_clusters).chain(of_teams).chain(of_people).collect();
    let mut markers = Vec::new();
    for (person, path) in &lists {
        let page = person.get(path).await.expect(200).json();
        markers.push(page["marker"].as_str().unwrap_or_else(|| panic!("{path} has no marker")).to_owned());
    }
    for (at, marker) in markers.iter().enumerate() {
        for (of, (person, path)) in lists.iter().enumerate() {
            let status = person.get(&format!("{path}&marker={marker}")).await.status.as_u16();
            assert_eq!(status, if at == of { 200 } else { 400 }, "{path} by the marker of {}", lists[at].1);
        }
    }
    // One's own lists go on although one's teams are others by then.
    let members = owner.get("/org/members").await.expect(200).json();
    let member =
        members["items"].as_array().unwrap().iter().find(|item| item["userId"] == ada.user_id.as_str()).unwrap();
    let seat = format!("/org/teams/{second}/members/{}", member["memberId"].as_str().unwrap());
    let _ = owner.delete(&seat).await.expect(204);
    for ((_, path), marker) in lists.iter().zip(&markers).filter(|((person, _), _)| person.user_id == ada.user_id) {
        let rest = ada.get(&format!("{path}&marker={marker}")).await.expect(200).json();
        assert_eq!(rest["items"].as_array().unwrap().len(), 1, "{path}");
    }
    app.deliver().await;
}

#[tokio::test]
async fn what_is_deleted_between_two_pages_shifts_nothing() {
    let app = TestApp::start().await;
    let (owner, _) = seven(&app, "owner@example.com").await;
    let first = owner.get("/workloads/queries?limit=3").await.expect(200).json();
    let last = ids(&first, "/queryId").pop().unwrap();
    let _ = owner.delete(&format!("/workloads/queries/{last}")).await.expect(204);
    let marker = first["marker"].as_str().unwrap();
    let rest = owner.get(&format!("/workloads/queries?limit=100&marker={marker}")).await.expect(200).json();
    assert_eq!(ids(&rest, "/queryId").len(), 4);
}

#[tokio::test]
async fn a_page_of_large_things_is_cut_and_goes_on_by_marker() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    for number in 0..20 {
        app.advance(Duration::from_millis(10));
        let body = build::job(&format!("job-{number}"), &cluster, &owner.team_id);
        let source = json!(format!("SELECT '{}'", "x".repeat(65_000)));
        let _ = owner.create("/workloads/jobs", build::with(body, "/config/sql/source", source)).await;
    }
    for path in ["/workloads/jobs", "/me/jobs"] {
        let mut found = BTreeSet::new();
        let mut marker = String::new();
        let mut pages = 0;
        loop {
            let answer = owner.get(&format!("{path}?limit=100{marker}")).await.expect(200);
            assert!(answer.body.len() < 2 * 1024 * 1024);
            let page = answer.json();
            let items = ids(&page, "/jobId");
            assert!(!items.is_empty());
            found.extend(items);
            pages += 1;
            match page["marker"].as_str() {
                Some(next) => marker = format!("&marker={next}"),
                None => break,
            }
        }
        assert_eq!((found.len(), pages), (20, 2), "{path}");
        // Whoever counts pages would miss what was cut off.
        owner.get(&format!("{path}?limit=100&page=1")).await.assert_names_field("limit");
        assert_eq!(ids(&owner.get(&format!("{path}?limit=10&page=2")).await.expect(200).json(), "/jobId").len(), 10);
    }
    app.deliver().await;
}
