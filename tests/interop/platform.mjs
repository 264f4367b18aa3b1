// The platform under test: requests to it, its caught mails, and people on it.

export const platform = process.env.MAINSHEET ?? 'http://127.0.0.1:8080';
export const api = `${platform}/api/v1`;
export const password = 'four sails, one quiet harbour';

/** Sends a request; answers `{status, headers, body}`. */
export async function call(method, path, { token, json, headers = {} } = {}) {
  const answer = await fetch(path.startsWith('http') ? path : api + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: json === undefined ? undefined : JSON.stringify(json),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json');
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
}

/** Sends a request that has to succeed with this status; answers the body. */
export async function expect(status, method, path, options) {
  const answer = await call(method, path, options);
  if (answer.status !== status) {
    throw new Error(`${method} ${path}: ${answer.status} instead of ${status}: ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}

/** The text of the newest mail to an address, as soon as it is there. */
export async function newestMail(to, isIt = () => true) {
  for (let tries = 0; tries < 200; tries += 1) {
    const { items } = (await call('GET', `${platform}/_local/mail`)).body;
    const mail = items.filter((item) => item.to === to && isIt(item)).at(-1);
    if (mail) return mail;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`no mail to ${to}`);
}

/** The token that stands on a line of its own. */
export function tokenOf(mail) {
  return mail.text.split('\n').find((line) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(line));
}

/** A person with an organization of their own, signed in: `{email, token, refreshToken, organizationId}`. */
export async function signUp(name) {
  const email = `${name}@example.com`;
  await expect(201, 'POST', '/auth/signup', { json: { email, password, organizationName: name } });
  await expect(204, 'POST', '/auth/email/verify', { json: { token: tokenOf(await newestMail(email)) } });
  const login = await expect(200, 'POST', '/auth/login', { json: { email, password } });
  const { id } = await expect(200, 'GET', '/org', { token: login.accessToken });
  return { email, token: login.accessToken, refreshToken: login.refreshToken, organizationId: id };
}
