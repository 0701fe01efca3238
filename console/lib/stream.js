// Server-sent events by fetch: EventSource cannot send a token. Where it ends, it goes
// on after the last event that was heard.

import { pause } from "./api.js";
import { accessToken, end } from "./session.js";

const SILENT_S = 40; // a heartbeat comes every 15
const AGAIN_S = [0.5, 1, 2, 5, 10];

class Forbidden extends Error {}

function fields(block) {
  const found = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) found[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  return found;
}

async function* eventsOf(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    yield* blocks.map(fields);
  }
}

const isOurs = (answer) => answer.json().then(({ code }) => Boolean(code), () => false);

async function connect(lastId, signal) {
  const headers = { Authorization: `Bearer ${await accessToken()}` };
  if (lastId) headers["Last-Event-ID"] = lastId;
  const answer = await fetch("/v1/orders/stream", { headers, signal });
  if (answer.status === 401) end("The token is refused, or has run out.");
  if (answer.status === 403 && (await isOurs(answer))) throw new Forbidden();
  if (!answer.ok) throw new Error(`The stream answered ${answer.status}.`);
  return answer.body;
}

// Aborts when nothing was heard for too long: a connection can be dead and not closed.
class Patience {
  #silence = new AbortController();
  #timer;

  constructor(signal) {
    this.signal = AbortSignal.any([signal, this.#silence.signal]);
    this.heard();
  }

  heard = () => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#silence.abort(), SILENT_S * 1000);
  };

  over() {
    clearTimeout(this.#timer);
  }
}

// Until `signal` aborts. `onFact(event)`, `onState("connecting" | "live" | "forbidden")`.
export async function follow({ signal, onFact, onState }) {
  let lastId = null;
  let failures = 0;
  while (!signal.aborted) {
    onState("connecting");
    const patience = new Patience(signal);
    try {
      const body = await connect(lastId, patience.signal);
      onState("live");
      failures = 0;
      for await (const event of eventsOf(body, patience.heard)) {
        lastId = event.id ?? lastId;
        if (event.data) onFact(JSON.parse(event.data));
      }
    } catch (error) {
      if (error instanceof Forbidden) return onState("forbidden");
    } finally {
      patience.over();
    }
    const wait = AGAIN_S[Math.min(failures++, AGAIN_S.length - 1)];
    await pause(wait, signal).catch(() => {});
  }
}
