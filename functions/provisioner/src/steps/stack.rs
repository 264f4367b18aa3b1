//! Stacks, whatever is in them.

use std::collections::BTreeMap;

use mainsheet_cloud::account::{
    CONNECTION_TAG, ClientToken, NewStack, Stack, StackEvent, StackResource, StackStatus, StackUpdate, Tags, Template,
    found,
};
use mainsheet_core::operation::{ProgressResource, ResourceAction, ResourceProgress};

use crate::Reached;
use crate::steps::site::Site;
use crate::trouble::Trouble;
use crate::work::Thing;

const STACK: &str = "AWS::CloudFormation::Stack";

/// The stack is there; `None` while it is not yet.
pub(crate) async fn is_there(
    site: &Site<'_>,
    template: Template,
    parameters: BTreeMap<String, String>,
) -> Result<Option<Stack>, Trouble> {
    let name = site.stack_name();
    let thing = Thing { kind: STACK, name: &name };
    let Some(stack) = found(site.account.stack(&name).await)? else {
        let intent = site.work.intend(thing).await?;
        let token = ClientToken::new(&intent.client_token);
        let new = NewStack { name: name.clone(), template, parameters, tags: intent.tags, token };
        site.account.create_stack(&new).await?;
        site.work.note(thing, ResourceAction::Create, ResourceProgress::Running).await?;
        return Ok(None);
    };
    require_ours(site, &stack.tags, &format!("stack {name}"))?;
    note_parts(site, &stack, ResourceAction::Create).await?;
    match stack.status {
        StackStatus::CreateComplete | StackStatus::UpdateComplete | StackStatus::UpdateRollbackComplete => {
            site.work.note_created(thing, &stack.arn).await?;
            Ok(Some(stack))
        }
        // Also while it undoes itself: there is less to remove afterwards.
        status if status.is_in_progress() => Ok(None),
        _ => {
            site.work.note(thing, ResourceAction::Create, ResourceProgress::Failed).await?;
            Err(failure(site, &name, "could not be made").await?)
        }
    }
}

/// The stack is gone, and with it what is in it but for buckets that something is in: those are the customer's.
pub(crate) async fn is_gone(site: &Site<'_>, name: &str) -> Result<Reached, Trouble> {
    let thing = Thing { kind: STACK, name };
    let there = found(site.account.stack(name).await)?.filter(|stack| stack.status != StackStatus::DeleteComplete);
    let Some(stack) = there.filter(|stack| is_ours(site, &stack.tags)) else {
        site.work.note_gone(thing).await?;
        // It goes last: whatever else was under way or made is gone with it.
        site.work.note_all_gone().await?;
        return Ok(Reached::Done);
    };
    match stack.status {
        StackStatus::DeleteInProgress => note_parts(site, &stack, ResourceAction::Delete).await?,
        // CloudFormation breaks a creation off, but no change and no return to what was.
        status if status.is_in_progress() && status != StackStatus::CreateInProgress => {}
        StackStatus::DeleteFailed if site.work.has_asked(thing, ResourceAction::Delete) => {
            let Some(full) = full_buckets(site, name).await? else {
                site.work.note(thing, ResourceAction::Delete, ResourceProgress::Failed).await?;
                return Err(failure(site, name, "could not be removed").await?);
            };
            site.account.delete_stack(name, &full, &site.token(&format!("delete-but-{}", full.join("-")))).await?;
        }
        _ => {
            site.account.delete_stack(name, &[], &site.token("delete")).await?;
            site.work.note(thing, ResourceAction::Delete, ResourceProgress::Running).await?;
        }
    }
    Ok(Reached::NotYet)
}

/// The buckets that are all that keeps a stack from going; `None` when there is something else.
async fn full_buckets(site: &Site<'_>, name: &str) -> Result<Option<Vec<String>>, Trouble> {
    let parts = site.account.stack_resources(name).await?;
    let stuck: Vec<StackResource> = parts.into_iter().filter(|part| part.status == StackStatus::DeleteFailed).collect();
    let all_full = !stuck.is_empty() && stuck.iter().all(StackResource::is_full_bucket);
    Ok(all_full.then(|| stuck.into_iter().map(|bucket| bucket.logical_id).collect()))
}

