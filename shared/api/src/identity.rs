//! Extractors of who calls. Asking for one authenticates; asking for [`Permitted`] also authorises.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::Deref;

use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use mainsheet_auth::dpop::{Proof, Target};
use mainsheet_auth::{Asked, Caller, Needs, SignedIn, Subject, agent};
use mainsheet_core::cluster::Agent;
use mainsheet_core::{Error, OrganizationId, RequestId};
use mainsheet_store::agents::tenant_of_agent;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::idempotency::IdempotencyKey;
use mainsheet_store::{Row, Tenant};

use crate::app::{App, HasApp};
use crate::problem::{Problem, Result};

/// Names the organization of a caller with several.
pub(crate) const ORGANIZATION_HEADER: &str = "lakesail-organization-id";
/// Names a request that may be sent again.
pub(crate) const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// Proves that the client holds a key (RFC 9449).
const PROOF_HEADER: &str = "dpop";

/// The network address that a request came from, as whoever accepted the connection saw it.
#[derive(Debug, Clone)]
pub struct ClientAddress(pub String);

/// A member of an organization who has a relation over it.
#[derive(Debug)]
pub struct Permitted<N> {
    caller: Caller,
    needs: PhantomData<N>,
}

impl<N> Deref for Permitted<N> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// Where a request came from, for the audit trail.
pub(crate) fn origin(parts: &Parts) -> Origin {
    let given = parts.extensions.get::<ClientAddress>().map(|address| address.0.clone());
    let connected = || parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        request_id: parts.extensions.get::<RequestId>().cloned(),
        address: given.or_else(connected),
        user_agent: user_agent.map(|text| text.chars().take(255).collect()),
    }
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    DPoP,
}

fn presented(headers: &HeaderMap) -> Result<(Scheme, &str)> {
    let value = headers.get(AUTHORIZATION).ok_or_else(|| Error::unauthenticated("no Authorization header"))?;
    let text = value.to_str().map_err(|_| Error::unauthenticated("Authorization is not ASCII"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok((Scheme::Bearer, token.trim())),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => Ok((Scheme::DPoP, token.trim())),
        _ => Err(Error::unauthenticated("Authorization is of another scheme").into()),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str> {
    match presented(headers)? {
        (Scheme::Bearer, token) => Ok(token),
        (Scheme::DPoP, _) => Err(Error::unauthenticated("Authorization is of another scheme").into()),
    }
}

/// The request's proof of possession, if it brings one.
fn proof(parts: &Parts, app: &App) -> Result<Option<Proof>> {
    let mut proofs = parts.headers.get_all(PROOF_HEADER).iter();
    let Some(text) = proofs.next() else { return Ok(None) };
    let text = text.to_str().map_err(|_| Error::not_proven("the proof is not ASCII"))?;
    if proofs.next().is_some() {
        return Err(Error::not_proven("there are several proofs").into());
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = host.or_else(|| parts.uri.authority().map(Authority::as_str)).unwrap_or_default();
    // Within the protocol's router the path lacks its beginning.
    let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.path());
    let target = Target { method: parts.method.as_str(), authority, path };
    Ok(Some(Proof::check(text, target, app.now())?))
}

/// A bound token comes with a proof of its key, and no other one does.
async fn require_proof(
    parts: &Parts,
    app: &App,
    (scheme, token): (Scheme, &str),
    bound_to: Option<&str>,
) -> Result<()> {
    match (scheme, bound_to) {
        (Scheme::Bearer, None) => Ok(()),
        (Scheme::DPoP, Some(thumbprint)) => {
            let proof = proof(parts, app)?.ok_or_else(|| Error::not_proven("there is no proof"))?;
            proof.require(token, thumbprint)?;
            proof.spend(&app.store).await?;
            Ok(())
        }
        (Scheme::Bearer, Some(_)) => Err(Error::not_proven("a bound token is no bearer token").into()),
        (Scheme::DPoP, None) => Err(Error::not_proven("the token is not bound to a key").into()),
    }
}

/// The key that tokens are to be bound to: its thumbprint, when a proof comes with signing in or refreshing.
#[derive(Debug)]
pub struct DpopKey(pub Option<String>);

impl<S: HasApp> FromRequestParts<S> for DpopKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let app = state.app();
        Ok(Self(match proof(parts, &app)? {
            Some(proof) => Some(proof.spend(&app.store).await?),
            None => None,
        }))
    }
}

/// The key of a request that may be sent again, if it has one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    let Some(value) = headers.get(IDEMPOTENCY_HEADER) else { return Ok(None) };
    Ok(Some(IdempotencyKey::parse(value.to_str().unwrap_or_default())?))
}

