//! Entering accounts.

use std::sync::Arc;

use async_trait::async_trait;
use mainsheet_cloud::account::{Access, CloudAccount, CloudAccounts, CloudError, CloudResult};
use secrecy::ExposeSecret;

use crate::session::{Call, Session};
use crate::{CloudSimulator, catalogue, fault};

#[async_trait]
impl CloudAccounts for CloudSimulator {
    async fn open(&self, access: &Access) -> CloudResult<Arc<dyn CloudAccount>> {
        let call = Call { service: "sts".to_owned(), operation: "AssumeRole".to_owned() };
        self.note(call.clone());
        let fault = {
            let mut state = self.state();
            let fault = fault::strike(&mut state.faults, &call);
            self.keep(&state).map_err(|error| CloudError::Unavailable { message: error.to_string() })?;
            fault
        };
        if let Some(refusal) = fault.and_then(|fault| fault.refusal(&call, &access.role_arn)) {
            return Err(refusal);
        }
        if !catalogue::REGIONS.iter().any(|(code, ..)| *code == access.region.as_str()) {
            return Err(CloudError::RegionUnavailable { region: access.region.clone() });
        }
        let session = Session::new(self.clone(), access);
        session.require_trust(&self.state(), access.external_id.expose_secret())?;
        Ok(Arc::new(session))
    }
}
