"""Who asks, and what they may do: the token's signature and claims, then login, access, organization and its policies in one read."""

import time
from datetime import UTC, datetime
from typing import Annotated

import jwt
from fastapi import Depends, Header

from problem import Problem
from table import batch, first

# Roles that have `CanViewJobs` over the organization, and over a team.
VIEWERS = {"OWNER", "EMERGENCY", "ADMIN", "AUDITOR"}
TEAM_VIEWERS = {"TEAMADMIN", "EDITOR", "VIEWER"}
RELATION = "CanViewJobs"
# Seconds that clocks may differ.
LEEWAY = 60


def published():
    """The keys that access tokens are signed with, by their ids."""
    keys = (row["data"] for row in first("SIGNING_KEYS", 101))
    mine = (key for key in keys if key["purpose"] == "access")
    return {key["kid"]: jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": key["x"]}, "EdDSA") for key in mine}


KEYS = published()


def claims_of(authorization):
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or len(token) > 4096:
        raise Problem(401)
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != "at+jwt" or any(name in header for name in ("jwk", "jku", "x5u", "x5c")):
            raise Problem(401)
        claims = jwt.decode(
            token,
            KEYS[header["kid"]],
            algorithms=["EdDSA"],
            issuer="mainsheet",
            audience="mainsheet-api",
            options={"require": ["exp", "iat", "sub", "sid"], "verify_iat": False},
        )
    except (jwt.InvalidTokenError, KeyError) as error:
        raise Problem(401) from error
    if claims["iat"] > time.time() + LEEWAY:
        raise Problem(401)
    return claims


def keeps_alive(access, login, now):
    is_spared = access.get("sparedLogin") == login["id"]
    return login["expiresAt"] > now and (is_spared or login["epoch"] == access["loginEpoch"])


def gives(grants, now):
    return bool(grants) and (grants.get("expiresAt") or "9") > now and RELATION in grants["permissions"]


class Caller:
    def __init__(self, organization, membership, grants, now):
        self.organization = organization
        self.seats = membership["seats"]
        emergency = (membership.get("emergencyUntil") or "") > now
        self.views = (
            any(role in VIEWERS and (role != "EMERGENCY" or emergency) for role in membership["roles"])
            or gives(membership.get("grants"), now)
            or any(gives(grants.get(f"T#{team}"), now) for team in self.seats)
        )

    def require_to_view(self):
        if not self.views:
            raise Problem(403, "permission_missing")

    def require_to_view_in_any(self, teams):
        seats = (role for team in teams for role in self.seats.get(team, ()))
        if not self.views and not any(role in TEAM_VIEWERS for role in seats):
            raise Problem(404)


async def authenticate(
    authorization: Annotated[str | None, Header()] = None,
    lakesail_organization_id: Annotated[str | None, Header()] = None,
) -> Caller:
    claims = claims_of(authorization)
    organization = lakesail_organization_id or claims.get("org")
    user, home = f"U#{claims['sub']}", f"O#{organization}#SELF"
    of_user = [(user, f"LOGIN#{claims['sid']}"), (user, "ACCESS")]
    of_home = [(home, "ORGANIZATION"), (home, "TEAM_GRANTS")] if organization else []
    rows = batch(of_user + of_home)
    login, access = (rows.get(key) for key in of_user)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if login is None or access is None or not keeps_alive(access["data"], login["data"], now):
        raise Problem(401)
    if not organization:
        raise Problem(400, "organization_required")
    settings, grants = (rows.get(key) for key in of_home)
    membership = access["data"]["memberships"].get(organization)
    session = login["data"].get("singleSignOn")
    if membership is None or not membership["isEnabled"] or settings is None:
        raise Problem(404)
    if session and session["organizationId"] != organization:
        raise Problem(404)
    if settings["data"]["settings"]["auth"]["requireDpop"] and "cnf" not in claims:
        raise Problem(401)
    return Caller(organization, membership, grants or {}, now)


Authenticated = Annotated[Caller, Depends(authenticate)]
