//! Intents: what may be in a customer's account on behalf of a network, cluster or catalog. Each is written before the call that
//! makes the thing and goes when the thing is gone, so nothing can be there that is not known.

use mainsheet_core::operation::{Intent, ResourceRef};
use mainsheet_core::{Error, Result};

use crate::change::{Due, retry_races};
use crate::key::tenant_partition;
use crate::{Entity, Key, Listing, Row, Store, Tenant};

impl Entity for Intent {
    const KIND: &'static str = "intent";
}

fn intents_partition(tenant: &Tenant, resource: &ResourceRef) -> String {
    tenant_partition(tenant, format!("{}#{}#INTENTS", resource.kind().as_str().to_uppercase(), resource.id()))
}

fn intent_key(tenant: &Tenant, resource: &ResourceRef, kind: &str, name: &str) -> Key {
    Key::global(intents_partition(tenant, resource), format!("{kind}#{name}"))
}

impl Store {
    /// Writes down what is about to be made. What was written down before stays, with the token of that time, so that a repeated
    /// step makes the same call again; it is the answer.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn record_intent(&self, tenant: &Tenant, resource: &ResourceRef, intent: &Intent) -> Result<Intent> {
        let key = intent_key(tenant, resource, &intent.kind, &intent.name);
        retry_races(|| async {
            if let Some(row) = self.get::<Intent>(&key).await? {
                return Ok(row.value);
            }
            self.telemetry().create(&key, intent, crate::change::changed_meanwhile()).commit().await?;
            Ok(intent.clone())
        })
        .await
    }

    /// The provider has answered: the thing is there under this id.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nobody wrote down that it was to be made.
    pub async fn note_created(
        &self,
        tenant: &Tenant,
        resource: &ResourceRef,
        (kind, name): (&str, &str),
        provider_id: &str,
    ) -> Result<()> {
        let key = intent_key(tenant, resource, kind, name);
        retry_races(|| async {
            let row: Row<Intent> = self.get(&key).await?.ok_or(Error::NotFound)?;
            if row.value.provider_id.as_deref() == Some(provider_id) {
                return Ok(());
            }
            let created = Intent { provider_id: Some(provider_id.to_owned()), ..row.value.clone() };
            self.telemetry().replace(&row, &created, Due::Keep).commit().await
        })
        .await
    }

    /// The thing is gone from the account, or was never made. Repeated, nothing happens.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn forget_intent(
        &self,
        tenant: &Tenant,
        resource: &ResourceRef,
        (kind, name): (&str, &str),
    ) -> Result<()> {
        self.telemetry().remove(&intent_key(tenant, resource, kind, name)).commit().await
    }

    /// What may be in the account on behalf of a network, cluster or catalog.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn intents(&self, tenant: &Tenant, resource: &ResourceRef) -> Result<Vec<Intent>> {
        let rows: Vec<Row<Intent>> = self.whole(&Listing::of(intents_partition(tenant, resource))).await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }
}
