import { call, carried, on, say, show } from "./page.js";

on("reset", async ({ newPassword }) => {
  await call("POST", "auth/password/reset", { token: carried.get("token") ?? "", newPassword });
  show("");
  say("Your password is set. You can sign in with it now.");
});
