//! All pods of the namespace at one moment, asked for once a second at most, however many runs want to know.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

use super::api::patiently;
use super::objects;
use crate::backend::Result;

const INTERVAL: Duration = Duration::from_secs(1);
/// How long a list may take. All runs wait for it.
const ANSWER: Duration = Duration::from_secs(15);

/// Who wants to know about pods, looks here.
pub(crate) struct Board {
    pods: Api<Pod>,
    last: Mutex<Option<Look>>,
}

struct Look {
    begun: Instant,
    pods: Arc<Vec<Pod>>,
}

impl Board {
    pub(crate) fn new(pods: Api<Pod>) -> Self {
        Self { pods, last: Mutex::default() }
    }

    /// The pods of all runs, no older than this call.
    ///
    /// # Errors
    /// When the agent may not list pods. Outages are waited for.
    pub(crate) async fn look(&self) -> Result<Arc<Vec<Pod>>> {
        let asked = Instant::now();
        // Whoever has it looks for all that are waiting for it.
        let mut last = self.last.lock().await;
        if let Some(look) = &*last {
            if look.begun >= asked {
                return Ok(Arc::clone(&look.pods));
            }
            sleep_until(look.begun + INTERVAL).await;
        }
        let begun = Instant::now();
        let ours = ListParams::default().labels(objects::OF_A_RUN);
        let list = || async {
            let listed = timeout(ANSWER, self.pods.list(&ours)).await;
            listed.unwrap_or_else(|late| Err(kube::Error::Service(late.into())))
        };
        let pods = Arc::new(patiently("list pods", list).await?.items);
        *last = Some(Look { begun, pods: Arc::clone(&pods) });
        Ok(pods)
    }
}