/// The organization that a request names, if it does.
fn named_organization(headers: &HeaderMap) -> Result<Option<OrganizationId>> {
    let Some(value) = headers.get(ORGANIZATION_HEADER) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    let message = "`LakeSail-Organization-Id` must be 1 to 20 characters of A-Z and 0-9.";
    Ok(Some(id.ok_or_else(|| Error::malformed("malformed_id", message))?))
}

/// Who sent the request, looked up once however many extractors ask.
pub(crate) async fn subject(parts: &mut Parts, app: &App) -> Result<Subject> {
    if let Some(known) = parts.extensions.get::<Subject>() {
        return Ok(known.clone());
    }
    let (scheme, token) = presented(&parts.headers)?;
    // A malformed name is an error only where an organization is needed: see `Member`.
    let organization = named_organization(&parts.headers).unwrap_or_default();
    let asked = Asked { key: idempotency_key(&parts.headers)?, organization };
    let found = Subject::authenticate(&app.store, &app.access_keys, token, &asked, origin(parts)).await?;
    require_proof(parts, app, (scheme, token), found.bound_to()).await?;
    parts.extensions.insert(found.clone());
    Ok(found)
}

/// Whoever proved who they are, in no organization's name: a person or a service account.
#[derive(Debug)]
pub struct Anyone(pub Subject);

/// A person who is signed in, in no organization's name. Service accounts are refused.
#[derive(Debug)]
pub struct Person(pub SignedIn);

/// A person who is signed in, and whose account the login reaches: what concerns nobody else, such as addresses, logins and second
/// factors. An identity provider's login reaches the accounts alone that are wholly its organization's.
#[derive(Debug)]
pub struct Account(pub SignedIn);

/// A member or a service account of an organization, whatever they may do there.
#[derive(Debug)]
pub struct Member(pub Caller);

impl<S: HasApp> FromRequestParts<S> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        Ok(Self(subject(parts, &state.app()).await?))
    }
}

impl<S: HasApp> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        Ok(Self(subject(parts, &state.app()).await?.person()?))
    }
}

impl<S: HasApp> FromRequestParts<S> for Account {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Person(person) = Person::from_request_parts(parts, state).await?;
        person.access.value.require_account(person.login.single_sign_on.as_ref())?;
        Ok(Self(person))
    }
}

impl<S: HasApp> FromRequestParts<S> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let app = state.app();
        let subject = subject(parts, &app).await?;
        let named = named_organization(&parts.headers)?;
        Ok(Self(subject.enter(&app.store, named.as_ref()).await?))
    }
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for Permitted<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        caller.require(N::RELATION)?;
        Ok(Self { caller, needs: PhantomData })
    }
}

/// The organization that a request is about, whoever sends it: a sign-in page names it, and for who is signed in it may be the
/// only one. It proves nothing.
#[derive(Debug)]
pub struct NamedOrganization(pub OrganizationId);

impl<S: HasApp> FromRequestParts<S> for NamedOrganization {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        if let Some(named) = named_organization(&parts.headers)? {
            return Ok(Self(named));
        }
        if parts.headers.contains_key(AUTHORIZATION) {
            let Member(caller) = Member::from_request_parts(parts, state).await?;
            return Ok(Self(caller.tenant().organization_id().clone()));
        }
        Err(Error::malformed("organization_required", "Name the organization in `LakeSail-Organization-Id`.").into())
    }
}

/// A cluster's agent.
#[derive(Debug)]
pub struct AgentCaller {
    /// The agent.
    pub agent: Row<Agent>,
    /// The organization that it works for.
    pub tenant: Tenant,
    origin: Origin,
}

impl AgentCaller {
    /// The beginning of an audit record in the organization's trail.
    #[must_use]
    pub fn audit(&self, action: &'static str, target: &impl ToString) -> Audit {
        Audit {
            scope: Scope::Tenant(self.tenant.clone()),
            actor: Actor::Agent { agent_id: self.agent.value.id.clone() },
            origin: self.origin.clone(),
            action,
            target: target.to_string(),
        }
    }
}

impl<S: HasApp> FromRequestParts<S> for AgentCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let app = state.app();
        let agent = agent::authenticate(&app.store, bearer(&parts.headers)?).await?;
        Ok(Self { tenant: tenant_of_agent(&agent), agent, origin: origin(parts) })
    }
}

/// Where a request came from, for handlers that nobody has to sign in for.
#[derive(Debug)]
pub struct RequestOrigin(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(origin(parts)))
    }
}
