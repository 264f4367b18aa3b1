// What the pages have in common: requests to the API, and saying what came of them.

const outcome = document.getElementById("outcome");

/** What the link to this page carries. Nothing of it stays in the address bar, where others could read it. */
export const carried = new URLSearchParams(location.search);
history.replaceState(null, "", location.pathname);

/** Says something to the person; screen readers read it out. */
export function say(text) {
  outcome.textContent = text;
}

/** Shows one of the page's forms alone, or none, and goes to its first field. */
export function show(id) {
  for (const form of document.querySelectorAll("form, section")) form.hidden = form.id !== id;
  document.getElementById(id)?.querySelector("input, textarea, button")?.focus();
}

/** Sends a request to the API: its answer, or a failure with a text for the person. */
export async function call(method, path, body, accessToken) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (accessToken !== undefined) headers.Authorization = `Bearer ${accessToken}`;
  let answer;
  try {
    answer = await fetch(`api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("Mainsheet does not answer. Try again in a moment.");
  }
  const text = await answer.text();
  const json = text === "" ? {} : JSON.parse(text);
  if (answer.ok) return json;
  const errors = Object.values(json.details?.fieldErrors ?? {});
  throw new Error(errors.length > 0 ? `${json.message} It ${errors.join("; it ")}.` : json.message);
}

/** Lets a form do something once it is sent; what goes wrong is said, and it can be sent again. */
export function on(id, act) {
  const form = document.getElementById(id);
  form.onsubmit = async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    say("One moment…");
    try {
      await act(Object.fromEntries(new FormData(form)));
    } catch (error) {
      say(error.message);
    }
    button.disabled = false;
  };
}

/** Tokens of a sign-in; where a second factor is asked for, the form `second-factor` gives it. */
export function finish(result, done) {
  if (result.accessToken !== undefined) return done(result);
  if (result.nextStep === "mfa") {
    say("Your second factor, please.");
    show("second-factor");
    on("second-factor", async ({ code }) => {
      const given = /^\d{6}$/.test(code) ? { code } : { recoveryCode: code };
      await done(await call("POST", "auth/mfa/verify", { challengeToken: result.challengeToken, ...given }));
    });
    return undefined;
  }
  show("");
  say(
    result.nextStep === "verify_email"
      ? "Confirm your address first: a link was mailed to you. Then sign in."
      : "Your organization asks for a second factor, and you have none yet. Set one up with your client, then sign in again.",
  );
  return undefined;
}
