//! Changes of an identity provider that meet. Whom it vouches for is decided by somebody who saw what they decide on: a provider that an
//! Admin set never counts as the Owner's.

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{Answer, Call, Person};
use serde_json::{Value, json};

use super::single_sign_on::{Company, set_up};

/// An organization with a provider that its Owner set, and an Admin.
struct Scene {
    company: Company,
    admin: Person,
}

impl Scene {
    async fn start() -> Self {
        let company = Company::start().await;
        let (organization, roles) = (&company.owner.organization_id, [OrganizationRole::Admin]);
        let admin = company.app.member("admin@example.com", organization, &roles, &[]).await;
        Self { company, admin }
    }

    fn path(&self) -> String {
        format!("/auth/idps/{}", self.company.idp)
    }

    /// The Admin has the provider asked for something else, so that it vouches for no Owner.
    fn change(&self) -> Call {
        let scopes = json!({ "configWrite": { "oidc": { "scopes": ["openid", "email"] } } });
        self.admin.call("PATCH", &self.path()).json(&scopes)
    }

    /// The Owner has the provider vouch for Owners, as it is.
    fn confirmation(&self) -> Call {
        self.company.owner.call("PATCH", &self.path()).json(&json!({ "configWrite": { "oidc": {} } }))
    }

    /// Sends a request, and another one that is handled while the first is about to write what it decided.
    async fn overtaken(&self, first: Call, other: Call) -> (Answer, Answer) {
        let app = &self.company.app;
        let pause = app.hold_call("TransactWriteItems", 0);
        let overtake = async {
            pause.reached().await;
            let answer = other.send().await;
            pause.end();
            answer
        };
        let answers = tokio::join!(first.send(), overtake);
        app.heal();
        answers
    }

    async fn scopes(&self) -> Value {
        self.company.owner.get(&self.path()).await.expect(200).json()["config"]["oidc"]["scopes"].clone()
    }

    async fn assert_gone(&self) {
        let _ = self.company.owner.get(&self.path()).await.expect(404);
        assert_eq!(self.company.owner.get("/auth/idps").await.expect(200).json()["items"], json!([]));
        let start = format!("/auth/sso/{}/authorize", self.company.idp);
        let _ = self.company.app.anonymous().get(&start).await.expect(404);
        self.company.app.deliver().await;
    }
}

#[track_caller]
fn assert_refused(answer: Answer, code: &str) {
    assert_eq!(answer.expect(409).problem().code, code);
}

#[tokio::test]
async fn a_provider_that_is_deleted_while_it_is_changed_does_not_come_back() {
    let scene = Scene::start().await;
    let delete = scene.company.owner.call("DELETE", &scene.path());
    let (changed, deleted) = scene.overtaken(scene.change(), delete).await;
    let _ = deleted.expect(204);
    assert_refused(changed, "changed_meanwhile");
    scene.assert_gone().await;
}

#[tokio::test]
async fn a_provider_that_is_changed_while_it_is_deleted_goes() {
    let scene = Scene::start().await;
    let delete = scene.company.owner.call("DELETE", &scene.path());
    let (deleted, changed) = scene.overtaken(delete, scene.change()).await;
    let _ = changed.expect(200);
    let _ = deleted.expect(204);
    scene.assert_gone().await;
}

#[tokio::test]
async fn what_an_owner_confirms_is_what_they_saw() {
    let scene = Scene::start().await;
    let (confirmed, changed) = scene.overtaken(scene.confirmation(), scene.change()).await;
    let _ = changed.expect(200);
    assert_refused(confirmed, "changed_meanwhile");
    assert_eq!(scene.scopes().await, json!(["openid", "email"]));
    scene.company.does_not_vouch_for("owner@example.com").await;
    scene.company.app.deliver().await;
}

#[tokio::test]
async fn what_an_admin_changes_while_an_owner_confirms_it_is_not_the_owners() {
    let scene = Scene::start().await;
    let (changed, confirmed) = scene.overtaken(scene.change(), scene.confirmation()).await;
    let _ = confirmed.expect(200);
    assert_refused(changed, "changed_meanwhile");
    assert_eq!(scene.scopes().await, json!(["openid", "email", "profile"]));
    scene.company.lets_in("owner@example.com").await;
    scene.company.app.deliver().await;
}

/// Two providers of the Owner's are the only ways in. The Admin takes one of them while the Owner deletes the other one.
async fn two_ways_in() -> (Scene, String) {
    let scene = Scene::start().await;
    let owner = &scene.company.owner;
    let other = set_up(owner, &scene.company.sso).await;
    let closed = json!({ "settings": { "auth": { "allowLoginWithPassword": false, "allowLoginWithEmail": false } } });
    let _ = owner.patch("/org", closed).await.expect(200);
    (scene, other)
}

#[tokio::test]
async fn an_admin_does_not_take_what_became_the_owners_only_way_in() {
    let (scene, other) = two_ways_in().await;
    let delete = scene.company.owner.call("DELETE", &format!("/auth/idps/{other}"));
    let (changed, deleted) = scene.overtaken(scene.change(), delete).await;
    let _ = deleted.expect(204);
    assert_refused(changed, "changed_meanwhile");
    scene.company.lets_in("owner@example.com").await;
    scene.company.app.deliver().await;
}

#[tokio::test]
async fn an_owner_does_not_delete_what_became_their_only_way_in() {
    let (mut scene, other) = two_ways_in().await;
    let delete = scene.company.owner.call("DELETE", &format!("/auth/idps/{other}"));
    let (deleted, changed) = scene.overtaken(delete, scene.change()).await;
    let _ = changed.expect(200);
    assert_refused(deleted, "last_identity_provider");
    scene.company.does_not_vouch_for("owner@example.com").await;
    scene.company.idp = other;
    scene.company.lets_in("owner@example.com").await;
    scene.company.app.deliver().await;
}
