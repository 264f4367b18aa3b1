//! A right request to every operation of the document. The gates send it as it is, or with one thing wrong.

use mainsheet_testkit::infrastructure::{self, ACCOUNT, REGION};
use mainsheet_testkit::{Answer, Call, Client, PASSWORD, build, registration};
use serde_json::{Value, json};

use crate::world::{NEWCOMER, World, invited, preview};

/// Who may send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Anybody.
    Anonymous,
    /// Somebody signed in.
    Person,
    /// Somebody signed in, by another login.
    SecondLogin,
    /// Somebody who has a second factor.
    Careful,
    /// Somebody who gives it up.
    Careless,
    /// A cluster's agent.
    Agent,
}

/// A right request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) sender: Sender,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// What a browser brings along.
    pub(crate) cookie: Option<String>,
    /// What is sent in place of JSON.
    pub(crate) form: Option<String>,
}

impl Request {
    /// Sends it as somebody.
    pub(crate) async fn send_as(&self, client: &Client) -> Answer {
        self.call(client).send().await
    }

    /// Sends it as the one who may.
    pub(crate) async fn send(&self, world: &World) -> Answer {
        self.send_as(&self.client(world)).await
    }

    /// The client of the one who may.
    pub(crate) fn client(&self, world: &World) -> Client {
        match self.sender {
            Sender::Anonymous => world.app.anonymous(),
            Sender::Person => world.owner.client.clone(),
            Sender::SecondLogin => world.second_login.client.clone(),
            Sender::Careful => world.careful.person.client.clone(),
            Sender::Careless => world.careless.0.client.clone(),
            Sender::Agent => world.agent.client.clone(),
        }
    }

    /// The request in the making.
    pub(crate) fn call(&self, client: &Client) -> Call {
        let call = client.call(self.method, &self.path);
        let call = match &self.cookie {
            Some(cookie) => call.header("cookie", cookie),
            None => call,
        };
        match (&self.body, &self.form) {
            (Some(body), _) => call.json(body),
            (None, Some(form)) => call.raw("application/x-www-form-urlencoded", form.clone()),
            (None, None) => call,
        }
    }
}

fn request(sender: Sender, method: &'static str, path: impl Into<String>, body: Option<Value>) -> Request {
    Request { sender, method, path: path.into(), body, cookie: None, form: None }
}

fn get(path: impl Into<String>) -> Request {
    request(Sender::Person, "GET", path, None)
}

fn post(path: impl Into<String>, body: Value) -> Request {
    request(Sender::Person, "POST", path, Some(body))
}

fn act(path: impl Into<String>) -> Request {
    request(Sender::Person, "POST", path, None)
}

fn patch(path: impl Into<String>, body: Value) -> Request {
    request(Sender::Person, "PATCH", path, Some(body))
}

fn put(path: impl Into<String>, body: Value) -> Request {
    request(Sender::Person, "PUT", path, Some(body))
}

fn delete(path: impl Into<String>) -> Request {
    request(Sender::Person, "DELETE", path, None)
}

fn agent(method: &'static str, path: impl Into<String>, body: Value) -> Request {
    request(Sender::Agent, method, path, Some(body))
}

fn anonymous(path: impl Into<String>, body: Value) -> Request {
    request(Sender::Anonymous, "POST", path, Some(body))
}

/// A right request to an operation; `None` for one that is not known here.
pub(crate) fn right(operation: &str, world: &World) -> Option<Request> {
    let areas = [
        identity,
        identity_providers,
        single_sign_on,
        permissions,
        organization,
        members,
        invitations,
        teams,
        users,
        service_accounts,
        clusters,
        connections,
        networks,
        provisioned_clusters,
        provisioned_catalogs,
        infrastructure_operations,
        catalogs,
        queries,
        jobs,
        job_versions,
        job_runs,
        agents,
    ];
    areas.into_iter().find_map(|area| area(operation, world))
}

