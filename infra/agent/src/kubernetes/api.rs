//! Calls to the Kubernetes API.

use std::fmt::Debug;
use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Backoff;

/// Who this is to Kubernetes: the owner of the fields that are set.
pub(crate) const FIELD_MANAGER: &str = "mainsheet-agent";

/// Makes an object, or makes it what it should be; the same again changes nothing. Fields that somebody else has set
/// otherwise are not taken over: that is an error.
pub(crate) async fn apply<K>(api: &Api<K>, name: &str, object: &Value) -> kube::Result<K>
where
    K: Clone + DeserializeOwned + Debug,
{
    let (params, patch) = (PatchParams::apply(FIELD_MANAGER), Patch::Apply(object));
    patiently("apply an object", || api.patch(name, &params, &patch)).await
}

/// Deletes an object. One that is gone, or has been replaced by another, is no error.
pub(crate) async fn delete<K>(api: &Api<K>, name: &str, how: &DeleteParams) -> crate::backend::Result<()>
where
    K: Clone + DeserializeOwned + Debug,
{
    match patiently("delete an object", || api.delete(name, how)).await {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        deleted => Ok(deleted.map(drop)?),
    }
}

/// Calls until there is an answer that waiting does not change.
pub(crate) async fn patiently<T, F>(what: &str, call: impl Fn() -> F) -> kube::Result<T>
where
    F: Future<Output = kube::Result<T>>,
{
    let mut backoff = Backoff::default();
    loop {
        match call().await {
            Err(error) if will_pass(&error) => {
                tracing::warn!(%error, "cannot {what}; trying again");
                backoff.pause(retry_after(&error)).await;
            }
            answer => return answer,
        }
    }
}

/// Whether it is worth trying again: outages, throttling, a token that is just being replaced.
pub(crate) fn will_pass(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 401 | 408 | 429) || status.code >= 500,
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) | kube::Error::Auth(_) => {
            true
        }
        _ => false,
    }
}

fn retry_after(error: &kube::Error) -> Option<Duration> {
    let kube::Error::Api(status) = error else { return None };
    let seconds = u64::from(status.details.as_ref()?.retry_after_seconds);
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
