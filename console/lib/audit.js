// The reconciliation, as `orderly audit` does it: sums first, orders where sums differ,
// again and again until what is under way has settled or time is up.

import { get, ofEach, pause, SERVICES } from "./api.js";
import { COMPARISONS } from "./comparisons.js";

const PATIENCE_S = 30;
const LOOK_AGAIN_S = 1;
const PAGE = 200;
const AT_ONCE = 100; // ids in one address

export async function audit(told) {
  const patient = { ...told, deadline: Date.now() + PATIENCE_S * 1000 };
  told.onProgress("adding up");
  const digests = await digestsOf(told);
  const suspects = await compare(differingBuckets(digests), told);
  const left = await settle(suspects, patient);
  return {
    at: new Date().toISOString(),
    orders: digests.orders.totals.orders,
    checks: SERVICES.flatMap((name) => digests[name].checks).length,
    rows: COMPARISONS.map((comparison) => outcome(comparison, digests, left)),
    broken: await settleChecks(digests, patient),
    queues: await badQueues(told),
  };
}

export const isClean = ({ broken, queues, rows }) =>
  !broken.length && !queues.length && rows.every((row) => !row.orders.length);

const byService = (answers) =>
  Object.fromEntries(SERVICES.map((name, i) => [name, answers[i]]));

const digestsOf = async (told) => byService(await ofEach("ops/digest", {}, told));

function outcome([what, left, right], digests, disagreements) {
  const sum = ([service, name]) => digests[service].totals.figures[name] ?? 0;
  return {
    what,
    left: { figure: left, sum: sum(left.split(".")) },
    right: { figure: right, sum: sum(right.split(".")) },
    orders: disagreements.filter((one) => one.left === left && one.right === right),
  };
}

function differingBuckets(digests) {
  const sums = new Map(); // `service bucket` → its sums
  for (const service of SERVICES) {
    for (const found of digests[service].buckets) {
      sums.set(`${service} ${found.bucket}`, found);
    }
  }
  const sumsOf = (figure, bucket) => {
    const [service, name] = figure.split(".");
    const found = sums.get(`${service} ${bucket}`);
    return found ? `${found.figures[name]} ${found.mixed[name]}` : "0 0";
  };
  const named = new Set([...sums.values()].map((found) => found.bucket));
  return [...named].sort().filter((bucket) =>
    COMPARISONS.some(([, left, right]) => sumsOf(left, bucket) !== sumsOf(right, bucket)),
  );
}

async function compare(buckets, { signal, onProgress }) {
  const suspects = new Set();
  for (const [done, bucket] of buckets.entries()) {
    onProgress(`comparing orders: ${done} of ${buckets.length} parts`);
    const found = await Promise.all(SERVICES.map((name) => ordersIn(name, bucket, signal)));
    for (const one of disagreements(found)) suspects.add(one.order);
  }
  return [...suspects].sort();
}

async function ordersIn(service, bucket, signal) {
  const rows = [];
  let cursor = null;
  do {
    const asked = { bucket, limit: PAGE, cursor };
    const page = await get(`/v1/${service}/ops/digest`, asked, { signal });
    rows.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return figuresById(rows);
}

const figuresById = (rows) => new Map(rows.map((row) => [row.order_id, row.figures]));

async function settle(ids, { signal, onProgress, deadline }) {
  while (true) {
    const left = [];
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      left.push(...(await readAgain(ids.slice(start, start + AT_ONCE), signal)));
    }
    ids = [...new Set(left.map((one) => one.order))];
    if (!ids.length || Date.now() > deadline) return left;
    onProgress(`waiting for orders under way: ${ids.length}`);
    await pause(LOOK_AGAIN_S, signal);
  }
}

async function readAgain(ids, signal) {
  const pages = await ofEach("ops/digest", { order_id: ids }, { signal });
  return disagreements(pages.map((page) => figuresById(page.items)));
}

// Of an order that a service does not know, it knows nothing: all is 0.
function disagreements(found) {
  const known = byService(found);
  const figureOf = (figure, id) => {
    const [service, name] = figure.split(".");
    return known[service].get(id)?.[name] ?? 0;
  };
  const ids = [...new Set(found.flatMap((one) => [...one.keys()]))].sort();
  return ids.flatMap((order) =>
    COMPARISONS.map(([what, left, right]) => ({
      order,
      what,
      left,
      right,
      leftIs: figureOf(left, order),
      rightIs: figureOf(right, order),
    })).filter((one) => one.leftIs !== one.rightIs),
  );
}

const brokenIn = (digests) =>
  SERVICES.flatMap((service) =>
    digests[service].checks
      .filter((check) => !check.holds)
      .map((check) => ({ service, ...check })),
  );

async function settleChecks(digests, { signal, onProgress, deadline }) {
  let broken = brokenIn(digests);
  while (broken.length && Date.now() < deadline) {
    onProgress(`waiting for checks to hold: ${broken.length}`);
    await pause(LOOK_AGAIN_S, signal);
    broken = brokenIn(await digestsOf({ signal }));
  }
  return broken;
}

async function badQueues(told) {
  const answers = await ofEach("ops/queues", {}, told);
  return answers.flatMap((page) => page.items).filter((q) => q.error || q.dead_letters);
}