fn identity(operation: &str, world: &World) -> Option<Request> {
    let owner = &world.owner;
    Some(match operation {
        "signUp" => anonymous("/auth/signup", build::sign_up("new@example.com", PASSWORD, "New")),
        "verifyEmail" => anonymous("/auth/email/verify", json!({ "token": world.mailed_token })),
        "resendEmailVerification" => anonymous("/auth/email/resend", json!({ "email": NEWCOMER })),
        "loginWithPassword" => anonymous("/auth/login", json!({ "email": owner.email, "password": PASSWORD })),
        "refreshToken" => anonymous("/auth/token/refresh", json!({ "refreshToken": owner.refresh_token })),
        "logout" => request(Sender::SecondLogin, "POST", "/auth/logout", None),
        "requestLoginCode" => anonymous("/auth/login/code", json!({ "email": owner.email })),
        "loginWithCode" => {
            let (careless, code) = &world.careless;
            anonymous("/auth/login/code/verify", json!({ "email": careless.email, "code": code }))
        }
        "requestPasswordReset" => anonymous("/auth/password/forgot", json!({ "email": owner.email })),
        "completePasswordReset" => {
            let body = json!({ "token": world.reset_token, "newPassword": "another horse, another staple" });
            anonymous("/auth/password/reset", body)
        }
        "verifyMfaChallenge" => {
            let (token, code) = &world.careful.challenge;
            anonymous("/auth/mfa/verify", json!({ "challengeToken": token, "recoveryCode": code }))
        }
        "getMe" => get("/me"),
        "updateMe" => patch("/me", json!({ "givenName": "Grace" })),
        "listMyOrganizations" => get("/me/organizations"),
        "listMyEmails" => get("/me/emails"),
        "addMyEmail" => post("/me/emails", json!({ "email": invited(owner, "second") })),
        "listMyLogins" => get("/me/logins"),
        "revokeMyLogin" => delete(format!("/me/logins/{}", world.spare_login)),
        _ => return second_factor(operation, world),
    })
}

fn second_factor(operation: &str, world: &World) -> Option<Request> {
    let careful = |method, path: &str, body| request(Sender::Careful, method, path, body);
    Some(match operation {
        "listMyTrustedDevices" => careful("GET", "/me/trusted-devices", None),
        "revokeMyTrustedDevice" => careful("DELETE", &format!("/me/trusted-devices/{}", world.careful.device), None),
        "getMyMfa" => careful("GET", "/me/mfa", None),
        "startTotpEnrolment" => careful("POST", "/me/mfa/totp", None),
        "confirmTotpEnrolment" => careful("POST", "/me/mfa/totp/verify", Some(json!({ "code": world.careful.code }))),
        "regenerateRecoveryCodes" => careful("POST", "/me/mfa/recovery-codes", None),
        "resetMyMfa" => request(Sender::Careless, "DELETE", "/me/mfa", None),
        _ => return None,
    })
}

fn identity_providers(operation: &str, world: &World) -> Option<Request> {
    let provider = format!("/auth/idps/{}", world.identity_provider);
    Some(match operation {
        "listIdentityProviderTypes" => get("/auth/identity-provider-types"),
        "listIdentityProviders" => get("/auth/idps"),
        "createIdentityProvider" => post("/auth/idps", build::identity_provider("https://sso.example")),
        "autoSetupIdentityProvider" => {
            let token = mainsheet_testkit::provider::INITIAL_ACCESS_TOKEN;
            let body = json!({ "name": "SSO", "providerUrl": world.provider.issuer, "initialAccessToken": token });
            post("/auth/idps/auto-setup", body)
        }
        "getIdentityProvider" => get(provider),
        "updateIdentityProvider" => patch(provider, json!({ "name": "Renamed" })),
        "deleteIdentityProvider" => delete(format!("/auth/idps/{}", world.spare_identity_provider)),
        "rotateIdentityProviderSecret" => {
            let spare = format!("/auth/idps/{}/rotate-secret", world.rotated_identity_provider);
            post(spare, json!({ "clientSecret": "new" }))
        }
        "testIdentityProvider" => act(format!("{provider}/test-connection")),
        "getJwks" => request(Sender::Anonymous, "GET", "/.well-known/jwks.json", None),
        _ => return None,
    })
}

