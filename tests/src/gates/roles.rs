//! Which role has which relation: a reviewed record. A change of it is a change of what people may do.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use mainsheet_auth::Relation;
use mainsheet_auth::permission::Scope;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Person, TestApp};

/// One line a relation, one column a role.
fn matrix<R: Copy>(roles: &[R], name: impl Fn(R) -> &'static str, holds: impl Fn(Relation, R) -> bool) -> String {
    let mut text = format!("{:24}", "");
    for role in roles {
        let _ = write!(text, "{:>11}", name(*role));
    }
    for relation in Relation::ALL {
        let _ = write!(text, "\n{:24}", relation.as_str());
        for role in roles {
            let _ = write!(text, "{:>11}", if holds(*relation, *role) { "yes" } else { "-" });
        }
    }
    text
}

#[test]
fn organization_roles() {
    let matrix = matrix(OrganizationRole::ALL, OrganizationRole::as_str, Relation::is_held_by);
    insta::assert_snapshot!(matrix);
}

#[test]
fn team_roles() {
    let matrix = matrix(TeamRole::ALL, TeamRole::as_str, Relation::is_held_in_team_by);
    insta::assert_snapshot!(matrix);
}

/// Somebody with one role, and what they are told that they may do.
struct Holder {
    role: &'static str,
    over_organization: BTreeSet<String>,
    /// Over the team that those with a role in a team sit in.
    over_team: BTreeSet<String>,
}

impl Holder {
    async fn ask(role: &'static str, person: &Person) -> Self {
        let told = person.get("/me/permissions").await.expect(200).json();
        let relations = |list: &serde_json::Value| -> BTreeSet<String> {
            list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        let over_organization = relations(&told["permissions"]);
        Self { role, over_team: relations(&told["teams"][0]["permissions"]), over_organization }
    }

    /// What is held over the organization is held over each of its teams.
    fn may_everywhere(&self, relation: Relation) -> bool {
        self.over_organization.contains(relation.as_str()) && relation.scope() == Scope::Team
    }
}

/// Every role with every relation over every kind of object, as `GET /me/permissions` tells those who have the role.
#[tokio::test]
async fn objects() {
    let app = TestApp::start().await;
    let owner = app.sign_up("founder@example.com").await;
    let mut holders = Vec::new();
    for role in OrganizationRole::ALL.iter().copied() {
        let email = format!("{}@example.com", role.as_str().to_lowercase());
        let person = app.member(&email, &owner.organization_id, &[role], &[]).await;
        holders.push(Holder::ask(role.as_str(), &person).await);
    }
    for role in TeamRole::ALL.iter().copied() {
        let email = format!("{}@example.com", role.as_str().to_lowercase());
        let seat = [(owner.team_id.as_str(), role)];
        let person = app.member(&email, &owner.organization_id, &[OrganizationRole::Member], &seat).await;
        holders.push(Holder::ask(role.as_str(), &person).await);
    }
    app.deliver().await;
    let holders: Vec<&Holder> = holders.iter().collect();
    let section = |title: &str, holds: &dyn Fn(Relation, &Holder) -> bool| {
        format!("{title}\n{}", matrix(&holders, |holder| holder.role, holds))
    };
    let matrices = [
        section("Over the organization", &|relation, holder| holder.over_organization.contains(relation.as_str())),
        section("Over the team that those with a team's role sit in", &|relation, holder| {
            holder.over_team.contains(relation.as_str()) || holder.may_everywhere(relation)
        }),
        section("Over another team", &|relation, holder| holder.may_everywhere(relation)),
    ];
    insta::assert_snapshot!(matrices.join("\n\n"));
}
