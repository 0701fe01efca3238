// What views do over and over: load something, follow the facts, send something once.

import { useEffect, useReducer, useRef, useState } from "../vendor/preact-htm.js";
import { get, newKey, post } from "../lib/api.js";
import { listen } from "../lib/live.js";

const AGAIN_S = 5;

// Loads again when `deps` change, when told, every so many seconds, and while a problem
// that passes keeps all or a part of it away: all that while it is seen, and once when it
// is seen again.
// What is told while it loads waits for that: however often, something is always shown.
export function useResource(load, deps, { every, isPartial = () => false } = {}) {
  const [state, set] = useState({ loading: true });
  const [turn, again] = useReducer((n) => n + 1, 0);
  const loading = useRef(false);
  const told = useRef(false); // while it was loading
  const reload = () => {
    if (loading.current || document.hidden) told.current = true;
    else again();
  };
  useEffect(() => {
    const onSeen = () => document.hidden || reload();
    document.addEventListener("visibilitychange", onSeen);
    addEventListener("online", onSeen);
    return () => {
      document.removeEventListener("visibilitychange", onSeen);
      removeEventListener("online", onSeen);
    };
  }, []);
  useEffect(() => {
    const leaving = new AbortController();
    let timer;
    loading.current = true;
    told.current = false;
    const settle = (change) => {
      if (leaving.signal.aborted) return;
      loading.current = false;
      set((old) => ({ data: old.data, ...change, loading: false }));
      const lacking = change.problem ? change.problem.passes : isPartial(change.data);
      const wait = every ?? (lacking && AGAIN_S);
      if (told.current && !document.hidden) again();
      else if (wait) timer = setInterval(() => !document.hidden && again(), wait * 1000);
    };
    set((old) => ({ ...old, loading: true }));
    load({ signal: leaving.signal }).then(
      (data) => settle({ data }),
      (problem) => settle({ problem }),
    );
    return () => {
      leaving.abort();
      clearInterval(timer);
    };
  }, [...deps, turn]);
  return { ...state, reload };
}

// A list in pages: only one of them is ever in the document.
export function usePages(path, params, { every, limit = 50 } = {}) {
  const wanted = JSON.stringify([path, params]);
  const [place, setPlace] = useState({ wanted, cursors: [] });
  const cursors = place.wanted === wanted ? place.cursors : [];
  const asked = { ...params, limit, cursor: cursors.at(-1) };
  const resource = useResource((told) => get(path, asked, told), [wanted, cursors.at(-1)], {
    every: cursors.length ? undefined : every,
  });
  const next = resource.data?.next_cursor;
  return {
    ...resource,
    items: resource.data?.items ?? [],
    page: cursors.length + 1,
    onNext: next && (() => setPlace({ wanted, cursors: [...cursors, next] })),
    onBack: cursors.length && (() => setPlace({ wanted, cursors: cursors.slice(0, -1) })),
  };
}

export function useFacts(onFact, deps = []) {
  const [state, setState] = useState("off");
  const current = useRef();
  current.current = onFact;
  useEffect(
    () => listen({ onFact: (event) => current.current(event), onState: setState }),
    deps,
  );
  return state;
}

// However often it is called: once, so many milliseconds later.
export function useThrottled(work, ms) {
  const current = useRef();
  current.current = work;
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  return () => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      current.current();
    }, ms);
  };
}

// Sends a request that cannot go twice: a click while it is under way does nothing, and
// one after a lost answer goes under the same key.
export function useAction(onDone) {
  const [state, set] = useState({ busy: false });
  const running = useRef(false);
  const unanswered = useRef({});
  async function send(path, body) {
    if (running.current) return;
    running.current = true;
    set({ busy: true });
    const asked = JSON.stringify([path, body]);
    if (unanswered.current.asked !== asked) unanswered.current = { asked, key: newKey() };
    try {
      const answer = await post(path, body, unanswered.current.key);
      unanswered.current = {};
      set({ busy: false });
      onDone(answer);
    } catch (problem) {
      if (problem.isRefusal) unanswered.current = {};
      set({ busy: false, problem });
    } finally {
      running.current = false;
    }
  }
  return { ...state, send };
}
