//! What a customer does in an account: deploys the connection's template, takes permissions away, removes the role.

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_cloud::account::{ClientToken, NewStack, QuotaKind, Tags, Template, boundary_name};
use mainsheet_core::connection::{AccountId, RoleArn};
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, Error, Result};
use saphyr::{LoadableYamlNode, Yaml};
use serde::Serialize;

use crate::session::{Scene, role_name};
use crate::state::Role;
use crate::{CloudSimulator, stacks};

/// What deploying the connection's template made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    /// The account.
    pub account_id: AccountId,
    /// The stack.
    pub stack_arn: String,
    /// The role that the platform enters by: what the connection is verified with.
    pub role_arn: RoleArn,
}

/// A text that is not the connection's template with its parameters filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeployError {
    /// It is no YAML.
    #[error("the template is no YAML: {0}")]
    Malformed(String),
    /// A parameter has no value.
    #[error("the parameter {0} has no value; download the template of the connection, which has them filled in")]
    Unfilled(String),
    /// A parameter has a value that it cannot have.
    #[error("a parameter has a value that it cannot have: {0}")]
    Invalid(String),
    /// It could not be kept.
    #[error("{0}")]
    NotKept(String),
}

impl CloudSimulator {
    /// Deploys the connection's template, as it was downloaded, into an account. Deployed again, it takes the place of what it made
    /// before.
    ///
    /// # Errors
    /// [`DeployError`] that says what is wrong with it.
    pub fn deploy(&self, account: &AccountId, region: &Region, template: &str) -> Result<Deployed, DeployError> {
        let parameters = parameters(template)?;
        let of = |name: &str| parameters.get(name).cloned().ok_or_else(|| DeployError::Unfilled(name.to_owned()));
        for name in Template::Connection.required_parameters() {
            of(name)?;
        }
        stacks::require_parameters(Template::Connection, &parameters)
            .map_err(|error| DeployError::Invalid(error.to_string()))?;
        let role = format!("arn:aws:iam::{account}:role/{}", of("IamRoleName")?);
        let role: RoleArn = role.parse().map_err(|_| DeployError::Invalid("IamRoleName".to_owned()))?;
        let connection = of("LakeSailConnectionID")?;
        let connection = connection.parse().map_err(|_| DeployError::Invalid("LakeSailConnectionID".to_owned()))?;
        let stack_arn = self.make_role(&role, region, &connection, &of("LakeSailExternalID")?, template, parameters);
        let stack_arn = stack_arn.map_err(|error| DeployError::NotKept(error.to_string()))?;
        Ok(Deployed { account_id: account.clone(), stack_arn, role_arn: role })
    }

