// One stream for all that listen on the page, open only while somebody does and looks.

import { follow } from "./stream.js";

const LINGER_MS = 1000; // from one view to the next it stays open
const HIDDEN_MS = 60_000; // and while another tab is looked at for a moment
const listeners = new Set();
let open = null;
let state = "off";
let hidden;

function tell(event) {
  for (const listener of listeners) listener.onFact?.(event);
}

function setState(next) {
  state = next;
  for (const listener of listeners) listener.onState?.(next);
}

function start() {
  open = new AbortController();
  follow({ signal: open.signal, onFact: tell, onState: setState });
}

function stop() {
  open?.abort();
  open = null;
  setState("off");
}

const stopIfDeserted = () => listeners.size || stop();

// What was missed meanwhile is in what views load when they are seen again.
function onVisibility() {
  clearTimeout(hidden);
  if (document.hidden) hidden = setTimeout(stop, HIDDEN_MS);
  else if (listeners.size && !open) start();
}

document.addEventListener("visibilitychange", onVisibility);

export function listen(listener) {
  listeners.add(listener);
  if (!open) start();
  listener.onState?.(state);
  return () => {
    listeners.delete(listener);
    setTimeout(stopIfDeserted, LINGER_MS);
  };
}
