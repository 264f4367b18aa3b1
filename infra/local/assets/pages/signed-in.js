import { call, carried, finish, on, say, show } from "./page.js";

function present({ accessToken, refreshToken }) {
  document.getElementById("access").value = accessToken;
  document.getElementById("refresh").value = refreshToken;
  say("Your client uses these. Nobody else may have them.");
  show("tokens");
}

// The code is good for a minute and for once.
on("exchange", async () => {
  const result = await call("POST", "auth/token/exchange", { code: carried.get("code") ?? "" });
  await finish(result, present);
});