    /// An account has a role that trusts the platform with an external id, as if an older template had been deployed. Answers the
    /// stack's ARN.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when that cannot be kept.
    pub fn trust(
        &self,
        role: &RoleArn,
        region: &Region,
        connection: &ConnectionId,
        external_id: &str,
    ) -> Result<String> {
        let parameters = [
            ("IamRoleName", role_name(role).to_owned()),
            ("IamPermissionBoundaryName", boundary_name(connection)),
            ("LakeSailAccountID", "000000000000".to_owned()),
            ("LakeSailTenantID", "T".to_owned()),
            ("LakeSailConnectionID", connection.to_string()),
            ("LakeSailConnectionIDLowerCase", connection.as_str().to_lowercase()),
            ("LakeSailExternalID", external_id.to_owned()),
            ("LakeSailPrincipal", "arn:aws:iam::000000000000:root".to_owned()),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value)).into();
        self.make_role(role, region, connection, external_id, "An older one.", parameters)
    }

    fn make_role(
        &self,
        arn: &RoleArn,
        region: &Region,
        connection: &ConnectionId,
        external_id: &str,
        body: &str,
        parameters: BTreeMap<String, String>,
    ) -> Result<String> {
        let boundary_name = parameters.get("IamPermissionBoundaryName").cloned().unwrap_or_default();
        let mut state = self.state();
        let (now, account_id) = (self.now(), arn.account_id());
        let state_now = &mut *state;
        let account = state_now.accounts.entry(account_id.clone()).or_default();
        let mut scene = Scene::of(now, (&account_id, account), region, arn, &mut state_now.named);
        let stack = NewStack {
            name: format!("mainsheet-{connection}-connection"),
            template: Template::Connection,
            parameters,
            tags: Tags::new(),
            token: ClientToken::new("deployed-by-the-customer"),
        };
        // A customer waits for it: it is there at once.
        let made = stacks::begin(&mut scene, &stack, body.to_owned(), None).made_at_once(now);
        let stack_arn = made.arn.clone();
        scene.here().stacks.retain(|other| other.name != made.name);
        scene.here().stacks.push(made);
        let role = Role {
            external_id: Some(external_id.to_owned()),
            connection_id: connection.clone(),
            stack_arn: stack_arn.clone(),
            boundary_name,
            denied: BTreeSet::new(),
        };
        scene.account.roles.insert(role_name(arn).to_owned(), role);
        self.keep(&state)?;
        Ok(stack_arn)
    }

    /// Takes permissions of a role away, or gives all of them back when there are none to take: actions as in IAM policies.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such role.
    pub fn deny(&self, role: &RoleArn, actions: &[&str]) -> Result<()> {
        self.change(|state| {
            let account = state.accounts.get_mut(&role.account_id());
            let found = account.and_then(|account| account.roles.get_mut(role_name(role))).ok_or(Error::NotFound)?;
            found.denied = actions.iter().map(|action| (*action).to_owned()).collect();
            Ok(())
        })?
    }

    /// Somebody edits a role's trust policy, so that it demands no external id any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such role.
    pub fn trust_anybody(&self, role: &RoleArn) -> Result<()> {
        self.change(|state| {
            let account = state.accounts.get_mut(&role.account_id());
            let found = account.and_then(|account| account.roles.get_mut(role_name(role))).ok_or(Error::NotFound)?;
            found.external_id = None;
            Ok(())
        })?
    }

    /// Removes a role: every session of it ends with that.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such role.
    pub fn remove_role(&self, role: &RoleArn) -> Result<()> {
        self.change(|state| {
            let account = state.accounts.get_mut(&role.account_id());
            let removed = account.and_then(|account| account.roles.remove(role_name(role)));
            removed.map(|_| ()).ok_or(Error::NotFound)
        })?
    }

    /// Somebody puts something into a bucket.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when that cannot be kept.
    pub fn fill_bucket(&self, account: &AccountId, bucket: &str) -> Result<()> {
        self.change(|state| {
            state.accounts.entry(account.clone()).or_default().full_buckets.insert(bucket.to_owned());
        })
    }

    /// Sets what an account may have of something, in each region.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when that cannot be kept.
    pub fn set_quota(&self, account: &AccountId, kind: QuotaKind, limit: u64) -> Result<()> {
        self.change(|state| {
            state.accounts.entry(account.clone()).or_default().quotas.insert(kind, limit);
        })
    }
}

/// The defaults of a template's parameters.
fn parameters(template: &str) -> Result<BTreeMap<String, String>, DeployError> {
    let documents = Yaml::load_from_str(template).map_err(|error| DeployError::Malformed(error.to_string()))?;
    let nothing = || DeployError::Malformed("it has no Parameters".to_owned());
    let parameters =
        documents.first().and_then(|document| document.as_mapping_get("Parameters")).ok_or_else(nothing)?;
    let parameters = parameters.as_mapping().ok_or_else(nothing)?;
    let filled = parameters.iter().filter_map(|(name, parameter)| {
        let default = parameter.as_mapping_get("Default")?.as_str()?;
        Some((name.as_str()?.to_owned(), default.to_owned()))
    });
    Ok(filled.collect())
}
