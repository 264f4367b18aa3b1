use std::collections::BTreeMap;

use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_auth::refresh::RefreshToken;
use mainsheet_auth::token::AccessToken;
use mainsheet_core::organization::*;
use mainsheet_core::role::*;
use mainsheet_core::team::*;
use mainsheet_core::user::*;
use mainsheet_core::*;
use mainsheet_store::audit::*;
use mainsheet_store::organizations::founding_tenant;
use mainsheet_store::teams::Seat;
use mainsheet_store::users::*;

use crate::{Person, TestApp};

pub(crate) async fn sign_up(app: &TestApp, email: &str) -> Person {
    let now = app.now();
    let store = app.store();
    let (user_id, org, team, member, login) = (
        UserId::generate(now),
        OrganizationId::generate(now),
        TeamId::generate(now),
        MemberId::generate(now),
        LoginId::generate(now),
    );
    let tenant = founding_tenant(&org);
    let audit = Audit {
        scope: Scope::User(user_id.clone()),
        actor: Actor::Platform,
        origin: Origin::default(),
        action: "t.t",
        target: "x".into(),
    };
    let user = User {
        id: user_id.clone(),
        email: email.into(),
        given_name: None,
        family_name: None,
        display_name: email.into(),
        created_at: now,
        updated_at: now,
    };
    let membership = Membership {
        member_id: member.clone(),
        roles: vec![OrganizationRole::Owner],
        seats: BTreeMap::from([(team.clone(), vec![TeamRole::Admin])]),
        is_enabled: true,
    };
    let access =
        Access { email_verified_at: Some(now), memberships: BTreeMap::from([(org.clone(), membership)]) };
    let organization = Organization {
        id: org.clone(),
        slug: email.replace(['@', '.'], "-"),
        name: email.into(),
        settings: OrganizationSettings::default(),
        default_team_id: team.clone(),
        default_org_role_id: OrganizationRole::Member.into(),
        created_at: now,
        updated_at: now,
    };
    let t = Team {
        id: team.clone(),
        organization_id: org.clone(),
        name: "Default".into(),
        default_role_id: TeamRole::Editor.into(),
        created_at: now,
        created_by: member.clone(),
        updated_at: now,
        updated_by: member.clone(),
    };
    let seat = Seat { member_id: member, roles: vec![TeamRole::Admin], created_at: now };
    let refresh = RefreshToken::first(user_id.clone(), login.clone()).unwrap();
    let l = Login {
        id: login.clone(),
        user_id: user_id.clone(),
        created_at: now,
        last_used_at: now,
        expires_at: now + std::time::Duration::from_secs(30 * 86400),
        device_id: None,
        refresh_family_sha256: refresh.family_sha256(),
        refresh_current_sha256: refresh.own_sha256(),
    };
    store
        .change(audit)
        .create_user(&user, &Credentials { password_hash: "x".into() }, &access)
        .create_organization(&tenant, &organization)
        .create_team(&tenant, &t, &seat)
        .create_login(&l)
        .commit()
        .await
        .unwrap();
    let key = SigningKey::derive(&crate::app::ACCESS_SECRET.into(), Purpose::Access).unwrap();
    let (access_token, _) = AccessToken { user_id: user_id.clone(), login_id: login }.sign(&key, now).unwrap();
    Person {
        client: app.anonymous().bearer(&access_token),
        email: email.into(),
        user_id: user_id.to_string(),
        organization_id: org.to_string(),
        team_id: team.to_string(),
        access_token,
        refresh_token: refresh.reveal(),
    }
}
