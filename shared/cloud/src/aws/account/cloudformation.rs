//! AWS CloudFormation: stacks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::Region as SdkRegion;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::operation::update_stack::UpdateStackError;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{self as sdk, Capability, Parameter, Tag};
use mainsheet_core::Timestamp;

use super::refusal::Asked;
use super::{Session, TOKEN_TAG};
use crate::account::{
    Action, CONNECTION_TAG, ClientToken, CloudError, CloudResult, NewStack, OwnedKind, OwnedResource, Stack,
    StackEvent, StackResource, StackStatus, StackUpdate, Stacks, Tags, Template,
};

/// The most events that are looked at.
const EVENTS: usize = 100;

#[async_trait]
impl Stacks for Session {
    async fn create_stack(&self, new: &NewStack) -> CloudResult<String> {
        let parameters = new.parameters.iter().map(|(name, value)| parameter(name, value)).collect();
        let request = self
            .cloudformation
            .create_stack()
            .stack_name(&new.name)
            .template_body(new.template.body())
            .set_parameters(Some(parameters))
            .set_tags(Some(tags(&new.tags, &new.token)))
            .set_role_arn(new.role_arn(self.role_arn()))
            .capabilities(Capability::CapabilityNamedIam)
            .client_request_token(new.token.as_str());
        match self.answer(asked(Action::CreateStack, &new.name), request.send().await).await {
            Ok(made) => made.stack_id.ok_or_else(|| without("an id of the stack")),
            Err(CloudError::AlreadyExists { what }) => self.made_before(new, what).await,
            Err(error) => Err(error),
        }
    }

    async fn stack(&self, name: &str) -> CloudResult<Stack> {
        view(self.described(name).await?)
    }

    async fn stack_resources(&self, name: &str) -> CloudResult<Vec<StackResource>> {
        let request = self.stacks_of(name).describe_stack_resources().stack_name(name);
        let answer = self.answer(asked(Action::DescribeStackResources, name), request.send().await).await?;
        answer.stack_resources().iter().map(resource).collect()
    }

    async fn stack_events(&self, name: &str) -> CloudResult<Vec<StackEvent>> {
        let request = self.stacks_of(name).describe_stack_events().stack_name(name);
        let answer = self.answer(asked(Action::DescribeStackEvents, name), request.send().await).await?;
        // One page has the latest, latest first.
        answer.stack_events().iter().take(EVENTS).map(event).collect()
    }

    async fn update_stack(
        &self,
        name: &str,
        template: Template,
        parameters: &BTreeMap<String, String>,
        token: &ClientToken,
    ) -> CloudResult<StackUpdate> {
        let present = self.described(name).await?;
        let request = self
            .stacks_of(name)
            .update_stack()
            .stack_name(name)
            .template_body(template.body())
            .set_parameters(Some(kept(&present, template, parameters)))
            .capabilities(Capability::CapabilityNamedIam)
            .client_request_token(token.as_str());
        match request.send().await {
            Err(error) if error.as_service_error().is_some_and(nothing_to_do) => Ok(StackUpdate::Unchanged),
            Err(error) if error.as_service_error().is_some_and(UpdateStackError::is_token_already_exists_exception) => {
                Ok(StackUpdate::Started)
            }
            answer => self.answer(asked(Action::UpdateStack, name), answer).await.map(|_| StackUpdate::Started),
        }
    }

    async fn delete_stack(&self, name: &str, keep: &[String], token: &ClientToken) -> CloudResult<()> {
        // CloudFormation is content with deleting what is not there.
        let stack = self.stack(name).await?;
        if matches!(stack.status, StackStatus::DeleteInProgress | StackStatus::DeleteComplete) {
            return Ok(());
        }
        let request = self.stacks_of(name).delete_stack().stack_name(name).client_request_token(token.as_str());
        let request = request.set_retain_resources((!keep.is_empty()).then(|| keep.to_vec()));
        self.answer(asked(Action::DeleteStack, name), request.send().await).await.map(|_| ())
    }
}

impl Session {
    /// The stacks of this region that were made for a connection.
    pub(super) async fn owned_stacks(&self, connection: &str) -> CloudResult<Vec<OwnedResource>> {
        let mut pages = self.cloudformation.describe_stacks().into_paginator().items().send();
        let mut owned = Vec::new();
        while let Some(answer) = pages.next().await {
            let stack = view(self.answer(asked(Action::DescribeStacks, "of the region"), answer).await?)?;
            if stack.tags.get(CONNECTION_TAG).is_some_and(|tag| tag == connection) {
                owned.push(OwnedResource {
                    kind: OwnedKind::Stack,
                    name: stack.name,
                    arn: stack.arn,
                    tags: stack.tags,
                });
            }
        }
        Ok(owned)
    }

    async fn described(&self, name: &str) -> CloudResult<sdk::Stack> {
        let request = self.stacks_of(name).describe_stacks().stack_name(name);
        let answer = self.answer(asked(Action::DescribeStacks, name), request.send().await).await?;
        answer.stacks.and_then(|mut stacks| stacks.pop()).ok_or_else(|| CloudError::not_found("stack", name))
    }

    /// There is a stack of the name of a new one: the same call made it, or another one did.
    async fn made_before(&self, new: &NewStack, what: String) -> CloudResult<String> {
        let present = self.stack(&new.name).await?;
        if present.tags.get(TOKEN_TAG).is_some_and(|token| token == new.token.as_str()) {
            return Ok(present.arn);
        }
        Err(CloudError::AlreadyExists { what })
    }

