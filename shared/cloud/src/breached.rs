//! Passwords that are known from leaks.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use http::{Request, StatusCode};
use mainsheet_core::{Error, Result};

use crate::guarded_http::{Failure, GuardedHttp};

/// Leaked passwords of 12 characters or more that are tried first, one a line, in lower case.
static TRIED_FIRST: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("breached-passwords.txt").lines().collect());
/// Of a hash's 40 digits, how many the service is told: several hundred passwords begin so.
const TOLD: usize = 5;

/// Knows passwords from leaks.
#[async_trait]
pub trait BreachedPasswords: fmt::Debug + Send + Sync {
    /// Whether it knows this one.
    async fn contains(&self, password: &str) -> bool;
}

/// The list that comes with the program: the few hundred that everybody tries first.
#[derive(Debug, Clone, Copy)]
pub struct OfflineList;

#[async_trait]
impl BreachedPasswords for OfflineList {
    async fn contains(&self, password: &str) -> bool {
        TRIED_FIRST.contains(password.to_lowercase().as_str())
    }
}

/// A service with the range protocol of Pwned Passwords: it is told how a password's hash begins, answers all that begin so, and
/// learns neither the password nor whether it was among them. The offline list is asked first.
///
/// When the service does not answer, it knows nothing: nobody is kept from an account by somebody else's outage. The log says so.
#[derive(Debug, Clone)]
pub struct RangeLookup {
    http: GuardedHttp,
    url: String,
}

impl RangeLookup {
    /// The service at `url`, to which a slash and the hash's first digits are added.
    ///
    /// # Errors
    /// [`Failure::Refused`] when requests do not go there.
    pub fn new(http: GuardedHttp, url: &str) -> std::result::Result<Self, Failure> {
        http.check(url)?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned() })
    }

    /// What the service answers for hashes that begin so.
    async fn range(&self, beginning: &str) -> std::result::Result<String, String> {
        // Padded answers are of one length, so that whoever sees the connection does not learn from it which range was asked for.
        let request = Request::get(format!("{}/{beginning}", self.url)).header("add-padding", "true");
        let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
        let answer = self.http.send(request).await.map_err(|failure| failure.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        String::from_utf8(answer.into_body()).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl BreachedPasswords for RangeLookup {
    async fn contains(&self, password: &str) -> bool {
        if OfflineList.contains(password).await {
            return true;
        }
        let hash = hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()));
        let (beginning, rest) = hash.split_at(TOLD);
        match self.range(beginning).await {
            Ok(range) => range.lines().any(|line| is_found(line, rest)),
            Err(why) => {
                tracing::warn!(why, "leaked passwords cannot be asked for; a new password was taken without");
                false
            }
        }
    }
}

/// The service at `url`, such as `https://api.pwnedpasswords.com/range`, where one is set; else the offline list.
///
/// # Errors
/// [`Error::Internal`] when requests do not go there.
pub fn breached_passwords(http: GuardedHttp, url: Option<&str>) -> Result<Arc<dyn BreachedPasswords>> {
    let Some(url) = url else { return Ok(Arc::new(OfflineList)) };
    let refused = |why| Error::internal(format!("leaked passwords cannot be asked for at {url}: {why}"));
    Ok(Arc::new(RangeLookup::new(http, url).map_err(refused)?))
}

/// Whether a line, `<rest of a hash>:<how often it was leaked>`, is of this hash. What was leaked 0 times is padding.
fn is_found(line: &str, rest: &str) -> bool {
    line.trim().split_once(':').is_some_and(|(found, count)| found.eq_ignore_ascii_case(rest) && count.trim() != "0")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::guarded_http::Reach;

    /// Leaked, and too short for the offline list. Its SHA-1 is 5BAA6 and [`REST`].
    const LEAKED: &str = "password";
    const REST: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";

    /// A service that answers everybody the same, and what it was asked.
    async fn service(status: &str, body: &str) -> (RangeLookup, Arc<Mutex<String>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/range/", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n{body}");
        let asked = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..length]));
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (lookup(&url), asked)
    }

    fn lookup(url: &str) -> RangeLookup {
        RangeLookup::new(GuardedHttp::new(Reach::InternetAndLoopback).unwrap(), url).unwrap()
    }

    #[tokio::test]
    async fn the_service_hears_five_digits_and_asks_for_padding() {
        let range = format!("003D68EB55068C33ACE09247EE4C639306B:3\r\n{REST}:3730471\r\n");
        let (service, asked) = service("200 OK", &range).await;
        assert!(service.contains(LEAKED).await);
        let asked = asked.lock().unwrap().to_lowercase();
        assert!(asked.starts_with("get /range/5baa6 http/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nadd-padding: true\r\n"), "{asked}");
        assert!(!asked.contains(&REST.to_lowercase()) && !asked.contains(LEAKED), "{asked}");
    }

    #[tokio::test]
    async fn other_hashes_and_padding_are_no_leaks() {
        for range in ["", "003D68EB55068C33ACE09247EE4C639306B:3", &format!("{REST}:0\r\n"), REST] {
            assert!(!service("200 OK", range).await.0.contains(LEAKED).await, "{range}");
        }
        assert!(service("200 OK", &format!("{}:1", REST.to_lowercase())).await.0.contains(LEAKED).await);
    }

    #[tokio::test]
    async fn without_an_answer_only_the_offline_list_counts() {
        let (failing, asked) = service("503 Service Unavailable", &format!("{REST}:1")).await;
        for service in [failing, lookup("http://127.0.0.1:1")] {
            assert!(!service.contains(LEAKED).await, "{service:?}");
            assert!(service.contains("ZXCVBNM12345").await, "{service:?}");
        }
        assert_eq!(asked.lock().unwrap().matches("/range/").count(), 1, "the offline list is asked first");
        let http = GuardedHttp::new(Reach::Internet).unwrap();
        assert!(breached_passwords(http.clone(), Some("http://127.0.0.1:1/range")).is_err());
        assert!(!breached_passwords(http, None).unwrap().contains(LEAKED).await);
    }
}
