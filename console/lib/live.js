// One stream for all that listen on the page, open only while somebody does.

import { follow } from "./stream.js";

const LINGER_MS = 1000; // from one view to the next it stays open
const listeners = new Set();
let open = null;
let state = "off";

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

function stopIfDeserted() {
  if (listeners.size || !open) return;
  open.abort();
  open = null;
  state = "off";
}

export function listen(listener) {
  listeners.add(listener);
  if (!open) start();
  listener.onState?.(state);
  return () => {
    listeners.delete(listener);
    setTimeout(stopIfDeserted, LINGER_MS);
  };
}
