//! An identity provider on this machine that does what a test wants: discovery, keys, tokens, userinfo, registration, logout.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainsheet_core::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};

use crate::key::{TestKey, sha256};

/// The client that is registered by hand.
pub const CLIENT_ID: &str = "mainsheet";
/// Its secret: what has to be escaped in a header is in it.
pub const CLIENT_SECRET: &str = "a secret:of+the/client";
/// What lets clients register themselves.
pub const INITIAL_ACCESS_TOKEN: &str = "an initial access token";

/// An identity provider.
#[derive(Clone)]
pub struct TestProvider {
    /// Its name for itself, and where it is.
    pub issuer: String,
    inner: Arc<Mutex<Inner>>,
}

/// Codes that were given out and not traded yet, with what each was asked for with.
pub type Codes = HashMap<String, HashMap<String, String>>;

struct Inner {
    key: TestKey,
    now: Timestamp,
    clients: HashMap<String, String>,
    codes: Codes,
    /// Changes the discovery document, ID tokens' headers and claims, and what userinfo tells.
    discovery: Value,
    header: Value,
    claims: Value,
    userinfo: Value,
    registered: Vec<Value>,
}

impl TestProvider {
    /// A provider whose present is `now`. Whoever signs in there is Grace.
    pub async fn start(now: Timestamp) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let grace = json!({ "sub": "grace", "sid": "session 1", "email": "grace@example.com", "email_verified": true,
                            "given_name": "Grace", "family_name": "Hopper" });
        let inner = Inner {
            key: TestKey::generate(),
            now,
            clients: HashMap::from([(CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())]),
            codes: HashMap::new(),
            discovery: json!({}),
            header: json!({}),
            claims: grace,
            userinfo: json!({}),
            registered: Vec::new(),
        };
        let provider = Self { issuer, inner: Arc::new(Mutex::new(inner)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/register", post(register))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Says something else in its discovery document; `null` takes an entry out.
    pub fn discovery(&self, changes: Value) {
        self.inner().discovery = changes;
    }

    /// Writes something else into ID tokens' headers.
    pub fn header(&self, changes: Value) {
        self.inner().header = changes;
    }

    /// Says something else of the person, or of the ID token itself; `null` takes a claim out.
    pub fn claims(&self, changes: Value) {
        merge(&mut self.inner().claims, changes);
    }

    /// What its userinfo endpoint tells besides `sub`.
    pub fn userinfo(&self, claims: Value) {
        self.inner().userinfo = claims;
    }

    /// What clients registered themselves with.
    #[must_use]
    pub fn registered(&self) -> Vec<Value> {
        self.inner().registered.clone()
    }

    /// The codes that can be traded.
    #[must_use]
    pub fn codes(&self) -> Codes {
        self.inner().codes.clone()
    }

    /// Goes back to the codes of a moment, as [`crate::TestApp::restore`] does with the table.
    pub fn restore(&self, codes: &Codes) {
        self.inner().codes.clone_from(codes);
    }

    /// The person signs in at the page that a browser was sent to: where the browser is sent back to.
    #[must_use]
    pub fn sign_in(&self, location: &str) -> String {
        let url = Url::parse(location).unwrap();
        assert!(location.starts_with(&format!("{}/authorize?", self.issuer)), "{location}");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((query["response_type"].as_str(), query["code_challenge_method"].as_str()), ("code", "S256"));
        let code = format!("code {}", self.inner().codes.len());
        let mut back = Url::parse(&query["redirect_uri"]).unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &query["state"])
            .append_pair("iss", &self.issuer);
        self.inner().codes.insert(code, query);
        back.into()
    }

    /// A logout token of the person's session.
    #[must_use]
    pub fn logout_token(&self, changes: Value) -> String {
        let inner = self.inner();
        let event = "http://schemas.openid.net/event/backchannel-logout";
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "iat": inner.now.as_second(), "exp": inner.now.as_second() + 120,
            "jti": "logout 1", "sub": inner.claims["sub"], "sid": inner.claims["sid"], "events": { event: {} },
        });
        let mut header = json!({ "typ": "logout+jwt", "alg": "ES256", "kid": "one" });
        let mut changes = changes;
        merge(&mut header, changes["header"].take());
        changes.as_object_mut().unwrap().remove("header");
        merge(&mut claims, changes);
        inner.key.sign(&header, &claims)
    }
}

