//! Mail that goes nowhere.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainsheet_cloud::mail::{Mail, Mailer};
use mainsheet_core::Result;

use crate::port::Ports;

/// Catches mail. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatchingMailer {
    ports: Ports,
    caught: Arc<Mutex<Vec<CaughtMail>>>,
}

/// A mail that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtMail(pub Mail);

#[async_trait]
impl Mailer for CatchingMailer {
    /// A mail that was handed over before is the same one: a person would find it once.
    async fn send(&self, mail: Mail) -> Result<()> {
        self.ports.call(|| {
            let mut caught = self.caught.lock().unwrap();
            if !caught.iter().any(|known| known.0.id == mail.id) {
                caught.push(CaughtMail(mail));
            }
        })
    }
}

impl CatchingMailer {
    pub(crate) fn behind(ports: &Ports) -> Self {
        Self { ports: ports.clone(), ..Self::default() }
    }

    pub(crate) fn caught(&self) -> Vec<CaughtMail> {
        self.caught.lock().unwrap().clone()
    }

    /// Forgets all but the first mails.
    pub(crate) fn truncate(&self, count: usize) {
        self.caught.lock().unwrap().truncate(count);
    }
}

impl CaughtMail {
    /// The token that stands on a line of its own in the text (contract, decisions, Identity).
    #[must_use]
    #[track_caller]
    pub fn token(&self) -> String {
        let is_token = |line: &&str| line.len() >= 6 && !line.contains([' ', '/', ':', '@']);
        let line = self.0.text.lines().map(str::trim).find(is_token);
        line.unwrap_or_else(|| panic!("no token on a line of its own in: {}", self.0.text)).to_owned()
    }
}
