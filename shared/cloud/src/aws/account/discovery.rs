//! What an account has: each service is asked for its part.

use async_trait::async_trait;
use mainsheet_core::ConnectionId;

use super::Session;
use super::iam::OwnRole;
use super::refusal::Asked;
use crate::account::{
    CloudRegion, CloudResult, Discovery, InstanceType, InstanceTypeFilter, OwnedResource, ProviderNetwork, Quota,
    QuotaKind, Verification,
};

#[async_trait]
impl Discovery for Session {
    async fn verify(&self) -> CloudResult<Verification> {
        // Needs no permission, and fails where the account has not enabled the region.
        let asked = Asked::assume_role(self.role_arn().as_str());
        self.answer(asked, self.sts.get_caller_identity().send().await).await?;
        let OwnRole { stack_arn, boundary_name } = self.own_role().await?;
        Ok(Verification {
            account_id: self.role_arn().account_id(),
            stack_arn,
            boundary_name,
            missing_actions: self.missing_actions().await?,
        })
    }

    async fn regions(&self) -> CloudResult<Vec<CloudRegion>> {
        self.enabled_regions().await
    }

    async fn instance_types(&self, filter: &InstanceTypeFilter) -> CloudResult<Vec<InstanceType>> {
        self.machines(filter).await
    }

    async fn provider_networks(&self) -> CloudResult<Vec<ProviderNetwork>> {
        self.vpcs().await
    }

    async fn quotas(&self) -> CloudResult<Vec<Quota>> {
        let mut quotas = Vec::new();
        for kind in QuotaKind::ALL {
            quotas.push(Quota { kind, limit: self.limit(kind).await?, used: self.used(kind).await? });
        }
        Ok(quotas)
    }

    async fn owned(&self, connection: &ConnectionId) -> CloudResult<Vec<OwnedResource>> {
        let mut owned = self.owned_stacks(connection.as_str()).await?;
        owned.extend(self.owned_clusters(connection.as_str()).await?);
        Ok(owned)
    }
}

impl Session {
    /// How much of a quota is used: what can be counted. Nobody tells of NAT gateways by zone, nor of processors in one call.
    async fn used(&self, kind: QuotaKind) -> CloudResult<Option<u64>> {
        let count = match kind {
            QuotaKind::Vpcs => self.count_vpcs().await?,
            QuotaKind::InternetGateways => self.count_internet_gateways().await?,
            QuotaKind::ElasticIps => self.count_addresses().await?,
            QuotaKind::Clusters => self.clusters().await?.len(),
            QuotaKind::NatGatewaysPerZone | QuotaKind::StandardVcpus => return Ok(None),
        };
        Ok(Some(count as u64))
    }
}