/// The stack is as the template and the parameters say.
pub(crate) async fn is_as_wanted(
    site: &Site<'_>,
    name: &str,
    template: Template,
    parameters: &BTreeMap<String, String>,
) -> Result<Reached, Trouble> {
    let thing = Thing { kind: STACK, name };
    let stack = site.account.stack(name).await?;
    match stack.status {
        status if status.is_in_progress() => return Ok(Reached::NotYet),
        StackStatus::UpdateComplete if site.work.has_asked(thing, ResourceAction::Update) => {
            site.work.note_as_wanted(thing).await?;
            return Ok(Reached::Done);
        }
        StackStatus::UpdateRollbackComplete | StackStatus::UpdateRollbackFailed | StackStatus::UpdateFailed
            if site.work.has_asked(thing, ResourceAction::Update) =>
        {
            site.work.note(thing, ResourceAction::Update, ResourceProgress::Failed).await?;
            return Err(failure(site, name, "could not be updated").await?);
        }
        _ => {}
    }
    match site.account.update_stack(name, template, parameters, &site.token("update")).await? {
        StackUpdate::Started => {
            site.work.note(thing, ResourceAction::Update, ResourceProgress::Running).await?;
            Ok(Reached::NotYet)
        }
        StackUpdate::Unchanged => {
            site.work.note_as_wanted(thing).await?;
            Ok(Reached::Done)
        }
    }
}

/// What has this name was made for this connection.
pub(crate) fn require_ours(site: &Site<'_>, tags: &Tags, what: &str) -> Result<(), Trouble> {
    if is_ours(site, tags) { Ok(()) } else { Err(Trouble::foreign(what)) }
}

fn is_ours(site: &Site<'_>, tags: &Tags) -> bool {
    tags.get(CONNECTION_TAG).map(String::as_str) == Some(site.connection.id.as_str())
}

/// Why a stack failed: the first things that did, in the order in which they did.
async fn failure(site: &Site<'_>, name: &str, how: &str) -> Result<Trouble, Trouble> {
    let events = site.account.stack_events(name).await?;
    let failed = |event: &&StackEvent| {
        matches!(event.status, StackStatus::CreateFailed | StackStatus::UpdateFailed | StackStatus::DeleteFailed)
    };
    // One part that fails makes others be cancelled: those say nothing.
    let told = |event: &StackEvent| {
        let reason = event.reason.as_deref().filter(|reason| !reason.contains("cancelled"))?;
        Some(format!("{} ({}): {reason}", event.logical_id, event.kind))
    };
    let reasons: Vec<String> = events.iter().rev().filter(failed).filter_map(told).take(3).collect();
    let said = (!reasons.is_empty()).then(|| reasons.join("; "));
    Ok(Trouble::failed(format!("The stack {name} {how}."), said))
}

/// Tells how far each part of a stack is, and of the stack itself that it is under way as long as it is.
async fn note_parts(site: &Site<'_>, stack: &Stack, action: ResourceAction) -> Result<(), Trouble> {
    let parts = found(site.account.stack_resources(&stack.name).await)?.unwrap_or_default();
    let note = |part: &StackResource| ProgressResource {
        urn: format!("urn:mainsheet:{}:{}:{}", site.work.operation.resource.id(), part.kind, part.logical_id),
        kind: part.kind.clone(),
        name: part.physical_id.clone().unwrap_or_else(|| part.logical_id.clone()),
        operation: action,
        status: progress(part.status, action),
        duration: 0,
        started_at: None,
    };
    let thing = Thing { kind: STACK, name: &stack.name };
    let whole = site.work.progress_of(thing, action, ResourceProgress::Running);
    let whole = stack.status.is_in_progress().then_some(whole);
    Ok(site.work.note_all(whole.into_iter().chain(parts.iter().map(note)).collect()).await?)
}

/// How far what is made or removed is.
fn progress(status: StackStatus, action: ResourceAction) -> ResourceProgress {
    match status {
        StackStatus::CreateComplete if action == ResourceAction::Delete => ResourceProgress::Pending,
        StackStatus::CreateComplete | StackStatus::UpdateComplete => ResourceProgress::Succeeded,
        StackStatus::DeleteComplete if action == ResourceAction::Delete => ResourceProgress::Succeeded,
        status if status.is_in_progress() => ResourceProgress::Running,
        _ => ResourceProgress::Failed,
    }
}
