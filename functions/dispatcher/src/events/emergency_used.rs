//! A member did something by the role Emergency: all Owners are written to.

use mainsheet_core::{Error, MemberId, Result};
use mainsheet_store::members::MemberRecord;
use mainsheet_store::outbox::{Event, HANDLED_BEFORE, Mail, OutboxEvent};
use mainsheet_store::{Row, Store, Tenant};

use crate::audit;

/// Mails that are asked for in one transaction, of whose 100 writes each is one.
const AT_ONCE: usize = 50;

/// What somebody did.
pub(crate) struct Use<'e> {
    pub(crate) member_id: &'e MemberId,
    pub(crate) action: &'e str,
    pub(crate) target: &'e str,
}

pub(crate) async fn handle(store: &Store, tenant: &Tenant, event: &OutboxEvent, used: &Use<'_>) -> Result<()> {
    let organization_name = store.organization(tenant).await?.value.name;
    let member_name = match store.member(tenant, used.member_id).await {
        Ok(row) => row.value.member.name,
        Err(Error::NotFound) => used.member_id.to_string(),
        Err(error) => return Err(error),
    };
    let mail = |owner: &Row<MemberRecord>| Mail::EmergencyUsed {
        email: owner.value.member.email.clone(),
        organization_name: organization_name.clone(),
        member_name: member_name.clone(),
        action: used.action.to_owned(),
        target: used.target.to_owned(),
        at: event.at,
    };
    let owners = store.owners(tenant).await?;
    for (part, owners) in owners.chunks(AT_ONCE).enumerate() {
        let change = store.change(audit(tenant, "emergency.notify", used.member_id)).once(tenant, &event.id, part);
        let mails = owners.iter().map(|owner| Event::MailRequested { mail: mail(owner) });
        match mails.fold(change, mainsheet_store::Change::emit).commit().await {
            Err(Error::Conflict { code: HANDLED_BEFORE, .. }) => {}
            asked => asked?,
        }
    }
    Ok(())
}
