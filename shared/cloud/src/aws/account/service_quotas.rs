//! AWS Service Quotas: what an account may have.

use super::Session;
use super::refusal::Asked;
use crate::account::{Action, CloudError, CloudResult, QuotaKind};

impl Session {
    /// What the account may have: its own quota, or AWS's default where it never asked for another one.
    pub(super) async fn limit(&self, kind: QuotaKind) -> CloudResult<u64> {
        let (service, code) = kind.code();
        let request = self.quotas.get_service_quota().service_code(service).quota_code(code);
        let asked = Asked::new(Action::GetServiceQuota, "quota", kind.as_str());
        let quota = match self.answer(asked, request.send().await).await {
            Ok(answer) => answer.quota,
            Err(CloudError::NotFound { .. }) => {
                let request = self.quotas.get_aws_default_service_quota().service_code(service).quota_code(code);
                let asked = Asked::new(Action::GetAwsDefaultServiceQuota, "quota", kind.as_str());
                self.answer(asked, request.send().await).await?.quota
            }
            Err(error) => return Err(error),
        };
        let value = quota.and_then(|quota| quota.value).filter(|value| value.is_finite() && *value >= 0.0);
        let unknown = || CloudError::Unavailable { message: format!("no value for the quota {}", kind.as_str()) };
        // Whole numbers, as all of these are.
        value.map(|value| value as u64).ok_or_else(unknown)
    }
}
