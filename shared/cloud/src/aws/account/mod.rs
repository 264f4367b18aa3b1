//! Customers' accounts on AWS, behind the port `crate::account`: one module for each service.
//!
//! A session is a role that was assumed with its external id, in one region. Nothing that lasts is kept of it: its credentials
//! are good for an hour, and those that are at hand are used again for the same role, external id, region and session name.
//! Clients share one connection pool, give up in bounded time and retry as the SDK does; all other patience is the workflows'.

mod cloudformation;
mod discovery;
mod ec2;
mod eks;
mod eks_answers;
mod iam;
mod kubernetes;
mod refusal;
mod service_quotas;
mod sts;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region as SdkRegion, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::{Builder as HttpClientBuilder, tls};
use mainsheet_core::connection::RoleArn;
use mainsheet_core::region::Region;
use mainsheet_core::{Clock, Timestamp};
use secrecy::ExposeSecret;

use crate::account::{Access, CloudAccount, CloudAccounts, CloudResult};

use sts::Assumed;

/// How long a call may take, with the SDK's retries.
const CALL: Duration = Duration::from_secs(40);
/// How long one attempt of it may take.
const ATTEMPT: Duration = Duration::from_secs(15);
/// How long a session has to be good still when it is used again: longer than any use of it takes.
const LEFT: Duration = Duration::from_secs(5 * 60);

/// The tag that says which call made something: its client token. What a service forgets about tokens, this remembers.
pub(crate) const TOKEN_TAG: &str = "LakeSail-Token";

/// Enters customers' accounts on AWS. Clones share their sessions.
#[derive(Clone)]
pub struct AwsAccounts(Arc<Inner>);

struct Inner {
    config: SdkConfig,
    clock: Clock,
    sessions: Mutex<HashMap<SessionKey, Arc<Session>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct SessionKey {
    role_arn: String,
    region: Region,
    session_name: String,
}

impl AwsAccounts {
    /// One that assumes roles as whoever `config` says, which is the platform's own role.
    #[must_use]
    pub fn new(config: &SdkConfig, clock: Clock) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(CALL).operation_attempt_timeout(ATTEMPT).build();
        // Left to themselves, the clients of each service of each session would have connections of their own.
        let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let http = config.http_client().unwrap_or_else(|| HttpClientBuilder::new().tls_provider(tls).build_https());
        let config = config.to_builder().timeout_config(timeouts).http_client(http).build();
        Self(Arc::new(Inner { config, clock, sessions: Mutex::default() }))
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A session that was opened before for the very same, and is good for some time.
    fn at_hand(&self, access: &Access) -> Option<Arc<Session>> {
        let sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&SessionKey::of(access))?;
        let same = session.access.external_id.expose_secret() == access.external_id.expose_secret();
        (same && session.is_good(self.now())).then(|| Arc::clone(session))
    }

    fn keep(&self, session: &Arc<Session>) {
        let now = self.now();
        let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.is_good(now));
        sessions.insert(SessionKey::of(&session.access), Arc::clone(session));
    }

    fn forget(&self, access: &Access) {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&SessionKey::of(access));
    }
}

impl fmt::Debug for AwsAccounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AwsAccounts").finish_non_exhaustive()
    }
}

impl SessionKey {
    fn of(access: &Access) -> Self {
        Self {
            role_arn: access.role_arn.to_string(),
            region: access.region.clone(),
            session_name: access.session_name.clone(),
        }
    }
}

#[async_trait]
impl CloudAccounts for AwsAccounts {
    async fn open(&self, access: &Access) -> CloudResult<Arc<dyn CloudAccount>> {
        if let Some(session) = self.at_hand(access) {
            return Ok(session);
        }
        let assumed = sts::assume(&self.0.config, access).await?;
        let session = Arc::new(Session::new(self.clone(), access.clone(), assumed));
        self.keep(&session);
        Ok(session)
    }
}

/// An account that was entered, in one region.
struct Session {
    accounts: AwsAccounts,
    access: Access,
    credentials: Credentials,
    expires_at: Timestamp,
    config: SdkConfig,
    cloudformation: aws_sdk_cloudformation::Client,
    ec2: aws_sdk_ec2::Client,
    eks: aws_sdk_eks::Client,
    iam: aws_sdk_iam::Client,
    quotas: aws_sdk_servicequotas::Client,
    sts: aws_sdk_sts::Client,
}

impl Session {
    fn new(accounts: AwsAccounts, access: Access, assumed: Assumed) -> Self {
        let Assumed { credentials, expires_at } = assumed;
        let config = accounts
            .0
            .config
            .to_builder()
            .region(SdkRegion::new(access.region.to_string()))
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            eks: aws_sdk_eks::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            quotas: aws_sdk_servicequotas::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            accounts,
            access,
            credentials,
            expires_at,
            config,
        }
    }

    fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.since(now) > LEFT
    }

    fn role_arn(&self) -> &RoleArn {
        &self.access.role_arn
    }

    /// The ARN of something in this account and region.
    fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, region) = (self.partition(), &self.access.region);
        format!("arn:{partition}:{service}:{region}:{}:{resource}", self.role_arn().account_id())
    }

    /// The ARN of a role of this account.
    fn arn_of_role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition(), self.role_arn().account_id())
    }

    /// As in `aws` or `aws-us-gov`.
    fn partition(&self) -> &str {
        self.role_arn().as_str().split(':').nth(1).unwrap_or("aws")
    }
}
