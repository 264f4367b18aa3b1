// Who asks, and what they may do: the token's signature and claims, then login, access, organization and its policies in one read.
import { decodeProtectedHeader, importJWK, jwtVerify } from "jose";
import { Problem } from "./problem.js";
import { batch, first, key } from "./table.js";

/** Roles that have `CanViewJobs` over the organization, and over a team. */
const VIEWERS = new Set(["OWNER", "EMERGENCY", "ADMIN", "AUDITOR"]);
const TEAM_VIEWERS = new Set(["TEAMADMIN", "EDITOR", "VIEWER"]);
const RELATION = "CanViewJobs";
/** Seconds that clocks may differ. */
const LEEWAY = 60;

const published = new Map();

/** Reads the keys that access tokens are signed with. */
export async function warmKeys() {
  const rows = await first("SIGNING_KEYS", 101);
  const mine = rows.map((row) => row.data).filter((data) => data.purpose === "access");
  await Promise.all(
    mine.map(async ({ kid, x }) => published.set(kid, await importJWK({ kty: "OKP", crv: "Ed25519", x }, "EdDSA"))),
  );
}

async function claimsOf(authorization) {
  const [scheme, token] = (authorization ?? "").split(" ", 2);
  if (scheme.toLowerCase() !== "bearer" || !token || token.length > 4096) throw new Problem(401);
  try {
    const header = decodeProtectedHeader(token);
    if (header.jwk || header.jku || header.x5u || header.x5c || !published.has(header.kid)) throw new Problem(401);
    const { payload } = await jwtVerify(token, published.get(header.kid), {
      algorithms: ["EdDSA"],
      typ: "at+jwt",
      issuer: "mainsheet",
      audience: "mainsheet-api",
      requiredClaims: ["exp", "iat", "sub", "sid"],
    });
    if (payload.iat > Date.now() / 1000 + LEEWAY) throw new Problem(401);
    return payload;
  } catch {
    throw new Problem(401);
  }
}

const keepsAlive = (access, login, now) =>
  login.expiresAt > now &&
  (access.sparedLogin === login.id || login.epoch === access.loginEpoch);

const gives = (grants, now) =>
  Boolean(grants) && (!grants.expiresAt || grants.expiresAt > now) && grants.permissions.includes(RELATION);

export async function authenticate(headers) {
  const claims = await claimsOf(headers.get("authorization"));
  const organization = headers.get("lakesail-organization-id") ?? claims.org;
  const [user, home] = [`U#${claims.sub}`, `O#${organization}#SELF`];
  const keys = [
    key(user, `LOGIN#${claims.sid}`),
    key(user, "ACCESS"),
    ...(organization ? [key(home, "ORGANIZATION"), key(home, "TEAM_GRANTS")] : []),
  ];
  const rows = await batch(keys);
  const [login, access, settings, grants] = keys.map(rows.of);
  const now = new Date().toISOString();
  if (!login || !access || !keepsAlive(access.data, login.data, now)) throw new Problem(401);
  if (!organization) throw new Problem(400, "organization_required");
  const membership = access.data.memberships[organization];
  const session = login.data.singleSignOn;
  if (!membership?.isEnabled || !settings || (session && session.organizationId !== organization)) throw new Problem(404);
  if (settings.data.settings.auth.requireDpop && !claims.cnf) throw new Problem(401);
  return new Caller(organization, membership, grants ?? {}, now);
}

class Caller {
  #views;
  #seats;

  constructor(organization, membership, grants, now) {
    this.organization = organization;
    this.#seats = membership.seats;
    const counts = (role) => role !== "EMERGENCY" || membership.emergencyUntil > now;
    this.#views =
      membership.roles.some((role) => VIEWERS.has(role) && counts(role)) ||
      gives(membership.grants, now) ||
      Object.keys(membership.seats).some((team) => gives(grants[`T#${team}`], now));
  }

  requireToView() {
    if (!this.#views) throw new Problem(403, "permission_missing");
  }

  requireToViewInAny(teams) {
    const sees = (team) => this.#seats[team]?.some((role) => TEAM_VIEWERS.has(role));
    if (!this.#views && !teams.some(sees)) throw new Problem(404);
  }
}