fn single_sign_on(operation: &str, world: &World) -> Option<Request> {
    let sso = format!("/auth/sso/{}", world.identity_provider);
    let by_browser = |path: &str| request(Sender::Anonymous, "GET", path, None);
    Some(match operation {
        "startSsoLogin" => by_browser(&format!("{sso}/authorize")),
        "finishSsoLogin" => Request { cookie: Some(world.browser.1.clone()), ..by_browser(&world.browser.0) },
        "exchangeOneTimeCode" => anonymous("/auth/token/exchange", json!({ "code": world.one_time_code })),
        "backchannelLogout" => {
            let form = format!("logout_token={}", world.provider.logout_token(json!({})));
            let logout = request(Sender::Anonymous, "POST", format!("{sso}/backchannel-logout"), None);
            Request { form: Some(form), ..logout }
        }
        _ => return None,
    })
}

fn permissions(operation: &str, world: &World) -> Option<Request> {
    let policy = format!("/org/policies/user:{}", world.owner.user_id);
    Some(match operation {
        "listPermissions" => request(Sender::Anonymous, "GET", "/auth/permissions", None),
        "getMyPermissions" => get("/me/permissions"),
        "listOrganizationPolicies" => get("/org/policies"),
        "getOrganizationPolicy" => get(policy),
        "setOrganizationPolicy" => put(policy, json!({ "permissions": ["CanManageUsers"] })),
        "deleteOrganizationPolicy" => delete(format!("/org/policies/team:{}", world.second_team)),
        "listAuditLog" => get("/org/audit-log"),
        "listAuditBlocks" => get("/org/audit-log/blocks"),
        "getAuditCheckpoint" => get("/org/audit-log/checkpoint"),
        _ => return None,
    })
}

fn service_accounts(operation: &str, world: &World) -> Option<Request> {
    let account = format!("/org/service-accounts/{}", world.service_account);
    let keys = format!("{account}/keys");
    Some(match operation {
        "listServiceAccounts" => get("/org/service-accounts"),
        "createServiceAccount" => {
            post("/org/service-accounts", json!({ "username": "new", "description": "For tests." }))
        }
        "getServiceAccount" => get(account),
        "updateServiceAccount" => patch(account, json!({ "description": "Renamed." })),
        "deleteServiceAccount" => delete(format!("/org/service-accounts/{}", world.spare_service_account)),
        "listServiceAccountKeys" => get(keys),
        "createServiceAccountKey" => post(keys, json!({})),
        "getServiceAccountKey" => get(format!("{keys}/{}", world.service_key)),
        "revokeServiceAccountKey" => delete(format!("{keys}/{}", world.spare_service_key)),
        _ => return None,
    })
}

fn organization(operation: &str, _: &World) -> Option<Request> {
    Some(match operation {
        "getOrganization" => get("/org"),
        "updateOrganization" => patch("/org", json!({ "name": "Renamed" })),
        "listOrganizationRoles" => get("/org/roles"),
        "getOrganizationRole" => get("/org/roles/ADMIN"),
        "listTeamRoles" => get("/org/team-roles"),
        "getTeamRole" => get("/org/team-roles/EDITOR"),
        _ => return None,
    })
}

fn members(operation: &str, world: &World) -> Option<Request> {
    let member = format!("/org/members/{}", world.colleague.member);
    Some(match operation {
        "searchMembers" => get("/org/members"),
        "getMember" => get(member),
        "updateMember" => patch(member, json!({ "name": "Renamed" })),
        "removeMember" => delete(format!("/org/members/{}", world.leaver.member)),
        "setMemberRoles" => put(format!("{member}/roles"), json!({ "roleIds": ["BILLING"] })),
        _ => return None,
    })
}

