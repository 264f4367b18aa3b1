//! Requests to addresses that somebody outside chose: identity providers now, webhooks later.
//!
//! A name is resolved once for a request, every address that it has is checked, and the connection goes to one of those. There
//! are no redirects and no proxies: either would lead to a place that was not checked.

mod addresses;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use addresses::{is_loopback, is_public};

/// How long a request may take, from looking up the name to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Where requests may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, over TLS.
    Internet,
    /// This machine, too, with or without TLS: for the embedded platform and tests.
    InternetAndLoopback,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Requests do not go there: the text says why.
    #[error("{0}")]
    Refused(&'static str),
    /// No whole answer came within five seconds.
    #[error("it did not answer within five seconds")]
    TimedOut,
    /// The answer is longer than a megabyte.
    #[error("its answer is longer than a megabyte")]
    TooLarge,
    /// There is no connection, or it broke off.
    #[error("it cannot be reached")]
    Unreachable,
}

const NOT_PUBLIC: Failure = Failure::Refused("it is at an address that is not public");

/// Turns names into addresses.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// When it has none, or nobody answers.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The machine's own way.
struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

impl Reach {
    fn includes(self, address: IpAddr) -> bool {
        is_public(address) || (self == Self::InternetAndLoopback && is_loopback(address))
    }
}

/// A resolver that answers only what may be connected to.
struct CheckedLookup {
    lookup: Arc<dyn Lookup>,
    reach: Reach,
}

impl Resolve for CheckedLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, reach) = (Arc::clone(&self.lookup), self.reach);
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            // One bad address spoils all: which of them is connected to is a matter of luck.
            if !addresses.iter().all(|address| reach.includes(*address)) {
                return Err(NOT_PUBLIC.into());
            }
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

/// A client that goes nowhere but where [`Reach`] says. Cheap to clone.
#[derive(Clone)]
pub struct GuardedHttp {
    client: Client,
    reach: Reach,
}

impl fmt::Debug for GuardedHttp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GuardedHttp({:?})", self.reach)
    }
}

impl GuardedHttp {
    /// A client that looks names up as the machine does.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when there is no TLS to be had.
    pub fn new(reach: Reach) -> mainsheet_core::Result<Self> {
        Self::with_lookup(reach, Arc::new(SystemLookup))
    }

    /// A client that looks names up its own way.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when there is no TLS to be had.
    pub fn with_lookup(reach: Reach, lookup: Arc<dyn Lookup>) -> mainsheet_core::Result<Self> {
        Self::with_timeout(reach, lookup, TIMEOUT)
    }

    fn with_timeout(reach: Reach, lookup: Arc<dyn Lookup>, timeout: Duration) -> mainsheet_core::Result<Self> {
        let client = Client::builder()
            .dns_resolver(CheckedLookup { lookup, reach })
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(timeout)
            // A connection that is kept would outlive the check of its address.
            .pool_max_idle_per_host(0)
            .user_agent("mainsheet")
            .https_only(reach == Reach::Internet);
        Ok(Self { client: client.build().map_err(mainsheet_core::Error::internal)?, reach })
    }

    /// Whether a URL can be asked at all. What its name resolves to is seen when it is.
    ///
    /// # Errors
    /// [`Failure::Refused`] that says why not.
    pub fn check(&self, url: &str) -> Result<(), Failure> {
        self.read_url(url).map(|_| ())
    }

    fn read_url(&self, text: &str) -> Result<Url, Failure> {
        let refused = |why| Err(Failure::Refused(why));
        let Ok(url) = Url::parse(text) else { return refused("it is no URL") };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it has credentials in it");
        }
        let Some(host) = url.host_str() else { return refused("it names no host") };
        let as_written = written_host(text).is_some_and(|written| written.eq_ignore_ascii_case(host));
        if host.ends_with('.') || !as_written {
            return refused("its host is not written in the usual form");
        }
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if literal.is_some_and(|address| !self.reach.includes(address)) {
            return Err(NOT_PUBLIC);
        }
        let local = host == "localhost" || literal.is_some_and(is_loopback);
        match (url.scheme(), self.reach) {
            ("https", _) => Ok(url),
            ("http", Reach::InternetAndLoopback) if local => Ok(url),
            _ => refused("it does not begin with `https://`"),
        }
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, Failure> {
        let (parts, body) = request.into_parts();
        let url = self.read_url(&parts.uri.to_string())?;
        let request = self.client.request(parts.method, url).headers(parts.headers).body(body);
        let mut answer = request.send().await.map_err(|error| failure(&error))?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + part.len() > MAX_BODY {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// The host as the text has it. The URL's own parser turns `0x7f.1` into `127.0.0.1`; whoever writes so has something in mind.
fn written_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    match authority.strip_prefix('[') {
        Some(_) => authority.find(']').map(|end| &authority[..=end]),
        None => authority.split(':').next(),
    }
}

/// What went wrong, without saying more about the network than the caller may know.
fn failure(error: &reqwest::Error) -> Failure {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Failure>() {
            return refused.clone();
        }
        source = cause.source();
    }
    tracing::debug!(?error, "a guarded request failed");
    if error.is_timeout() { Failure::TimedOut } else { Failure::Unreachable }
}

#[cfg(test)]
mod tests;
