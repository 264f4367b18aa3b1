// An OpenID provider (npm oidc-provider) on loopback that signs in whomever it is told to, without asking.

import { createServer } from 'node:http';
import Provider from 'oidc-provider';

export const initialAccessToken = 'let-me-register';

/** Starts it; answers `{issuer, provider, accounts, stop}`. `accounts.current` is who signs in next. Port 0 takes a free one. */
export async function startProvider(port = 0) {
  const server = createServer();
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const accounts = { current: null };
  const provider = new Provider(issuer, {
    cookies: { keys: ['only', 'tests'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name'] },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true, initialAccessToken },
      backchannelLogout: { enabled: true },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => JSON.parse(Buffer.from(id, 'base64url').toString()) }),
    // It calls no addresses of private networks. The platform that it tells of logouts is on this machine, as it is itself.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  });
  provider.use(async (context, next) => {
    if (!context.path.startsWith('/interaction/')) return next();
    const { params, grantId } = await provider.interactionDetails(context.req, context.res);
    const accountId = Buffer.from(JSON.stringify(accounts.current)).toString('base64url');
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope('openid email profile');
    const result = { login: { accountId }, consent: { grantId: await grant.save() } };
    context.redirect(await provider.interactionResult(context.req, context.res, result));
    return undefined;
  });
  server.on('request', provider.callback());
  const stop = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { issuer, provider, accounts, stop };
}

/** A browser: follows redirects and keeps cookies, until `isEnd` says of an address that it was reached. */
export class Browser {
  #cookies = new Map();

  async follow(address, isEnd) {
    let next = new URL(address);
    for (let hops = 0; hops < 20; hops += 1) {
      if (isEnd(next)) return next;
      const answer = await fetch(next, { redirect: 'manual', headers: { cookie: this.#cookieHeader(next) } });
      this.#keep(next, answer.headers.getSetCookie());
      const location = answer.headers.get('location');
      if (!location) throw new Error(`${next}: ${answer.status} ${await answer.text()}`);
      next = new URL(location, next);
    }
    throw new Error(`too many redirects: ${next}`);
  }

  #cookieHeader({ host }) {
    return [...(this.#cookies.get(host) ?? new Map())].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #keep({ host }, lines) {
    const jar = this.#cookies.get(host) ?? new Map();
    this.#cookies.set(host, jar);
    for (const line of lines) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const isGone = attributes.some((attribute) => /^max-age=0$/i.test(attribute) || /^expires=Thu, 01 Jan 1970/i.test(attribute));
      if (isGone) jar.delete(name);
      else jar.set(name, value);
    }
  }
}