fn invitations(operation: &str, world: &World) -> Option<Request> {
    let [shown, joining, gone] = world.invitations.each_ref().map(|token| format!("/org/invites/{token}"));
    Some(match operation {
        "listInvitations" => get("/org/invites"),
        "createInvitation" => {
            post("/org/invites", json!({ "email": "invited@example.com", "organizationRoleId": "MEMBER" }))
        }
        "getInvitation" => request(Sender::Anonymous, "GET", shown, None),
        "acceptInvitation" => {
            let email = invited(&world.owner, "joining");
            let user = json!({ "email": email, "givenName": "J", "familyName": "Oining", "password": PASSWORD });
            anonymous(format!("{joining}/accept"), json!({ "user": user }))
        }
        "cancelInvitation" => delete(gone),
        _ => return None,
    })
}

fn teams(operation: &str, world: &World) -> Option<Request> {
    let members = |team: &str| format!("/org/teams/{team}/members");
    let second = members(&world.second_team);
    Some(match operation {
        "listTeams" => get("/org/teams"),
        "createTeam" => post("/org/teams", build::team("Data")),
        "getTeam" => get(format!("/org/teams/{}", world.owner.team_id)),
        "updateTeam" => patch(format!("/org/teams/{}", world.second_team), json!({ "name": "Renamed" })),
        "deleteTeam" => delete(format!("/org/teams/{}", world.spare_team)),
        "listTeamMembers" => get(second),
        "addTeamMember" => post(format!("{second}/{}", world.closing.member), json!({ "roleIds": ["VIEWER"] })),
        "removeTeamMember" => delete(format!("{second}/{}", world.seated.member)),
        "setTeamMemberRoles" => {
            put(format!("{second}/{}/roles", world.colleague.member), json!({ "roleIds": ["VIEWER"] }))
        }
        "listMyTeams" => get("/me/teams"),
        _ => return None,
    })
}

fn users(operation: &str, world: &World) -> Option<Request> {
    let user = format!("/org/users/{}", world.colleague.user);
    Some(match operation {
        "listUsers" => get("/org/users"),
        "createUser" => post("/org/users", json!({ "email": "hired@example.com" })),
        "getUser" => get(user),
        "updateUser" => patch(user, json!({ "displayName": "Renamed" })),
        "deleteUser" => delete(format!("/org/users/{}", world.closing.user)),
        "resetUserMfa" => delete(format!("{user}/mfa")),
        "changeUserPassword" => post(
            format!("/org/users/{}/password", world.owner.user_id),
            json!({ "currentPassword": PASSWORD, "newPassword": "an entirely new password" }),
        ),
        "resetUserPassword" => act(format!("{user}/password/reset")),
        _ => return None,
    })
}

fn clusters(operation: &str, world: &World) -> Option<Request> {
    let cluster = &world.agent.cluster_id;
    let teams = |cluster: &str| format!("/workloads/clusters/{cluster}/teams");
    Some(match operation {
        "registerCluster" => post("/workloads/clusters", build::cluster("new")),
        "retireCluster" => delete(format!("/workloads/clusters/{}", world.idle_cluster)),
        "listClusterTeams" => get(teams(cluster)),
        "addClusterTeams" => post(teams(cluster), json!({ "teamIds": [world.second_team] })),
        "removeClusterTeam" => delete(format!("{}/{}", teams(cluster), world.second_team)),
        "listMyClusters" => get("/me/clusters"),
        "getMyCluster" => get(format!("/me/clusters/{cluster}")),
        _ => return None,
    })
}

fn connections(operation: &str, world: &World) -> Option<Request> {
    let estate = &world.estate;
    let connection = |id: &str| format!("/infra/connections/{id}");
    Some(match operation {
        "listConnections" => get("/infra/connections"),
        "createConnection" => {
            let config = json!({ "accountId": ACCOUNT, "region": REGION });
            post("/infra/connections", json!({ "name": "new", "provider": "aws", "providerConfig": config }))
        }
        "getConnection" => get(connection(&estate.connection)),
        "updateConnection" => patch(connection(&estate.connection), json!({ "name": "renamed" })),
        "deleteConnection" => delete(connection(&estate.spare_connection)),
        "getConnectionTemplate" => get(format!("{}/template", connection(&estate.connection))),
        "downloadConnectionTemplate" => get(format!("{}/template/download", connection(&estate.connection))),
        "verifyConnection" => {
            let role = infrastructure::role_of(&estate.connection);
            post(format!("{}/verify", connection(&estate.connection)), json!({ "roleArn": role }))
        }
        "listRegions" => get(format!("{}/regions", connection(&estate.connection))),
        "listInstanceTypes" => get(format!("{}/instance-types?minVCpus=2", connection(&estate.connection))),
        "listConnectionOrphans" => get(format!("{}/orphans", connection(&estate.connection))),
        "syncConnectionTemplate" => act(format!("{}/sync-template", connection(&estate.synced_connection))),
        _ => return None,
    })
}

