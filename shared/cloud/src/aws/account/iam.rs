//! AWS IAM: what the role is, and what it may do.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use super::Session;
use super::refusal::Asked;
use crate::account::{Action, CloudError, CloudResult, IMPLIED, NAME_PREFIX, SERVICE_ROLES, Scope};

/// The role's tag that names the stack that made it (`infra/customer/connection.yaml`).
const STACK_TAG: &str = "LakeSail-Stack";

const SCOPES: [Scope; 8] = [
    Scope::Everything,
    Scope::Stack,
    Scope::Cluster,
    Scope::NodeGroup,
    Scope::AddOn,
    Scope::AccessEntry,
    Scope::OwnRole,
    Scope::Role,
];

/// What the role tells of itself; nothing when it may not look at itself.
#[derive(Debug, Default)]
pub(super) struct OwnRole {
    /// The stack that made it, where one did.
    pub(super) stack_arn: Option<String>,
    /// Its permissions boundary, by its name.
    pub(super) boundary_name: Option<String>,
}

impl Session {
    /// What the role tells of itself.
    pub(super) async fn own_role(&self) -> CloudResult<OwnRole> {
        let name = self.role_name();
        let asked = Asked::new(Action::GetRole, "role", name);
        let role = match self.answer(asked, self.iam.get_role().role_name(name).send().await).await {
            Ok(answer) => answer.role,
            Err(CloudError::AccessDenied { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(role) = role else { return Ok(OwnRole::default()) };
        let stack = role.tags().iter().find(|tag| tag.key() == STACK_TAG);
        let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
        Ok(OwnRole {
            stack_arn: stack.map(|tag| tag.value().to_owned()),
            boundary_name: boundary.and_then(|arn| arn.rsplit('/').next()).map(str::to_owned),
        })
    }

    /// What of all that the platform does the role does not permit, its boundary and its organization's policies included.
    pub(super) async fn missing_actions(&self) -> CloudResult<Vec<String>> {
        let mut missing = Vec::new();
        for scope in SCOPES {
            let called = Action::ALL.iter().filter(|action| action.scope() == scope).map(|action| action.as_str());
            let implied = IMPLIED.iter().filter(|(_, of)| *of == scope).map(|(action, _)| *action);
            let actions = called.chain(implied).map(str::to_owned).collect();
            missing.extend(self.denied(actions, &self.example(scope)).await?);
        }
        let service_role = self.arn_of_role("aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS");
        missing.extend(self.denied(vec![SERVICE_ROLES.to_owned()], &service_role).await?);
        missing.sort();
        missing.dedup();
        Ok(missing)
    }

    /// Which of these actions the role may not do with something.
    async fn denied(&self, actions: Vec<String>, resource: &str) -> CloudResult<Vec<String>> {
        let service = ContextEntry::builder()
            .context_key_name("iam:AWSServiceName")
            .context_key_type(ContextKeyTypeEnum::String)
            .context_key_values("eks.amazonaws.com");
        let request = self
            .iam
            .simulate_principal_policy()
            .policy_source_arn(self.role_arn().as_str())
            .set_action_names(Some(actions))
            .resource_arns(resource)
            .context_entries(service.build());
        let asked = Asked::new(Action::SimulatePrincipalPolicy, "role", self.role_arn().as_str());
        let mut pages = request.into_paginator().items().send();
        let mut denied = Vec::new();
        while let Some(result) = pages.next().await {
            match self.answer(asked, result).await {
                Ok(result) if is_allowed(&result) => {}
                Ok(result) => denied.push(result.eval_action_name),
                // Without this one, nothing is known of the others.
                Err(CloudError::AccessDenied { action, .. }) => return Ok(vec![action]),
                Err(error) => return Err(error),
            }
        }
        Ok(denied)
    }

    /// Something of a scope, as the platform names it.
    fn example(&self, scope: Scope) -> String {
        let name = format!("{NAME_PREFIX}x");
        match scope {
            Scope::Everything => "*".to_owned(),
            Scope::Stack => self.arn("cloudformation", &format!("stack/{name}/x")),
            Scope::Cluster => self.arn("eks", &format!("cluster/{name}")),
            Scope::NodeGroup => self.arn("eks", &format!("nodegroup/{name}/x/x")),
            Scope::AddOn => self.arn("eks", &format!("addon/{name}/x/x")),
            Scope::AccessEntry => self.arn("eks", &format!("access-entry/{name}/role/x/x/x")),
            Scope::OwnRole => self.role_arn().to_string(),
            Scope::Role => self.arn_of_role(&name),
        }
    }

    /// The role's name, without its path.
    fn role_name(&self) -> &str {
        self.role_arn().as_str().rsplit('/').next().unwrap_or_default()
    }
}

fn is_allowed(result: &EvaluationResult) -> bool {
    result.eval_decision == PolicyEvaluationDecisionType::Allowed
}
