//! One's own profile, addresses and logins.

use mainsheet_testkit::{PASSWORD, Person, TestApp};
use serde_json::{Value, json};

const EMAIL: &str = "ada@example.com";
const SECOND: &str = "ada@lovelace.example";

/// Uses the link of the newest mail to an address; answers the status.
async fn confirm(app: &TestApp, email: &str) -> u16 {
    app.deliver().await;
    let token = app.mails().into_iter().rfind(|mail| mail.0.to == email).unwrap().token();
    let answer = app.anonymous().post("/auth/email/verify", json!({ "token": token })).await;
    app.deliver().await;
    answer.status.as_u16()
}

async fn add(person: &Person, email: &str) {
    let _ = person.post("/me/emails", json!({ "email": email })).await.expect(201);
}

#[tokio::test]
async fn a_profile_changes_in_the_named_fields() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let before = person.get("/me").await.expect(200);
    let names = json!({ "givenName": "Ada", "familyName": "Lovelace" });
    let after = person.patch("/me", names).await.expect(200);
    assert_eq!(after.json()["user"]["displayName"], "Ada Lovelace", "it was made of the address so far");
    let stale = person.call("PATCH", "/me").json(&json!({ "givenName": "A." })).if_match(&before.etag()).send().await;
    let _ = stale.expect(412);
    let named = person.patch("/me", json!({ "displayName": "Countess" })).await.expect(200).json();
    assert_eq!((&named["user"]["givenName"], &named["user"]["displayName"]), (&json!("Ada"), &json!("Countess")));
    let later = person.patch("/me", json!({ "givenName": "Augusta" })).await.expect(200).json();
    assert_eq!(later["user"]["displayName"], "Countess", "they said so");
    for (field, value) in
        [("givenName", ""), ("familyName", "a\u{0}b"), ("displayName", &*"x".repeat(256)), ("email", "ada")]
    {
        person.patch("/me", json!({ field: value })).await.assert_names_field(field);
    }
    person.patch("/me", json!({ "id": "X" })).await.assert_names_field("id");
}

#[tokio::test]
async fn another_address_is_theirs_once_it_is_confirmed() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    add(&person, SECOND).await;
    add(&person, SECOND).await;
    person.patch("/me", json!({ "email": SECOND })).await.assert_names_field("email");
    let list = person.get("/me/emails").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
    let _ = app.anonymous().post("/auth/login", json!({ "email": SECOND, "password": PASSWORD })).await.expect(401);
    assert_eq!(confirm(&app, SECOND).await, 204);
    assert_eq!(confirm(&app, SECOND).await, 204, "twice does no harm");
    let told = app.mails().into_iter().filter(|mail| mail.0.subject == "An address was added").collect::<Vec<_>>();
    assert_eq!((told.len(), told[0].0.to.as_str()), (1, EMAIL), "{told:?}");
    assert!(told[0].0.text.contains(SECOND), "{told:?}");
    let added = person.post("/me/emails", json!({ "email": SECOND.to_uppercase() })).await.expect(409);
    assert_eq!(added.problem().code, "email_added");
    let moved = person.patch("/me", json!({ "email": SECOND })).await.expect(200).json();
    assert_eq!(moved["user"]["email"], SECOND);
    for email in [EMAIL, SECOND] {
        let _ = Person::sign_in(&app, email, PASSWORD).await;
    }
}

#[tokio::test]
async fn addresses_come_in_pages() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    for number in 0..3 {
        add(&person, &format!("b{number}@example.com")).await;
    }
    let first = person.get("/me/emails?limit=2").await.expect(200).json();
    let marker = first["marker"].as_str().unwrap();
    let rest = person.get(&format!("/me/emails?limit=2&marker={marker}")).await.expect(200).json();
    let emails: Vec<&Value> = [&first, &rest]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| &item["email"])
        .collect();
    assert_eq!(emails, ["ada@example.com", "b0@example.com", "b1@example.com", "b2@example.com"]);
    assert!(rest["marker"].is_null());
    let _ = person.get("/me/emails?marker=nonsense").await.expect(400);
    assert_eq!(person.get("/me/emails?limit=0").await.expect(200).json(), json!({ "items": [] }));
    app.deliver().await;
}

#[tokio::test]
async fn an_address_with_another_account_stays_there() {
    let app = TestApp::start().await;
    let (person, other) = (app.sign_up(EMAIL).await, app.sign_up("grace@example.com").await);
    let unknown = person.post("/me/emails", json!({ "email": "nobody@example.com" })).await.expect(201);
    let known = person.post("/me/emails", json!({ "email": other.email })).await.expect(201);
    let shape = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(shape(&unknown.json()), shape(&known.json()), "the answer does not tell");
    assert_eq!(confirm(&app, &other.email).await, 409);
    let _ = Person::sign_in(&app, &other.email, PASSWORD).await;
}

#[tokio::test]
async fn logins_are_listed_and_ended() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let phone = app.anonymous().with("user-agent", "Phone/1.0");
    let login = json!({ "email": EMAIL, "password": PASSWORD, "deviceId": "phone" });
    let other = phone.post("/auth/login", login).await.expect(200);
    let list = person.get("/me/logins").await.expect(200).json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let of_phone = items.iter().find(|item| item["deviceId"] == "phone").unwrap();
    assert_eq!((&of_phone["userAgent"], &of_phone["isCurrent"]), (&json!("Phone/1.0"), &json!(false)));
    assert_eq!(items.iter().filter(|item| item["isCurrent"] == true).count(), 1);
    let path = format!("/me/logins/{}", of_phone["id"].as_str().unwrap());
    let stranger = app.sign_up("grace@example.com").await;
    let _ = stranger.delete(&path).await.expect(404);
    let _ = person.delete(&path).await.expect(204);
    let _ = person.delete(&path).await.expect(404);
    let _ = app.anonymous().bearer(&other.text("accessToken")).get("/me").await.expect(401);
    app.deliver().await;
}

#[tokio::test]
async fn a_new_device_is_told_of_and_a_known_one_is_not() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let sign_in = async |user_agent: &str, device: Option<&str>| {
        let login = json!({ "email": EMAIL, "password": PASSWORD, "deviceId": device });
        let _ = app.anonymous().with("user-agent", user_agent).post("/auth/login", login).await.expect(200);
        app.deliver().await;
        app.mails().iter().filter(|mail| mail.0.subject == "A new device signed in").count()
    };
    assert_eq!(sign_in("Firefox/145.0", None).await, 1);
    assert_eq!(sign_in("Firefox/146.0.1", None).await, 1, "a new version is no new device");
    assert_eq!(sign_in("Firefox/146.0.1", Some("laptop")).await, 2);
    assert_eq!(sign_in("Chrome/142.0", Some("laptop")).await, 2);
}