fn networks(operation: &str, world: &World) -> Option<Request> {
    let estate = &world.estate;
    let networks = format!("/infra/connections/{}/networks", estate.connection);
    let pending = format!("{networks}/{}", estate.pending_network);
    Some(match operation {
        "listNetworks" => get("/infra/networks"),
        "listConnectionNetworks" => get(networks),
        "createNetwork" => post(networks, infrastructure::network("new")),
        "getNetwork" => get(format!("{networks}/{}", estate.network)),
        "updateNetwork" => patch(format!("{networks}/{}", estate.network), json!({ "name": "renamed" })),
        "listProviderNetworks" => {
            get(format!("/infra/connections/{}/provider-networks?region={REGION}", estate.connection))
        }
        "preflightNetwork" => act(format!("{pending}/preflight")),
        "planNetwork" => get(format!("{pending}/plan")),
        "provisionNetwork" => post(format!("{pending}/provision"), json!({})),
        "destroyNetwork" => delete(format!("{networks}/{}", estate.empty_network)),
        "deleteNetworkRecord" => delete(format!("/infra/networks/{}", estate.spare_network)),
        _ => return None,
    })
}

fn provisioned_clusters(operation: &str, world: &World) -> Option<Request> {
    let estate = &world.estate;
    let clusters = format!("/infra/connections/{}/clusters", estate.connection);
    let (active, pending) =
        (format!("{clusters}/{}", estate.cluster), format!("{clusters}/{}", estate.pending_cluster));
    Some(match operation {
        "listProvisionedClusters" => get("/infra/clusters"),
        "getProvisionedCluster" => get(format!("/infra/clusters/{}", estate.cluster)),
        "deleteProvisionedClusterRecord" => delete(format!("/infra/clusters/{}", estate.spare_cluster)),
        "listConnectionClusters" => get(clusters),
        "createProvisionedCluster" => post(clusters, infrastructure::cluster("new provisioned", &estate.network)),
        "getConnectionCluster" => get(active),
        "updateProvisionedCluster" => post(active, json!({ "config": infrastructure::cluster_config("1.35") })),
        "destroyProvisionedCluster" => delete(format!("{clusters}/{}", estate.doomed_cluster)),
        "getClusterMetrics" => get(format!("{active}/metrics?period=24h")),
        "getClusterHealth" => get(format!("{active}/health")),
        "getClusterKubeconfig" => get(format!("{active}/kubeconfig")),
        "preflightCluster" => act(format!("{pending}/preflight")),
        "planCluster" => get(format!("{pending}/plan")),
        "provisionCluster" => post(format!("{pending}/provision"), json!({})),
        _ => return None,
    })
}

fn provisioned_catalogs(operation: &str, world: &World) -> Option<Request> {
    let estate = &world.estate;
    let catalogs = format!("/infra/connections/{}/catalogs", estate.connection);
    let pending = format!("{catalogs}/{}", estate.pending_catalog);
    Some(match operation {
        "listProvisionedCatalogs" => get("/infra/catalogs"),
        "deleteProvisionedCatalogRecord" => delete(format!("/infra/catalogs/{}", estate.spare_catalog)),
        "listConnectionCatalogs" => get(catalogs),
        "createProvisionedCatalog" => post(catalogs, infrastructure::catalog("new lake", &estate.network)),
        "getProvisionedCatalog" => get(format!("{catalogs}/{}", estate.catalog)),
        "updateProvisionedCatalog" => {
            patch(format!("{catalogs}/{}", estate.catalog), json!({ "name": "renamed lake" }))
        }
        "destroyProvisionedCatalog" => delete(format!("{catalogs}/{}", estate.doomed_catalog)),
        "preflightCatalog" => act(format!("{pending}/preflight")),
        "planCatalog" => get(format!("{pending}/plan")),
        "provisionCatalog" => post(format!("{pending}/provision"), json!({})),
        _ => return None,
    })
}

