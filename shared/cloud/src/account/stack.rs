//! CloudFormation stacks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainsheet_core::Timestamp;
use mainsheet_core::connection::RoleArn;
use serde::{Deserialize, Serialize};

use super::{CONNECTION_TAG, ClientToken, CloudResult, NAME_PREFIX, Tags, Template};

/// Builds and removes stacks. They are known by name, or by the ARN that was answered at their creation.
#[async_trait]
pub trait Stacks: Send + Sync {
    /// Begins to create a stack, and answers its ARN. When it fails, it undoes what it made and ends as
    /// [`StackStatus::RollbackComplete`]: it has to be deleted before there can be another of its name.
    /// CloudFormation is handed [`NewStack::role_arn`] for it.
    ///
    /// # Errors
    /// [`super::CloudError::AlreadyExists`] when there is a stack of this name that another token made; and those of every call.
    async fn create_stack(&self, stack: &NewStack) -> CloudResult<String>;

    /// A stack as it is now.
    ///
    /// # Errors
    /// [`super::CloudError::NotFound`] when there is none. By name that includes one that was deleted; by ARN that one is
    /// [`StackStatus::DeleteComplete`].
    async fn stack(&self, name: &str) -> CloudResult<Stack>;

    /// What a stack is made of, and how far each part is.
    ///
    /// # Errors
    /// As of [`Stacks::stack`].
    async fn stack_resources(&self, name: &str) -> CloudResult<Vec<StackResource>>;

    /// The latest 100 events of a stack, latest first: the first failures say why it failed.
    ///
    /// # Errors
    /// As of [`Stacks::stack`].
    async fn stack_events(&self, name: &str) -> CloudResult<Vec<StackEvent>>;

    /// Begins to bring a stack to a template and parameters. Parameters that are not named keep their values, tags stay.
    ///
    /// # Errors
    /// [`super::CloudError::NotFound`]; [`super::CloudError::Conflict`] while something else is done to it.
    async fn update_stack(
        &self,
        name: &str,
        template: Template,
        parameters: &BTreeMap<String, String>,
        token: &ClientToken,
    ) -> CloudResult<StackUpdate>;

    /// Begins to delete a stack. Deleting one that is being deleted changes nothing. The parts with the logical ids of `keep` stay in
    /// the account: that can be asked of a stack alone that is [`StackStatus::DeleteFailed`].
    ///
    /// # Errors
    /// [`super::CloudError::NotFound`] when there is none; and those of every call. What is in use makes it
    /// [`StackStatus::DeleteFailed`] afterwards.
    async fn delete_stack(&self, name: &str, keep: &[String], token: &ClientToken) -> CloudResult<()>;
}

/// A stack to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStack {
    /// Its name: at most 128 letters, digits and hyphens, beginning with [`super::NAME_PREFIX`].
    pub name: String,
    /// What it is made of.
    pub template: Template,
    /// Values of the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its tags, which all that it makes has, too.
    pub tags: Tags,
    /// What makes it one stack.
    pub token: ClientToken,
}

impl NewStack {
    /// The role that CloudFormation builds it with, and changes and removes it: `StacksRole` of the connection's template. `None`
    /// for one that is of no connection. It is in the account of `role`, by which the platform entered.
    #[must_use]
    pub fn role_arn(&self, role: &RoleArn) -> Option<String> {
        let connection = self.tags.get(CONNECTION_TAG)?;
        let account = role.as_str().split_once(":role/").map(|(account, _)| account)?;
        Some(format!("{account}:role/{NAME_PREFIX}{connection}-stacks"))
    }
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: StackStatus,
    /// Why, where the provider says so.
    pub reason: Option<String>,
    /// What it tells about what it made.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

/// Where a stack, or a part of one, stands (AWS CloudFormation, stack status codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StackStatus {
    /// It is being made.
    CreateInProgress,
    /// It could not be made, and was left as it is.
    CreateFailed,
    /// It was made.
    CreateComplete,
    /// It could not be made, and is being undone.
    RollbackInProgress,
    /// It could neither be made nor undone.
    RollbackFailed,
    /// It could not be made, and nothing of it is left but its name.
    RollbackComplete,
    /// It is being changed.
    UpdateInProgress,
    /// It was changed.
    UpdateComplete,
    /// It could not be changed, and was left as it is.
    UpdateFailed,
    /// It could not be changed, and is being brought back.
    UpdateRollbackInProgress,
    /// It could neither be changed nor brought back.
    UpdateRollbackFailed,
    /// It could not be changed, and is as it was.
    UpdateRollbackComplete,
    /// It is being deleted.
    DeleteInProgress,
    /// It could not be deleted.
    DeleteFailed,
    /// It is gone.
    DeleteComplete,
}

impl StackStatus {
    /// Whether it will be another one without anybody asking for it.
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        matches!(
            self,
            Self::CreateInProgress
                | Self::RollbackInProgress
                | Self::UpdateInProgress
                | Self::UpdateRollbackInProgress
                | Self::DeleteInProgress
        )
    }

    /// Whether the stack stands as it was asked for last.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete)
    }
}

/// A part of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// Its name in the template.
    pub logical_id: String,
    /// What the provider calls it, once there is something to call.
    pub physical_id: Option<String>,
    /// As in `AWS::EC2::VPC`.
    pub kind: String,
    /// Where it stands.
    pub status: StackStatus,
    /// Why, where the provider says so.
    pub reason: Option<String>,
    /// Since when.
    pub updated_at: Timestamp,
}

impl StackResource {
    /// Whether it is a bucket that could not be deleted because there is something in it. Amazon S3 deletes empty buckets alone
    /// (`BucketNotEmpty`).
    #[must_use]
    pub fn is_full_bucket(&self) -> bool {
        let refused = |reason: &String| reason.contains("BucketNotEmpty") || reason.contains("is not empty");
        self.kind == "AWS::S3::Bucket"
            && self.status == StackStatus::DeleteFailed
            && self.reason.as_ref().is_some_and(refused)
    }
}

/// Something that happened to a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// When.
    pub at: Timestamp,
    /// To which part; the stack's own name for the stack itself.
    pub logical_id: String,
    /// As in `AWS::EC2::VPC`.
    pub kind: String,
    /// What it became.
    pub status: StackStatus,
    /// Why, where the provider says so.
    pub reason: Option<String>,
}

/// What came of asking for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackUpdate {
    /// It is being made.
    Started,
    /// There is nothing to change.
    Unchanged,
}
