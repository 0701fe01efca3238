// Authorization code with PKCE, as OAuth 2.1 wants it of what runs in a browser.

const UNDER_WAY = "orderly.sign-in";
let settings;

async function load() {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`How to sign in cannot be read: config.json answered ${answer.status}.`);
  return answer.json();
}

// {"by": "token"}, or {"by": "code", "origin", "client_id", "scopes"}
export async function way() {
  settings ??= load().catch((error) => {
    settings = null; // asked again the next time
    throw error;
  });
  return (await settings).sign_in;
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const unguessable = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

const here = () => `${location.origin}/`;

async function challengeOf(verifier) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64url(new Uint8Array(digest));
}

export async function goToSignIn() {
  const { origin, client_id, scopes } = await way();
  const page = location.pathname + location.search;
  const started = { state: unguessable(), verifier: unguessable(), page };
  sessionStorage.setItem(UNDER_WAY, JSON.stringify(started));
  const asked = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: here(),
    scope: scopes.join(" "),
    state: started.state,
    code_challenge: await challengeOf(started.verifier),
    code_challenge_method: "S256",
  });
  location.assign(`${origin}/oauth2/authorize?${asked}`);
}

// Back from there: the tokens for the code, once. Null: nobody went to sign in.
export async function finishSignIn() {
  const answer = new URLSearchParams(location.search);
  const started = JSON.parse(sessionStorage.getItem(UNDER_WAY) ?? "null");
  if (!started || !answer.has("state")) return null;
  sessionStorage.removeItem(UNDER_WAY);
  history.replaceState(null, "", started.page);
  if (answer.get("state") !== started.state || !answer.has("code")) {
    throw new Error(answer.get("error_description") ?? "Sign-in was not completed.");
  }
  return exchange({
    grant_type: "authorization_code",
    code: answer.get("code"),
    code_verifier: started.verifier,
    redirect_uri: here(),
  });
}

// What cannot be had anew is tried as it is: the API says what it thinks of it.
export async function refresh(kept) {
  const { refresh_token } = kept;
  try {
    return { ...kept, ...(await exchange({ grant_type: "refresh_token", refresh_token })) };
  } catch {
    return kept;
  }
}

async function exchange(asked) {
  const { origin, client_id } = await way();
  const body = new URLSearchParams({ client_id, ...asked });
  const answer = await fetch(`${origin}/oauth2/token`, { method: "POST", body });
  if (!answer.ok) throw new Error(`Sign-in answered ${answer.status}.`);
  const { access_token, refresh_token } = await answer.json();
  return refresh_token ? { access_token, refresh_token } : { access_token };
}

export async function leave() {
  const { by, origin, client_id } = await way();
  if (by !== "code") return;
  location.assign(`${origin}/logout?${new URLSearchParams({ client_id, logout_uri: here() })}`);
}