fn infrastructure_operations(operation: &str, world: &World) -> Option<Request> {
    let path = format!("/operations/{}", world.estate.operation);
    Some(match operation {
        "getOperation" => get(path),
        "cancelOperation" => delete(path),
        _ => return None,
    })
}

fn catalogs(operation: &str, world: &World) -> Option<Request> {
    let catalog = format!("/workloads/catalogs/{}", world.catalog);
    let teams = format!("{catalog}/teams");
    Some(match operation {
        "listMyCatalogs" => get("/me/catalogs"),
        "listCatalogs" => get("/workloads/catalogs"),
        "createCatalog" => post("/workloads/catalogs", json!({ "name": "new", "provider": "memory" })),
        "getCatalog" => get(catalog),
        "updateCatalog" => patch(catalog, json!({ "name": "renamed" })),
        "deleteCatalog" => delete(format!("/workloads/catalogs/{}", world.spare_catalog)),
        "listCatalogTeams" => get(teams),
        "addCatalogTeams" => post(teams, json!({ "teamIds": [world.second_team] })),
        "removeCatalogTeam" => delete(format!("{teams}/{}", world.second_team)),
        "listCatalogQueries" => get(format!("{catalog}/queries")),
        "listTeamCatalogs" => get(format!("/workloads/teams/{}/catalogs", world.owner.team_id)),
        _ => return None,
    })
}

fn queries(operation: &str, world: &World) -> Option<Request> {
    let query = format!("/workloads/queries/{}", world.query);
    Some(match operation {
        "listQueries" => get("/workloads/queries"),
        "createQuery" => post("/workloads/queries", build::query("new", &world.owner.team_id)),
        "getQuery" => get(query),
        "updateQuery" => patch(query, json!({ "name": "renamed" })),
        "listQueryTeams" => get(format!("{query}/teams")),
        "addQueryTeams" => post(format!("{query}/teams"), json!({ "teamIds": [world.second_team] })),
        "removeQueryTeam" => delete(format!("{query}/teams/{}", world.second_team)),
        "listMyQueries" => get("/me/queries"),
        "listTeamQueries" => get(format!("/workloads/teams/{}/queries", world.owner.team_id)),
        "deleteQuery" => delete(format!("/workloads/queries/{}", world.spare_query)),
        _ => return None,
    })
}

fn jobs(operation: &str, world: &World) -> Option<Request> {
    let job = build::job("new", &world.agent.cluster_id, &world.owner.team_id);
    Some(match operation {
        "listJobs" => get("/workloads/jobs"),
        "createJob" => post("/workloads/jobs", job),
        "getJob" => get(format!("/workloads/jobs/{}", world.job)),
        "deleteJob" => delete(format!("/workloads/jobs/{}", world.spare_job)),
        "updateJob" => patch(format!("/workloads/jobs/{}", world.job), json!({ "description": "Sales" })),
        "listJobTicks" => get(format!("/workloads/jobs/{}/ticks", world.job)),
        "exportJob" => get(format!("/workloads/jobs/{}/export", world.job)),
        "previewJobSchedule" => get(format!("/workloads/jobs/{}/schedule?cronExpression=@daily", world.job)),
        "applyJob" => {
            let file = build::job("versioned", &world.agent.cluster_id, &world.owner.team_id);
            let file = build::with(file, "/timeoutSeconds", json!(30));
            request(Sender::Person, "PUT", "/workloads/jobs/by-key/versioned", Some(file))
        }
        "listMyJobs" => get("/me/jobs"),
        "listTeamJobs" => get(format!("/workloads/teams/{}/jobs", world.owner.team_id)),
        "listClusterJobs" => get(format!("/workloads/clusters/{}/jobs", world.agent.cluster_id)),
        _ => return None,
    })
}

