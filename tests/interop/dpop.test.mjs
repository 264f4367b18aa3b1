// Sender-constrained tokens (RFC 9449) with npm dpop as the client.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { generateKeyPair, generateProof } from 'dpop';
import { api, call, password, signUp } from './platform.mjs';

const me = `${api}/me`;
let owner;
let keys;
let tokens;

async function signIn(keyPair) {
  const proof = await generateProof(keyPair, `${api}/auth/login`, 'POST');
  return call('POST', '/auth/login', { json: { email: owner.email, password }, headers: { dpop: proof } });
}

async function present(proof, { scheme = 'DPoP', token = tokens.accessToken } = {}) {
  return call('GET', '/me', { headers: { authorization: `${scheme} ${token}`, ...(proof ? { dpop: proof } : {}) } });
}

function assertRefused(answer) {
  assert.equal(answer.status, 401, JSON.stringify(answer.body));
  assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP /);
}

before(async () => {
  owner = await signUp('dpop-owner');
  keys = await generateKeyPair('ES256');
  const answer = await signIn(keys);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  tokens = answer.body;
});

test('a proof at sign-in binds the tokens to its key', async () => {
  assert.equal(tokens.tokenType, 'DPoP');
  const answer = await present(await generateProof(keys, me, 'GET', undefined, tokens.accessToken));
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});

test('Ed25519 keys work as well', async () => {
  const ed = await generateKeyPair('Ed25519');
  const { body } = await signIn(ed);
  const answer = await present(await generateProof(ed, me, 'GET', undefined, body.accessToken), { token: body.accessToken });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});

test('a bound token alone is worth nothing', async () => {
  assertRefused(await present(undefined, { scheme: 'Bearer' }));
  assertRefused(await present(undefined));
  assertRefused(await present(await generateProof(keys, me, 'GET', undefined, tokens.accessToken), { scheme: 'Bearer' }));
});

test('a proof is good for one request, one method, one address, one token and one key', async () => {
  const once = await generateProof(keys, me, 'GET', undefined, tokens.accessToken);
  assert.equal((await present(once)).status, 200);
  assertRefused(await present(once));
  assertRefused(await present(await generateProof(keys, me, 'POST', undefined, tokens.accessToken)));
  assertRefused(await present(await generateProof(keys, `${api}/org`, 'GET', undefined, tokens.accessToken)));
  assertRefused(await present(await generateProof(keys, me, 'GET')));
  assertRefused(await present(await generateProof(keys, me, 'GET', undefined, 'another token')));
  const other = await generateKeyPair('ES256');
  assertRefused(await present(await generateProof(other, me, 'GET', undefined, tokens.accessToken)));
});

test('refreshing needs the same key and keeps the binding', async () => {
  const refresh = async (keyPair, refreshToken) => call('POST', '/auth/token/refresh', {
    json: { refreshToken },
    headers: keyPair ? { dpop: await generateProof(keyPair, `${api}/auth/token/refresh`, 'POST') } : {},
  });
  const { body: mine } = await signIn(keys);
  assertRefused(await refresh(undefined, mine.refreshToken));
  assertRefused(await refresh(await generateKeyPair('ES256'), mine.refreshToken));
  const { status, body } = await refresh(keys, mine.refreshToken);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.tokenType, 'DPoP');
});

test('an organization can demand bound tokens', async () => {
  const change = await call('PATCH', '/org', { token: owner.token, json: { settings: { auth: { requireDpop: true } } } });
  assert.equal(change.status, 200, JSON.stringify(change.body));
  assertRefused(await call('GET', '/org', { token: owner.token }));
  const proof = await generateProof(keys, `${api}/org`, 'GET', undefined, tokens.accessToken);
  const bound = await call('GET', '/org', { headers: { authorization: `DPoP ${tokens.accessToken}`, dpop: proof } });
  assert.equal(bound.status, 200, JSON.stringify(bound.body));
});