fn merge(into: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else { return };
    let into = into.as_object_mut().unwrap();
    for (name, value) in changes {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

async fn discovery(State(provider): State<TestProvider>) -> Json<Value> {
    let issuer = &provider.issuer;
    let mut document = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"), "jwks_uri": format!("{issuer}/jwks"),
        "registration_endpoint": format!("{issuer}/register"), "end_session_endpoint": format!("{issuer}/logout"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "none"], "scopes_supported": ["openid", "email", "profile"],
        "claims_supported": ["sub", "email"], "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true, "authorization_response_iss_parameter_supported": true,
    });
    merge(&mut document, provider.inner().discovery.clone());
    Json(document)
}

async fn jwks(State(provider): State<TestProvider>) -> Json<Value> {
    let mut key = provider.inner().key.jwk();
    merge(&mut key, json!({ "kid": "one", "use": "sig", "alg": "ES256" }));
    Json(json!({ "keys": [key] }))
}

type Reply = (StatusCode, Json<Value>);

fn refuse(error: &str) -> Reply {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error })))
}

/// Id and secret of a client, as RFC 6749, section 2.3.1 has them in a header.
fn client(headers: &HeaderMap) -> Option<(String, String)> {
    let basic = headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |text: &str| {
        let url = Url::parse(&format!("http://x/?v={text}")).ok()?;
        url.query_pairs().next().map(|(_, value)| value.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}

async fn token(State(provider): State<TestProvider>, headers: HeaderMap, body: String) -> Reply {
    let form = Url::parse(&format!("http://x/?{body}")).unwrap();
    let form: HashMap<String, String> = form.query_pairs().into_owned().collect();
    let mut inner = provider.inner();
    let Some((id, secret)) = client(&headers) else { return refuse("invalid_client") };
    if inner.clients.get(&id) != Some(&secret) {
        return refuse("invalid_client");
    }
    let Some(begun) = inner.codes.remove(&form["code"]) else { return refuse("invalid_grant") };
    let proven = sha256(&form["code_verifier"]) == begun["code_challenge"];
    if !proven || begun["client_id"] != id || begun["redirect_uri"] != form["redirect_uri"] {
        return refuse("invalid_grant");
    }
    let now = inner.now.as_second();
    let mut claims =
        json!({ "iss": provider.issuer, "aud": id, "iat": now, "exp": now + 300, "nonce": begun["nonce"] });
    merge(&mut claims, inner.claims.clone());
    let mut header = json!({ "alg": "ES256", "kid": "one" });
    merge(&mut header, inner.header.clone());
    let id_token = inner.key.sign(&header, &claims);
    let tokens =
        json!({ "access_token": "of userinfo", "token_type": "Bearer", "expires_in": 300, "id_token": id_token });
    (StatusCode::OK, Json(tokens))
}

async fn userinfo(State(provider): State<TestProvider>, headers: HeaderMap) -> Reply {
    assert_eq!(headers["authorization"], "Bearer of userinfo");
    let inner = provider.inner();
    let mut claims = json!({ "sub": inner.claims["sub"] });
    merge(&mut claims, inner.userinfo.clone());
    (StatusCode::OK, Json(claims))
}

async fn register(State(provider): State<TestProvider>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let bearer = format!("Bearer {INITIAL_ACCESS_TOKEN}");
    if headers.get("authorization").is_none_or(|value| value != bearer.as_str()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_token" })));
    }
    let mut inner = provider.inner();
    inner.registered.push(body.clone());
    inner.clients.insert("registered".to_owned(), "secret of the registered".to_owned());
    let mut answer = body;
    merge(
        &mut answer,
        json!({ "client_id": "registered", "client_secret": "secret of the registered", "client_secret_expires_at": 0 }),
    );
    (StatusCode::CREATED, Json(answer))
}
