//! Faults: what can go wrong in an account, on demand.

use mainsheet_cloud::account::{Action, CloudError, QuotaKind};
use mainsheet_core::connection::RoleArn;
use serde::{Deserialize, Serialize};

use crate::Call;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service, as IAM calls it: `sts`, `cloudformation`, `eks`, `ec2`, `iam`, `servicequotas`; or `kubernetes`.
    pub service: String,
    /// The call, as IAM calls it: `CreateCluster`. Of `kubernetes` it is `Apply`. All of the service when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What goes wrong.
    pub error: FaultError,
    /// For how many calls; for good when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// What goes wrong. All but the last two come before the call has any effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultError {
    /// Too many calls.
    Throttled,
    /// The service fails.
    Unavailable,
    /// The role does not permit the call.
    AccessDenied,
    /// The role is gone, or trusts another external id.
    RoleNotAssumable,
    /// A quota is used up.
    QuotaExceeded,
    /// A parameter is not taken.
    Invalid,
    /// The thing is in a state that does not allow it.
    Conflict,
    /// The call has its effect, and its answer gets lost.
    AnswerLost,
    /// The call is answered well, and what it begins fails: a stack rolls back, a cluster, node group or add-on becomes `FAILED`,
    /// an update fails, a deletion fails.
    Fails,
}

impl FaultError {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::Throttled,
        Self::Unavailable,
        Self::AccessDenied,
        Self::RoleNotAssumable,
        Self::QuotaExceeded,
        Self::Invalid,
        Self::Conflict,
        Self::AnswerLost,
        Self::Fails,
    ];

    /// What the caller is told instead of the call's being made; `None` when it is made.
    pub(crate) fn refusal(self, call: &Call, role: &RoleArn) -> Option<CloudError> {
        let message = || format!("an injected fault ({} {})", call.service, call.operation);
        Some(match self {
            Self::Throttled => CloudError::Throttled { retry_after: None },
            Self::Unavailable => CloudError::Unavailable { message: message() },
            Self::AccessDenied => {
                CloudError::AccessDenied { action: format!("{}:{}", call.service, call.operation), message: message() }
            }
            Self::RoleNotAssumable => CloudError::RoleNotAssumable { role_arn: role.clone(), message: message() },
            Self::QuotaExceeded => {
                let quota = if call.service == "eks" { QuotaKind::Clusters } else { QuotaKind::Vpcs };
                CloudError::QuotaExceeded { quota: quota.as_str().to_owned(), message: message() }
            }
            Self::Invalid => CloudError::Invalid { message: message() },
            Self::Conflict => CloudError::Conflict { message: message() },
            Self::AnswerLost | Self::Fails => return None,
        })
    }
}

impl Fault {
    /// Whether the platform makes such a call at all: a fault of another one would never be seen.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let besides = [("sts", "AssumeRole"), ("sts", "GetCallerIdentity"), ("kubernetes", "Apply")];
        let calls = Action::ALL.iter().map(|action| (action.service(), action.operation())).chain(besides);
        let fits = |(service, operation)| {
            service == self.service && self.operation.as_deref().is_none_or(|wanted| wanted == operation)
        };
        calls.into_iter().any(fits)
    }

    fn concerns(&self, call: &Call) -> bool {
        self.service == call.service && self.operation.as_ref().is_none_or(|operation| *operation == call.operation)
    }
}

/// The fault that befalls a call, if one does. It is one time less of it.
pub(crate) fn strike(faults: &mut Vec<Fault>, call: &Call) -> Option<FaultError> {
    let position = faults.iter().position(|fault| fault.concerns(call))?;
    let error = faults[position].error;
    if let Some(times) = &mut faults[position].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            faults.remove(position);
        }
    }
    Some(error)
}