fn job_versions(operation: &str, world: &World) -> Option<Request> {
    let version = json!({ "timeoutSeconds": 90 });
    let draft = |job: &str| format!("/workloads/jobs/{job}/draft");
    let job = format!("/workloads/jobs/{}", world.versioned_job);
    Some(match operation {
        "createJobDraft" => post(draft(&world.job), version),
        "getJobDraft" => get(draft(&world.drafted_job)),
        "updateJobDraft" => patch(draft(&world.drafted_job), version),
        "discardJobDraft" => delete(draft(&world.discardable_job)),
        "publishJobDraft" => act(format!("{}/publish", draft(&world.publishable_job))),
        "listJobVersions" => get(format!("{job}/versions")),
        "createJobVersion" => post(format!("{job}/versions"), version),
        "getJobVersion" => get(format!("{job}/versions/1")),
        "activateJobVersion" => post(format!("{job}/activate-version"), json!({ "version": 1 })),
        "listJobTeams" => get(format!("{job}/teams")),
        "addJobTeams" => post(format!("{job}/teams"), json!({ "teamIds": [world.second_team] })),
        "removeJobTeam" => delete(format!("{job}/teams/{}", world.second_team)),
        _ => return None,
    })
}

fn job_runs(operation: &str, world: &World) -> Option<Request> {
    let runs = format!("/workloads/jobs/{}/runs", world.job);
    let ended = format!("{runs}/{}", world.ended_run);
    Some(match operation {
        "listJobRuns" => get(runs),
        "createJobRun" => post(runs, build::run()),
        "getJobRun" => get(ended),
        "cancelJobRun" => act(format!("{runs}/{}/cancel", world.spare_run)),
        "releaseJobRun" => act(format!("{runs}/{}/ready", world.held_run)),
        "retryJobRun" => post(format!("{runs}/{}/retry", world.cancelled_run), json!({})),
        "deleteJobRun" => delete(format!("{runs}/{}", world.spare_ended_run)),
        "listMyJobRuns" => get("/me/jobs/runs"),
        "getJobRunBlockers" => get(format!("{runs}/{}/blockers", world.held_run)),
        "getJobRunLogs" => get(format!("{ended}/logs")),
        "getJobRunResults" => get(format!("{ended}/results")),
        _ => return None,
    })
}

fn agents(operation: &str, world: &World) -> Option<Request> {
    let leased = &world.leased;
    let id = |field: &str| leased[field].as_str().unwrap().to_owned();
    let run = format!("/agent/jobs/{}/runs/{}", id("jobId"), id("jobRunId"));
    let attempt = &leased["attempt"];
    let line = json!({ "timestamp": world.app.now(), "source": "sail", "stream": "stderr", "message": "up" });
    let utilization = json!({ "cpu": 0, "memory": 0, "capacity": 4 });
    Some(match operation {
        "registerAgent" => {
            let secret = "another secret of an agent, of no use elsewhere";
            anonymous("/agent/register", registration(&world.registration_token, secret))
        }
        "agentHeartbeat" => {
            agent("POST", "/agent/heartbeat", json!({ "holding": [leased], "utilization": utilization }))
        }
        "leaseJobRuns" => agent("POST", "/agent/lease", json!({ "holding": [leased], "capacity": 1 })),
        "reportJobRunEvents" => {
            let report = json!({ "sequence": 1, "event": "sail_requested" });
            agent("POST", format!("{run}/events"), json!({ "attempt": attempt, "reports": [report] }))
        }
        "appendJobRunLog" => {
            agent("POST", format!("{run}/logs"), json!({ "attempt": attempt, "firstLine": 0, "lines": [line] }))
        }
        "putJobRunResults" => {
            agent("PUT", format!("{run}/results"), json!({ "attempt": attempt, "preview": preview() }))
        }
        _ => return None,
    })
}
