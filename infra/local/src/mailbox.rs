//! Mail that goes nowhere: it is caught and shown at `GET /_local/mail`.

use async_trait::async_trait;
use mainsheet_cloud::mail::{Mail, Mailer};
use mainsheet_core::{Clock, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::local_table::LocalTable;

const LIST: &str = "MAIL";

/// The caught mails.
#[derive(Clone)]
pub(crate) struct Mailbox {
    table: LocalTable,
    clock: Clock,
}

/// A caught mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CaughtMail {
    to: String,
    subject: String,
    text: String,
    html: String,
    at: Timestamp,
}

#[async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: Mail) -> Result<()> {
        let at = self.clock.now();
        let caught = CaughtMail { to: mail.to, subject: mail.subject, text: mail.text, html: mail.html, at };
        tracing::info!(to = caught.to, subject = caught.subject, "caught a mail: GET /_local/mail shows it");
        self.table.put(LIST, &mail.id, &caught).await
    }
}

impl Mailbox {
    pub(crate) fn new(table: LocalTable, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// All mails, newest last.
    pub(crate) async fn mails(&self) -> Result<Vec<CaughtMail>> {
        Ok(self.table.all(LIST).await?.into_iter().map(|(_, mail)| mail).collect())
    }
}