    /// CloudFormation of the region that an ARN names; of the session's for a mere name.
    fn stacks_of(&self, name: &str) -> Client {
        match name.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)) {
            Some(region) if region != self.access.region.as_str() => {
                Client::new(&self.config.to_builder().region(SdkRegion::new(region.to_owned())).build())
            }
            _ => self.cloudformation.clone(),
        }
    }
}

fn asked(action: Action, name: &str) -> Asked<'_> {
    Asked::new(action, "stack", name)
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(name).parameter_value(value).build()
}

/// The parameters of an update: what is named, and what the stack has.
fn kept(present: &sdk::Stack, template: Template, named: &BTreeMap<String, String>) -> Vec<Parameter> {
    let has = |name: &str| present.parameters().iter().any(|parameter| parameter.parameter_key() == Some(name));
    let known = template.required_parameters().iter().chain(template.optional_parameters());
    let as_before = known.filter(|name| !named.contains_key(**name) && has(name));
    let as_before = as_before.map(|name| Parameter::builder().parameter_key(*name).use_previous_value(true).build());
    named.iter().map(|(name, value)| parameter(name, value)).chain(as_before).collect()
}

fn tags(tags: &Tags, token: &ClientToken) -> Vec<Tag> {
    let tag = |name: &str, value: &str| Tag::builder().key(name).value(value).build();
    let given = tags.iter().map(|(name, value)| tag(name, value));
    given.chain([tag(TOKEN_TAG, token.as_str())]).collect()
}

fn nothing_to_do(error: &UpdateStackError) -> bool {
    error.message().is_some_and(|message| message.contains("No updates are to be performed"))
}

fn view(stack: sdk::Stack) -> CloudResult<Stack> {
    let outputs = stack.outputs().iter();
    let outputs =
        outputs.filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())));
    let tags = stack.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    Ok(Stack {
        outputs: outputs.collect(),
        tags: tags.collect(),
        status: status(stack.stack_status().map_or("", |status| status.as_str()))?,
        arn: stack.stack_id.ok_or_else(|| without("an id of the stack"))?,
        name: stack.stack_name.ok_or_else(|| without("a name of the stack"))?,
        reason: stack.stack_status_reason,
    })
}

fn resource(resource: &sdk::StackResource) -> CloudResult<StackResource> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(StackResource {
        logical_id: text(resource.logical_resource_id()),
        physical_id: resource.physical_resource_id().filter(|id| !id.is_empty()).map(str::to_owned),
        kind: text(resource.resource_type()),
        status: status(resource.resource_status().map_or("", |status| status.as_str()))?,
        reason: resource.resource_status_reason().map(str::to_owned),
        updated_at: moment(resource.timestamp()),
    })
}

fn event(event: &sdk::StackEvent) -> CloudResult<StackEvent> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(StackEvent {
        at: moment(event.timestamp()),
        logical_id: text(event.logical_resource_id()),
        kind: text(event.resource_type()),
        status: status(event.resource_status().map_or("", |status| status.as_str()))?,
        reason: event.resource_status_reason().map(str::to_owned),
    })
}

/// Where a stack, or a part of one, stands. Cleaning up after an update is still updating; imports, which customers may do,
/// are updates; a stack that is only reviewed has nothing but its name.
fn status(text: &str) -> CloudResult<StackStatus> {
    Ok(match text {
        "CREATE_IN_PROGRESS" => StackStatus::CreateInProgress,
        "CREATE_FAILED" => StackStatus::CreateFailed,
        "CREATE_COMPLETE" => StackStatus::CreateComplete,
        "ROLLBACK_IN_PROGRESS" => StackStatus::RollbackInProgress,
        "ROLLBACK_FAILED" => StackStatus::RollbackFailed,
        "ROLLBACK_COMPLETE" | "REVIEW_IN_PROGRESS" => StackStatus::RollbackComplete,
        "UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" | "IMPORT_IN_PROGRESS" => {
            StackStatus::UpdateInProgress
        }
        "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => StackStatus::UpdateComplete,
        "UPDATE_FAILED" | "IMPORT_FAILED" => StackStatus::UpdateFailed,
        "UPDATE_ROLLBACK_IN_PROGRESS"
        | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        | "IMPORT_ROLLBACK_IN_PROGRESS" => StackStatus::UpdateRollbackInProgress,
        "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => StackStatus::UpdateRollbackFailed,
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => StackStatus::UpdateRollbackComplete,
        "DELETE_IN_PROGRESS" => StackStatus::DeleteInProgress,
        "DELETE_FAILED" => StackStatus::DeleteFailed,
        // What is skipped stays in the account, but is no part of the stack any more.
        "DELETE_COMPLETE" | "DELETE_SKIPPED" => StackStatus::DeleteComplete,
        other => {
            return Err(CloudError::Invalid {
                message: format!("CloudFormation has a status `{other}`, which is new"),
            });
        }
    })
}

fn moment(at: Option<&DateTime>) -> Timestamp {
    Timestamp::from_millisecond(at.and_then(|at| at.to_millis().ok()).unwrap_or_default())
}

fn without(what: &str) -> CloudError {
    CloudError::Unavailable { message: format!("CloudFormation answered without {what}") }
}
