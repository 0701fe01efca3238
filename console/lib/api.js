// The public API, and nothing else. What fails for a moment is tried again: reading
// always, writing under the key it was first sent with.

import { accessToken, end } from "./session.js";

const PASSING = new Set([0, 429, 502, 503, 504]);
const BACKOFF_S = [0.5, 1, 2, 4];
const LONGEST_WAIT_S = 10;
const SLOW_S = 6; // whoever is before a service answers for one that hangs by then
const ANSWERED_WITHIN_S = 60; // a connection can be dead and not closed

export const SERVICES = ["orders", "inventory", "accounting"];

// What says to send the same key again, to who has none: the console keeps it.
const WITHOUT_KEY = {
  too_many_waiting: "More is asked of Orderly than can be done.",
  internal_error: "Something went wrong in Orderly.",
  unavailable: "A service of Orderly does not answer.",
};

export class Problem extends Error {
  constructor({ status, title, detail, code, errors }, retryAfter) {
    super(WITHOUT_KEY[code] ?? detail ?? title);
    Object.assign(this, { status, title, code, retryAfter, errors: errors ?? [] });
  }

  // Who answered was not Orderly, which gives each of its problems a code.
  get isFromElsewhere() {
    return !this.code && this.status > 0;
  }

  get passes() {
    return PASSING.has(this.status);
  }

  // Nothing was done, for sure.
  get isRefusal() {
    return this.status >= 400 && this.status < 500 && !this.passes;
  }
}

async function problemOf(answer) {
  const retryAfter = Number(answer.headers.get("Retry-After")) || null;
  const told = await answer.json().catch(nullUnlessLost);
  if (told?.code) return new Problem({ ...told, status: answer.status }, retryAfter);
  return new Problem({ status: answer.status, detail: elsewhere(answer) }, retryAfter);
}

function elsewhere({ status, headers }) {
  const id = headers.get("X-Amz-Cf-Id");
  return `What is before Orderly answered ${status}${id ? `, to the request ${id}` : ""}.`;
}

const silence = () =>
  navigator.onLine
    ? new Problem({ status: 0, title: "No answer", detail: "Orderly does not answer." })
    : new Problem({ status: 0, title: "Offline", detail: "This browser is offline.", code: "offline" });

// As fetch says it, of the head and of the body.
const isLost = (error) => error instanceof TypeError || error.name === "AbortError";

function nullUnlessLost(error) {
  if (isLost(error)) throw error;
  return null;
}

async function once(path, { signal, read, ...init }) {
  const headers = { ...init.headers, Authorization: `Bearer ${await accessToken()}` };
  return inTime(signal, async (either) => {
    const answer = await fetch(path, { ...init, headers, signal: either });
    if (answer.ok) return read(answer);
    const problem = await problemOf(answer);
    if (problem.status === 401) end(problem.message);
    throw problem;
  });
}

async function inTime(signal, work) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWERED_WITHIN_S * 1000);
  try {
    return await work(signal ? AbortSignal.any([signal, late.signal]) : late.signal);
  } catch (error) {
    throw isLost(error) && !signal?.aborted ? silence() : error;
  } finally {
    clearTimeout(timer);
  }
}

export const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

// So that people know why nothing moves, and take nothing old for new: as long as an
// answer is awaited for long, be it that there is none, or that it takes its time.
const silent = new Set();

function tellOfSilence(change) {
  const before = silent.size > 0;
  change();
  const detail = silent.size > 0;
  if (detail !== before) dispatchEvent(new CustomEvent("orderly:silence", { detail }));
}

const json = (answer) => answer.json();

// What `read` makes of the answer: a connection can die in the middle of one.
// `patient: false` where it is asked for again in a moment anyway.
async function ask(path, { patient = true, read = json, ...asked } = {}) {
  const init = { ...asked, read };
  const me = {};
  const tell = () => tellOfSilence(() => silent.add(me));
  const slow = setTimeout(tell, SLOW_S * 1000);
  try {
    return await (patient ? patiently(path, init, tell) : once(path, init));
  } finally {
    clearTimeout(slow);
    tellOfSilence(() => silent.delete(me));
  }
}

async function patiently(path, init, tell) {
  for (const wait of BACKOFF_S) {
    try {
      return await once(path, init);
    } catch (problem) {
      if (!problem.passes) throw problem;
      tell();
      await pause(Math.min(problem.retryAfter ?? wait, LONGEST_WAIT_S), init.signal);
    }
  }
  return once(path, init);
}

export function withQuery(path, params = {}) {
  const given = Object.entries(params).flatMap(([name, value]) =>
    [value].flat().filter((one) => one != null && one !== "").map((one) => [name, one]),
  );
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

export const get = (path, params, { signal, patient } = {}) =>
  ask(withQuery(path, params), { signal, patient });

export function post(path, body, key) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const ofEach = (path, params, options) =>
  Promise.all(SERVICES.map((name) => get(`/v1/${name}/${path}`, params, options)));

// Of each service what it answers, or the problem: one that is away hides no other.
export async function ofThoseThatAnswer(path, { signal }) {
  const told = { signal, patient: false };
  const asked = SERVICES.map((name) => get(`/v1/${name}/${path}`, {}, told));
  const answers = await Promise.allSettled(asked);
  if (answers.every(({ reason }) => reason)) throw answers[0].reason;
  return answers.map(({ value, reason }, i) => ({ service: SERVICES[i], ...value, problem: reason }));
}

// Of some of them there will be one, so that it is worth asking again.
export const lacksAnswers = (answers) => answers.some(({ problem }) => problem?.passes);

// Not randomUUID, which browsers have on trusted origins only.
export const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

export async function download(path, accept, name) {
  const blob = await ask(path, { headers: { Accept: accept }, read: (answer) => answer.blob() });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
