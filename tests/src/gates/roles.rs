//! Which role has which relation: a reviewed record. A change of it is a change of what people may do.

use std::fmt::Write as _;

use mainsheet_auth::Relation;
use mainsheet_core::role::{OrganizationRole, TeamRole};

/// One line a relation, one column a role.
fn matrix<R: Copy>(roles: &[R], name: fn(R) -> &'static str, holds: fn(Relation, R) -> bool) -> String {
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
