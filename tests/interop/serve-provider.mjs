// An OpenID provider on loopback to try single sign-on with: `PORT=9400 node serve-provider.mjs grace@example.com`.
// It signs in whoever is named on the command line, without asking.

import { initialAccessToken, startProvider } from './provider.mjs';

const [email = 'grace@example.com'] = process.argv.slice(2);
const name = email.split('@')[0];
const { issuer, accounts } = await startProvider(Number(process.env.PORT ?? 0));
accounts.current = { sub: name, email, email_verified: true, name, given_name: name, family_name: 'Example' };
console.log(`provider: ${issuer}\ninitial access token: ${initialAccessToken}\nsigns in: ${email}`);
