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

test('signing out at the provider ends the logins that came from there', async () => {
  const tokens = await exchange(await signInAs(person('leaver')));
  await expect(200, 'GET', '/me', { token: tokens.accessToken });
  const shown = await expect(200, 'GET', `/auth/idps/${idp.id}`, { headers: { 'lakesail-organization-id': owner.organizationId } });
  const client = await provider.provider.Client.find(shown.config.oidc.clientId);
  assert.ok(client.backchannelLogoutUri, 'registered for back-channel logout');
  const accountId = Buffer.from(JSON.stringify(person('leaver'))).toString('base64url');
  await client.backchannelLogout(accountId, undefined);
  const { status } = await call('GET', '/me', { token: tokens.accessToken });
  assert.equal(status, 401);
});
