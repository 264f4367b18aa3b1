//! A session in an account: what every call has in common.

use mainsheet_cloud::account::{Access, Action, CloudError, CloudResult, NAME_PREFIX, Tags};
use mainsheet_core::Timestamp;
use mainsheet_core::connection::{AccountId, RoleArn};
use mainsheet_core::region::Region;
use secrecy::{ExposeSecret, SecretString};

use crate::CloudSimulator;
use crate::fault::{self, FaultError};
use crate::state::{Account, RegionState, Role, State};

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service, as IAM calls it; or `kubernetes`.
    pub service: String,
    /// The call, as IAM calls it.
    pub operation: String,
}

impl From<Action> for Call {
    fn from(action: Action) -> Self {
        Self { service: action.service().to_owned(), operation: action.operation().to_owned() }
    }
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    simulator: CloudSimulator,
    role_arn: RoleArn,
    external_id: SecretString,
    pub(crate) region: Region,
}

/// What a call works on.
pub(crate) struct Scene<'s> {
    pub(crate) now: Timestamp,
    pub(crate) account_id: &'s AccountId,
    pub(crate) account: &'s mut Account,
    pub(crate) region: &'s Region,
    pub(crate) role_arn: &'s RoleArn,
    /// What the call begins is to fail.
    pub(crate) doomed: bool,
    named: &'s mut u64,
}

impl Session {
    pub(crate) fn new(simulator: CloudSimulator, access: &Access) -> Self {
        let external_id = SecretString::from(access.external_id.expose_secret().to_owned());
        Self { simulator, role_arn: access.role_arn.clone(), external_id, region: access.region.clone() }
    }

    /// A call that an action stands for.
    pub(crate) fn call<T>(
        &self,
        action: Action,
        effect: impl FnOnce(&mut Scene<'_>) -> CloudResult<T>,
    ) -> CloudResult<T> {
        self.perform(&action.into(), Some(action), effect)
    }

    /// A call with everything that may come before its effect, and between that and its answer.
    pub(crate) fn perform<T>(
        &self,
        call: &Call,
        action: Option<Action>,
        effect: impl FnOnce(&mut Scene<'_>) -> CloudResult<T>,
    ) -> CloudResult<T> {
        self.simulator.note(call.clone());
        let mut state = self.simulator.state();
        let fault = fault::strike(&mut state.faults, call);
        if let Some(refusal) = fault.and_then(|fault| fault.refusal(call, &self.role_arn)) {
            self.keep(&state)?;
            return Err(refusal);
        }
        let role = self.require_trust(&state, self.external_id.expose_secret())?;
        if let Some(action) = action.filter(|action| role.denied.contains(action.as_str())) {
            return Err(denied(action, "no identity-based policy allows it"));
        }
        let answer = self.scene(&mut state, fault == Some(FaultError::Fails), effect);
        self.keep(&state)?;
        match fault {
            Some(FaultError::AnswerLost) if answer.is_ok() => {
                Err(CloudError::Unavailable { message: "the connection was closed before the answer came".to_owned() })
            }
            _ => answer,
        }
    }

    fn scene<T>(
        &self,
        state: &mut State,
        doomed: bool,
        effect: impl FnOnce(&mut Scene<'_>) -> CloudResult<T>,
    ) -> CloudResult<T> {
        let account_id = self.role_arn.account_id();
        let (now, named) = (self.simulator.now(), &mut state.named);
        let account = state.accounts.entry(account_id.clone()).or_default();
        let mut scene = Scene::of(now, (&account_id, account), &self.region, &self.role_arn, named);
        scene.doomed = doomed;
        effect(&mut scene)
    }

    /// The role is there, and trusts whoever knows its external id; everybody, if it demands none.
    pub(crate) fn require_trust<'s>(&self, state: &'s State, external_id: &str) -> CloudResult<&'s Role> {
        let account = state.accounts.get(&self.role_arn.account_id());
        let role = account.and_then(|account| account.roles.get(role_name(&self.role_arn)));
        let trusts = |role: &&Role| role.external_id.as_deref().is_none_or(|demanded| demanded == external_id);
        role.filter(trusts).ok_or_else(|| CloudError::RoleNotAssumable {
            role_arn: self.role_arn.clone(),
            message: format!("the platform is not authorized to perform sts:AssumeRole on resource {}", self.role_arn),
        })
    }

    fn keep(&self, state: &State) -> CloudResult<()> {
        self.simulator.keep(state).map_err(|error| CloudError::Unavailable { message: error.to_string() })
    }
}

impl<'s> Scene<'s> {
    pub(crate) fn of(
        now: Timestamp,
        (account_id, account): (&'s AccountId, &'s mut Account),
        region: &'s Region,
        role_arn: &'s RoleArn,
        named: &'s mut u64,
    ) -> Self {
        Self { now, account_id, account, region, role_arn, doomed: false, named }
    }

    pub(crate) fn here(&mut self) -> &mut RegionState {
        self.account.regions.entry(self.region.clone()).or_default()
    }

    /// A name as AWS gives them to what it makes: `vpc-0000000000000000a`.
    pub(crate) fn provider_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-{:017x}", self.next_number())
    }

    pub(crate) fn uuid(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next_number())
    }

    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account_id)
    }

    /// A number that nothing else has.
    pub(crate) fn next_number(&mut self) -> u64 {
        *self.named += 1;
        *self.named
    }
}

/// The role's name, without its path.
pub(crate) fn role_name(arn: &RoleArn) -> &str {
    arn.as_str().rsplit('/').next().unwrap_or_default()
}

pub(crate) fn denied(action: Action, message: &str) -> CloudError {
    CloudError::AccessDenied { action: action.to_string(), message: message.to_owned() }
}

/// The role reaches only what carries the platform's prefix.
pub(crate) fn require_prefix(action: Action, name: &str) -> CloudResult<()> {
    if name.starts_with(NAME_PREFIX) {
        return Ok(());
    }
    Err(denied(action, "no identity-based policy allows it on a resource of this name"))
}

/// At most 50 tags, of at most 128 and 256 characters (AWS, tagging).
pub(crate) fn require_tags(tags: &Tags) -> CloudResult<()> {
    let fits = |(name, value): (&String, &String)| {
        (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256 && !name.starts_with("aws:")
    };
    if tags.len() <= 50 && tags.iter().all(fits) {
        return Ok(());
    }
    Err(CloudError::Invalid {
        message: "tags: at most 50, names of 1 to 128 and values of at most 256 characters".to_owned(),
    })
}

pub(crate) fn invalid(message: impl Into<String>) -> CloudError {
    CloudError::Invalid { message: message.into() }
}

pub(crate) fn conflict(message: impl Into<String>) -> CloudError {
    CloudError::Conflict { message: message.into() }
}
