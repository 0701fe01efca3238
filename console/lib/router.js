// Pages are paths; filters are in the query, so that a view can be sent to a colleague.

const listeners = new Set();

// What is no encoding of anything stays as it is: there is no such page.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const here = () => ({
  path: location.pathname.split("/").filter(Boolean).map(decoded),
  query: Object.fromEntries(new URLSearchParams(location.search)),
});

function tell() {
  for (const listener of listeners) listener();
}

export function onNavigate(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function go(address) {
  history.pushState(null, "", address);
  tell();
}

// Changes the query of this page, without a step in the history.
export function setQuery(changes) {
  const query = { ...here().query, ...changes };
  const given = Object.entries(query).filter(([, value]) => value);
  const text = new URLSearchParams(given).toString();
  history.replaceState(null, "", location.pathname + (text && `?${text}`));
  tell();
}

function onClick(event) {
  const link = event.target.closest?.("a[href^='/']");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey);
  if (!link || !plain || event.defaultPrevented) return;
  if (link.target || link.pathname.startsWith("/v1/")) return;
  event.preventDefault();
  go(link.getAttribute("href"));
}

addEventListener("popstate", tell);
addEventListener("click", onClick);
