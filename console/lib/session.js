// Whose token is used. It lives as long as the tab does and is told to nobody but the
// API, which is at our own origin.

import { refresh, way } from "./sign-in.js";

const KEPT = "orderly.session";
const REFRESH_BEFORE_S = 60;
const listeners = new Set();
let refused = null; // what the API said of the last token
let refreshing = null;

export const session = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
export const refusal = () => refused;

export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function keep(tokens, why = null) {
  refused = why;
  if (tokens) sessionStorage.setItem(KEPT, JSON.stringify(tokens));
  else sessionStorage.removeItem(KEPT);
  for (const listener of listeners) listener();
}

export const begin = (tokens) => keep(tokens);
export const end = (why = null) => keep(null, why);

export function claims(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null; // not a JWT: the API will say so
  }
}

export async function accessToken() {
  const kept = session();
  if (!kept?.refresh_token) return kept?.access_token;
  const left = claims(kept.access_token).exp - Date.now() / 1000;
  if (left > REFRESH_BEFORE_S) return kept.access_token;
  refreshing ??= refresh(kept).finally(() => {
    refreshing = null;
  });
  const fresh = await refreshing;
  if (session()) sessionStorage.setItem(KEPT, JSON.stringify(fresh)); // else signed out
  return fresh.access_token;
}

// `orderly up` links to /#token=…: gone from the address bar and history, and taken where
// tokens are pasted anyway. Elsewhere a link could sign people in as who sent it.
export async function takeFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  if ((await way()).by === "token") begin({ access_token: token });
}
