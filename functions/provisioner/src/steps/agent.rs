//! The cluster's agent: from its manifests to its first heartbeat, and its end.

use std::time::Duration;

use mainsheet_auth::agent::{new_registration_token, sha256};
use mainsheet_cloud::account::KubernetesTarget;
use mainsheet_core::cluster::ClusterStatus;
use mainsheet_core::operation::{FailureCode, ResourceRef};
use mainsheet_core::provisioned_cluster::{HealthStatus, LastHealth, ProvisionedCluster};
use mainsheet_core::{ClusterId, Error};
use mainsheet_store::clusters::pulse;
use secrecy::SecretString;

use crate::Reached;
use crate::manifests::{Overlay, manifests};
use crate::steps::site::Site;
use crate::steps::stacks::output;
use crate::trouble::Trouble;
use crate::work::Work;

/// How long an agent has to register.
const TOKEN_VALID: Duration = Duration::from_secs(2 * 3600);

/// The agent's manifests are applied. Each time they have another token: what is good for one agent is not kept.
pub(crate) async fn is_installed(site: &Site<'_>) -> Result<Reached, Trouble> {
    let (work, cluster) = (site.work, site.cluster()?);
    let target = target(site)?;
    let token = new_registration_token()?;
    let expires_at = work.store().now() + TOKEN_VALID;
    work.store().enroll_provisioned_cluster(&work.tenant, &cluster.id, (&sha256(&token), expires_at)).await?;
    let bucket = output(&cluster.provisioning, "ResultsBucketName")?;
    let objects = manifests(&Overlay {
        api_url: &work.provisioner.agent.api_url,
        registration_token: &SecretString::from(token),
        output_base: &format!("s3://{bucket}/results"),
        job_role_arn: output(&cluster.provisioning, "JobRunnerRoleArn")?,
        images: &work.provisioner.agent.images,
    })?;
    site.account.apply(&target, &objects).await?;
    Ok(Reached::Done)
}

fn target(site: &Site<'_>) -> Result<KubernetesTarget, Trouble> {
    let provider = site.cluster()?.provider.as_ref();
    let known = provider.and_then(|provider| {
        Some(KubernetesTarget {
            cluster: provider.name.clone(),
            endpoint: provider.endpoint.clone()?,
            certificate_authority: provider.certificate_authority.clone()?,
        })
    });
    known.ok_or_else(|| Trouble::lasting(FailureCode::Internal, "It is not known where the cluster's API is."))
}

/// The agent was heard of: with that the cluster works.
pub(crate) async fn is_heard(work: &Work<'_>) -> Result<Reached, Trouble> {
    let (store, id) = (work.store(), cluster_id(work)?);
    let (_, logical) = store.cluster_faces(&work.tenant, id).await?;
    let alive = logical.is_some_and(|row| pulse(&row).status(store.now()) == ClusterStatus::Active);
    if !alive {
        return Ok(Reached::NotYet);
    }
    let health = LastHealth { status: HealthStatus::Healthy, message: None, checked_at: store.now() };
    let learn = |cluster: &mut ProvisionedCluster| cluster.health = Some(health.clone());
    store.note_provisioned(&work.tenant, id, learn).await?;
    Ok(Reached::Done)
}

/// The agent has no credentials any more, and no work is given to the cluster.
pub(crate) async fn is_retired(work: &Work<'_>) -> Result<Reached, Trouble> {
    work.store().withdraw_provisioned_cluster(&work.tenant, cluster_id(work)?).await?;
    Ok(Reached::Done)
}

fn cluster_id<'w>(work: &'w Work<'_>) -> Result<&'w ClusterId, Trouble> {
    match &work.operation.resource {
        ResourceRef::Cluster(cluster) => Ok(cluster),
        _ => Err(Trouble::Ours(Error::internal("a step of a cluster for something else"))),
    }
}
