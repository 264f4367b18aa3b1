// Single sign-on against npm oidc-provider: code flow with PKCE and nonce, automatic registration, back-channel logout.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, call, expect, signUp } from './platform.mjs';
import { Browser, initialAccessToken, startProvider } from './provider.mjs';

let provider;
let owner;
let idp;

before(async () => {
  provider = await startProvider();
  owner = await signUp('sso-owner');
  idp = await expect(201, 'POST', '/auth/idps/auto-setup', {
    token: owner.token,
    json: { name: 'Registered', providerUrl: provider.issuer, initialAccessToken },
  });
});
after(() => provider.stop());

function person(name, claims = {}) {
  return { sub: name, email: `${name}@sso.example`, email_verified: true, name, given_name: name, family_name: 'Tester', ...claims };
}

/** Signs in with a browser of its own; answers where it ended. */
async function signInAs(account) {
  provider.accounts.current = account;
  const isEnd = (url) => url.searchParams.has('code') && !url.searchParams.has('state') || url.searchParams.has('error') && !url.pathname.includes('/callback');
  return new Browser().follow(`${api}/auth/sso/${idp.id}/authorize`, isEnd);
}

/** The id that the provider has for somebody. */
function accountIdOf(account) {
  return Buffer.from(JSON.stringify(account)).toString('base64url');
}

/** The platform, as the provider knows it. */
async function registeredClient() {
  const shown = await expect(200, 'GET', `/auth/idps/${idp.id}`, { headers: { 'lakesail-organization-id': owner.organizationId } });
  return provider.provider.Client.find(shown.config.oidc.clientId);
}

async function exchange(end) {
  const code = end.searchParams.get('code');
  assert.ok(code, end.href);
  return expect(200, 'POST', '/auth/token/exchange', { json: { code } });
}

test('the secret that the provider issued is kept, and never shown', async () => {
  const shown = await expect(200, 'GET', `/auth/idps/${idp.id}`, { headers: { 'lakesail-organization-id': owner.organizationId } });
  assert.equal(shown.config.oidc.issuer, provider.issuer);
  assert.equal(shown.config.oidc.clientSecretConfigured, true);
  const client = await provider.provider.Client.find(shown.config.oidc.clientId);
  assert.ok(client.clientSecret && !JSON.stringify(shown).includes(client.clientSecret));
});

test('who is unknown becomes a member, and the same one the next time', async () => {
  const first = await exchange(await signInAs(person('grace')));
  const me = await expect(200, 'GET', '/me', { token: first.accessToken });
  assert.equal(me.user.email, 'grace@sso.example');
  const organization = await expect(200, 'GET', '/org', { token: first.accessToken });
  assert.equal(organization.id, owner.organizationId);
  const members = await expect(200, 'GET', '/org/members', { token: owner.token });
  assert.ok(members.included.members.some(({ userId, accountType }) => userId === me.user.id && accountType === 'managed'));
  const second = await exchange(await signInAs(person('grace')));
  const again = await expect(200, 'GET', '/me', { token: second.accessToken });
  assert.equal(again.user.id, me.user.id);
});

test('an address that the provider did not verify opens no account', async () => {
  const end = await signInAs(person('mallory', { email: owner.email, email_verified: false })).catch((error) => error);
  assert.ok(end instanceof Error || end.searchParams.has('error'), String(end));
});

test('the code is good for once', async () => {
  const end = await signInAs(person('once'));
  await exchange(end);
  const again = await call('POST', '/auth/token/exchange', { json: { code: end.searchParams.get('code') } });
  assert.ok([400, 401].includes(again.status), String(again.status));
});

test('state that another browser began is refused', async () => {
  provider.accounts.current = person('victim');
  const callback = await new Browser().follow(`${api}/auth/sso/${idp.id}/authorize`, (url) => url.pathname.endsWith('/callback'));
  const stolen = await call('GET', callback.href);
  assert.ok(stolen.status >= 300 && stolen.status < 500, String(stolen.status));
  assert.ok(!/[?&]code=/.test(stolen.headers.get('location') ?? ''), stolen.headers.get('location'));
});

test('signing out at the provider ends the logins that came from there, and no others', async () => {
  const [leaver, stayer] = [person('leaver'), person('stayer')];
  const tokens = await exchange(await signInAs(leaver));
  const others = await exchange(await signInAs(stayer));
  await expect(200, 'GET', '/me', { token: tokens.accessToken });
  const client = await registeredClient();
  assert.ok(client.backchannelLogoutUri, 'registered for back-channel logout');
  await client.backchannelLogout(accountIdOf(leaver), undefined);
  assert.equal((await call('GET', '/me', { token: tokens.accessToken })).status, 401);
  const refresh = { json: { refreshToken: tokens.refreshToken } };
  assert.equal((await call('POST', '/auth/token/refresh', refresh)).status, 401);
  await expect(200, 'GET', '/me', { token: others.accessToken });
});

test('only the provider can tell of a logout', async () => {
  const tokens = await exchange(await signInAs(person('target')));
  const { backchannelLogoutUri } = await registeredClient();
  const header = Buffer.from('{"alg":"none","typ":"logout+jwt"}').toString('base64url');
  for (const token of ['', 'nonsense', `${header}.e30.`, tokens.accessToken]) {
    const body = new URLSearchParams({ logout_token: token });
    const answer = await fetch(backchannelLogoutUri, { method: 'POST', body });
    assert.equal(answer.status, 400, `${token}: ${await answer.text()}`);
  }
  await expect(200, 'GET', '/me', { token: tokens.accessToken });
});

test('what the provider is asked carries a challenge, a nonce and a state', async () => {
  const isAsked = (url) => url.origin === provider.issuer && url.searchParams.has('client_id');
  const asked = await new Browser().follow(`${api}/auth/sso/${idp.id}/authorize`, isAsked);
  const parameter = (name) => asked.searchParams.get(name) ?? '';
  assert.equal(parameter('response_type'), 'code');
  assert.equal(parameter('code_challenge_method'), 'S256');
  assert.match(parameter('code_challenge'), /^[\w-]{43}$/);
  for (const name of ['nonce', 'state']) assert.ok(parameter(name).length >= 22, name);
  const { redirectUris, clientId } = await registeredClient();
  assert.deepEqual([parameter('redirect_uri')], redirectUris);
  assert.equal(parameter('client_id'), clientId);
});

test('registration without the token that the provider asks for is refused, and nothing is kept', async () => {
  const json = { name: 'Unregistered', providerUrl: provider.issuer };
  const { status, body } = await call('POST', '/auth/idps/auto-setup', { token: owner.token, json });
  assert.deepEqual([status, body.code], [409, 'registration_refused'], JSON.stringify(body));
  const { items } = await expect(200, 'GET', '/auth/idps', { headers: { 'lakesail-organization-id': owner.organizationId } });
  assert.deepEqual(items.map(({ name }) => name), ['Registered']);
});
