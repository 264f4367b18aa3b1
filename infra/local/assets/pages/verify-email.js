import { call, carried, on, say, show } from "./page.js";

// On a click, not on a visit: mail scanners visit links, too.
on("confirm", async () => {
  await call("POST", "auth/email/verify", { token: carried.get("token") ?? "" });
  show("");
  say("Your address is confirmed. You can sign in now.");
});
