//! What Mainsheet stands on in AWS, without AWS, for the embedded platform and the tests: the table, which is DynamoDB embedded in
//! this process, in a file or in memory, spoken to through the SDK on loopback, so that the store has one code path; and the limits
//! of the [`Gateway`].

mod gateway;
mod stream;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder as HttpClientBuilder, tls};
use dynoxide::Database;
use mainsheet_core::{Error, Result};
use tokio::net::TcpListener;

pub use gateway::Gateway;
pub use stream::{Record, Stream};

/// An embedded DynamoDB that answers on loopback as long as the process lives.
#[derive(Clone)]
pub struct EmbeddedDynamoDb {
    database: Database,
    file: Option<PathBuf>,
    address: SocketAddr,
}

impl EmbeddedDynamoDb {
    /// Opens, or makes, the one in a file, and answers on a port of 127.0.0.1; 0 takes a free one. What a transaction wrote
    /// survives `kill -9`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file or a port cannot be opened.
    pub async fn open(file: &Path, port: u16) -> Result<Self> {
        let database = Database::new(text(file)?).map_err(Error::unavailable)?;
        stream::index(file)?;
        Self::serve(database, Some(file.to_owned()), port).await
    }

    /// Makes an empty one in memory.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a port or a file for the moment cannot be opened.
    pub async fn in_memory() -> Result<Self> {
        let database = Database::memory().map_err(Error::unavailable)?;
        // Only in a file can an index be added to it.
        let folder = tempfile::tempdir().map_err(Error::unavailable)?;
        let file = folder.path().join("empty.sqlite");
        database.vacuum_into(text(&file)?).map_err(Error::unavailable)?;
        stream::index(&file)?;
        database.restore_from(text(&file)?).map_err(Error::unavailable)?;
        Self::serve(database, None, 0).await
    }

    async fn serve(database: Database, file: Option<PathBuf>, port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(Error::unavailable)?;
        let address = listener.local_addr().map_err(Error::unavailable)?;
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        Ok(Self { database, file, address })
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        client(&self.endpoint())
    }

    /// The database itself, past the SDK.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// A table's stream, from after the record `after`, or from its beginning.
    ///
    /// # Errors
    /// [`Error::Internal`] when the table has no stream.
    pub fn stream(&self, table: &str, after: Option<&str>) -> Result<Stream> {
        Stream::open(self.database.clone(), self.file.clone(), table, after)
    }
}

fn text(file: &Path) -> Result<&str> {
    file.to_str().ok_or_else(|| Error::unavailable("the path of the table's file is not UTF-8"))
}

/// A client of an embedded DynamoDB at `endpoint`. It takes any credentials, and goes by way of no proxy, as the SDK's own would where the
/// environment names one.
#[must_use]
pub fn client(endpoint: &str) -> Client {
    let tls = tls::Provider::Rustls(CryptoMode::AwsLc);
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("local"))
        .endpoint_url(endpoint)
        .http_client(HttpClientBuilder::new().tls_provider(tls).build_https())
        .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded"))
        .build();
    Client::from_conf(config)
}
