//! Catalogs that serve queries: in the engine's memory, and a server that speaks the Iceberg REST protocol.

use std::fs;
use std::path::PathBuf;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::harness::{Owner, Platform, eventually, text};

const TOKEN: &str = "open-sesame";

/// Serves one table of the namespace `sales`, as its own files describe it, to whoever has the token. Answers its address.
async fn iceberg_server(table: PathBuf) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(table);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn answer(State(table): State<PathBuf>, request: Request) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if token != Some(&format!("Bearer {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let body = match request.uri().path() {
        "/v1/config" => json!({ "defaults": {}, "overrides": {} }),
        "/v1/namespaces" => json!({ "namespaces": [["sales"]] }),
        "/v1/namespaces/sales" => json!({ "namespace": ["sales"], "properties": {} }),
        "/v1/namespaces/sales/tables/numbers" => loaded(&table),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(body).into_response()
}

fn loaded(table: &std::path::Path) -> Value {
    let files = fs::read_dir(table.join("metadata")).unwrap().map(|entry| entry.unwrap().path());
    let latest = files.filter(|file| file.to_string_lossy().ends_with(".metadata.json")).max().unwrap();
    let metadata: Value = serde_json::from_slice(&fs::read(&latest).unwrap()).unwrap();
    json!({ "metadata-location": format!("file://{}", latest.display()), "metadata": metadata, "config": {} })
}

/// Runs statements as a job and answers the rows of the last one.
async fn rows(owner: &Owner, job: &str) -> Value {
    // Its directory is kept, so that what it holds can be looked at.
    let run = text(
        &owner.post(&format!("/workloads/jobs/{job}/runs"), &json!({ "resourceCleanupMode": "never" })).await["id"],
    );
    let run = format!("/workloads/jobs/{job}/runs/{run}");
    let ended = owner.ended(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}\n{}", owner.get(&format!("{run}/logs")).await);
    owner.get(&format!("{run}/results")).await["rows"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_serve_queries() {
    let platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({ "name": "main" })).await;
    let team = text(&owner.get("/org/teams").await["items"][0]["team"]["id"]);
    let table = platform.folder().join("numbers");
    let lake = json!({
        "name": "lake", "provider": "iceberg_rest", "teamIds": [team],
        "configWrite": { "url": iceberg_server(table.clone()).await, "token": TOKEN, "defaultDatabase": "sales" },
    });
    let lake = text(&owner.post("/workloads/catalogs", &lake).await["id"]);
    // Everything that means something to a parser, and letters beyond ASCII beside it.
    let name = "a \"quoted\" \\name, ]} é😀";
    let memory = json!({
        "name": name, "provider": "memory", "teamIds": [team],
        "configWrite": { "initialDatabase": "retail.eu", "initialDatabaseComment": "für \"alle\"" },
    });
    let memory = text(&owner.post("/workloads/catalogs", &memory).await["id"]);

    let statements = "create table kept as select id * 2 as n from range(4); \
        select current_catalog(), current_database(), sum(n) from kept";
    let config = json!({ "sql": { "source": statements }, "lakesail": { "defaultCatalogId": memory } });
    let job = owner.job("in-memory", &cluster, config).await;
    assert_eq!(rows(&owner, &job).await, json!([[name, "retail.eu", 12]]));

    let statements = format!(
        "create table sail.default.numbers using iceberg location '{}' as select id from range(10); \
         select current_catalog(), current_database(), count(*), sum(id) from numbers",
        table.display()
    );
    let query = json!({ "name": "numbers", "queryText": statements, "catalogId": lake, "teamIds": [team] });
    let query = text(&owner.post("/workloads/queries", &query).await["id"]);
    let config = json!({ "sql": { "queryId": query }, "lakesail": { "catalogIds": [memory] } });
    let job = owner.job("rest", &cluster, config).await;
    assert_eq!(rows(&owner, &job).await, json!([["lake", "sales", 10, 45]]));

    let config =
        json!({ "sql": { "source": "select count(*) from lake.sales.numbers" }, "lakesail": { "catalogIds": [lake] } });
    let job = owner.job("named", &cluster, config).await;
    assert_eq!(rows(&owner, &job).await, json!([[10]]), "a catalog that is not the default is there by its name");
    // The agent's note of a run holds it until the run's end is settled.
    let clear = || async { files_with(&platform.data_dir(), TOKEN).is_empty().then_some(()) };
    eventually("the token is nowhere in the clear", clear).await;
    assert!(!files_with(&platform.data_dir(), "lake.sales.numbers").is_empty(), "what the runs left was looked at");
}

/// The files below a folder that contain a text.
fn files_with(folder: &std::path::Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => found.extend(files_with(&path, text)),
            // What a run leaves goes while it is looked at.
            Ok(_) => {
                let content = fs::read(&path).unwrap_or_default();
                if content.windows(text.len()).any(|part| part == text.as_bytes()) {
                    found.push(path);
                }
            }
            Err(_) => {}
        }
    }
    found
}
