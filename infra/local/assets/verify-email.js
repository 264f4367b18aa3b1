// Confirms the address on a click, not on a visit: mail scanners visit links, too.
const outcome = document.getElementById("outcome");
const button = document.getElementById("confirm");
button.addEventListener("click", async () => {
  button.disabled = true;
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const answer = await fetch("api/v1/auth/email/verify", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  outcome.textContent = answer.ok ? "Your address is confirmed. You can sign in now." : (await answer.json()).message;
  button.hidden = true;
});
