import { call, carried, finish, on, say, show } from "./page.js";

const invitation = `org/invites/${encodeURIComponent(carried.get("token") ?? "")}`;

function welcome(organization) {
  show("");
  say(`You belong to ${organization.name} now. Sign in with your address and password.`);
}

async function begin() {
  const { email, organization } = await call("GET", invitation);
  say(`${organization.name} invites ${email} to work together on Mainsheet.`);
  show("choose");
  on("choose", async () => {
    say(`A new account for ${email}:`);
    show("newcomer");
  });
  document.getElementById("known").addEventListener("click", () => {
    say(`Sign in as ${email}:`);
    show("sign-in");
  });
  on("newcomer", async (user) => {
    const result = await call("POST", `${invitation}/accept`, { user: { email, ...user } });
    if (result.nextStep === "login") {
      say(`There is an account for ${email} already. Sign in with it:`);
      show("sign-in");
    } else if (result.nextStep === "verify_email") {
      show("");
      say("Confirm your address next: a link was mailed to you. Then sign in.");
    } else {
      welcome(organization);
    }
  });
  on("sign-in", async ({ password }) => {
    const result = await call("POST", "auth/login", { email, password });
    await finish(result, async ({ accessToken }) => {
      await call("POST", `${invitation}/accept`, {}, accessToken);
      welcome(organization);
    });
  });
}

begin().catch((error) => say(`${error.message} The invitation may have been accepted, withdrawn, or older than 7 days.`));
