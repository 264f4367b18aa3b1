//! Queues on Amazon SQS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use mainsheet_core::{Error, Result};

use crate::aws::required;
use crate::queue::{Message, Queue, Queues};

/// The queues whose URLs are in `MAINSHEET_QUEUE_MAIL` and `MAINSHEET_QUEUE_RUNS`.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    client: Client,
    mail: String,
    runs: String,
}

impl SqsQueues {
    /// Reads the URLs.
    ///
    /// # Errors
    /// [`Error::Internal`] when one is not set.
    pub fn from_environment(config: &SdkConfig) -> Result<Self> {
        let (mail, runs) = (required("MAINSHEET_QUEUE_MAIL")?, required("MAINSHEET_QUEUE_RUNS")?);
        Ok(Self { client: Client::new(config), mail, runs })
    }
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, queue: Queue, message: Message) -> Result<()> {
        let url = match queue {
            Queue::Mail => &self.mail,
            Queue::Runs => &self.runs,
        };
        let request = self.client.send_message().queue_url(url).message_body(message.body);
        request.send().await.map(|_| ()).map_err(|error| Error::unavailable(DisplayErrorContext(error)))
    }
}
