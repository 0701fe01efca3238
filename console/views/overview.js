// Whether orders flow: how many, how fast they are decided, and what waits.

import { html, useEffect, useReducer, useRef } from "../vendor/preact-htm.js";
import { get, ofThoseThatAnswer } from "../lib/api.js";
import { Flow } from "../lib/flow.js";
import { count, duration, factName, plural, time } from "../lib/format.js";
import { OrderLink, Panel, Pill, Time } from "../parts/bits.js";
import { useFacts, useResource, useThrottled } from "../parts/hooks.js";
import { Bars, Shares } from "../parts/plots.js";
import { Empty, Loaded, ProblemNote } from "../parts/states.js";

const NEWEST = 200;
const MINUTES = 30;
const STATES = ["placed", "confirmed", "partially_shipped", "shipped", "cancelled", "rejected"];
const STREAM = {
  live: "live",
  connecting: "connecting…",
  forbidden: "your token may not read orders",
  off: "off",
};

const newest = (told) => get("/v1/orders", { limit: NEWEST }, told);
const undecided = (told) => get("/v1/orders", { status: "placed", limit: NEWEST }, told);

async function backlog(told) {
  const [queues, outboxes] = await Promise.all([
    ofThoseThatAnswer("ops/queues", told),
    ofThoseThatAnswer("ops/outbox", told),
  ]);
  const services = queues.map(({ service, items, problem }, i) => ({
    service,
    queues: items ?? [],
    outbox: outboxes[i],
    problem: problem ?? outboxes[i].problem,
  }));
  return {
    services,
    queues: services.flatMap((one) => one.queues),
    outboxes: outboxes.filter(({ problem }) => !problem),
  };
}

function useFlow(orders) {
  const flow = useRef(new Flow());
  const [, draw] = useReducer((n) => n + 1, 0);
  const soon = useThrottled(draw, 300);
  const stream = useFacts((event) => {
    flow.current.take(event);
    soon();
  });
  useEffect(() => orders && (flow.current.seed(orders), draw()), [orders]);
  useEffect(() => {
    const clock = setInterval(draw, 5000); // minutes end also when nothing happens
    return () => clearInterval(clock);
  }, []);
  return [flow.current, stream];
}

export function Overview() {
  const latest = useResource(newest, [], { every: 10 });
  const waiting = useResource(undecided, [], { every: 5 });
  const [flow, stream] = useFlow(latest.data?.items);
  const behind = useResource(backlog, [], { every: 3 });
  const reload = useThrottled(() => {
    latest.reload();
    waiting.reload();
  }, 2000);
  useFacts(reload);
  return html`
    <header class="view">
      <h1>Overview</h1>
      <p class=${`stream ${stream}`} role="status"><span class="dot"></span>Stream: ${STREAM[stream]}</p>
    </header>
    ${latest.problem && html`<${ProblemNote} problem=${latest.problem} onRetry=${latest.reload} />`}
    <div class="tiles">
      <${Tile} name="Orders a minute" value=${count(flow.rate())} more="now" />
      <${Tile} name="Placed → decided" value=${duration(flow.delay(0.5))}
        more=${`median; 95 % within ${duration(flow.delay(0.95))}`} />
      <${Tile} name="Not decided yet" value=${bounded(waiting.data)}
        more=${waiting.data?.items.length ? html`<a href="/orders?status=placed">See which</a>` : "none"} />
      <${Behind} from=${behind} />
    </div>
    <div class="panels">
      <div class="column">
        <${Panel} title="Orders a minute">
          <${Bars} title="Orders a minute, the last half hour" bars=${bars(flow)} />
        <//>
        <${Panel} title="Queues and outboxes" aside=${html`<a href="/operations">Operations</a>`}>
          <${Loaded} from=${behind}>${(data) => html`<${Backlog} ...${data} />`}<//>
        <//>
      </div>
      <div class="column">
        <${Panel} title=${`States of the newest ${NEWEST}`}><${States} from=${latest} /><//>
        <${Panel} title="What happens">
          ${flow.facts.length
            ? html`<ol class="ticker">${flow.facts.map((fact) => html`<${Fact} key=${fact.id} fact=${fact} />`)}</ol>`
            : html`<${Empty}>Facts show here as they happen.<//>`}
        <//>
      </div>
    </div>
  `;
}

const bars = (flow) =>
  flow.perMinute(MINUTES).map(({ at, n }) => ({
    label: time(new Date(at).toISOString()).replace(/:\d\d(?=\D*$)/, ""),
    value: n,
    text: plural(n, "order"),
  }));

const States = ({ from }) =>
  html`<${Loaded} from=${from} empty=${html`No orders yet. <code>orderly up</code> printed a first one to copy.`}>
    ${(page) => html`<${Shares} shares=${shares(page.items)} label="States of the newest orders" />
      <${Attention} orders=${page.items} />`}
  <//>`;

const bounded = (page) => {
  if (!page) return "–";
  return count(page.items.length) + (page.next_cursor ? "+" : "");
};

const shares = (orders) =>
  STATES.map((name) => ({ name, n: orders.filter((order) => order.status === name).length })).filter(
    ({ n }) => n,
  );

const Tile = ({ name, value, more, bad }) =>
  html`<div class=${`tile ${bad ? "bad" : ""}`}>
    <span>${name}</span><strong class="figure">${value}</strong>${more && html`<small>${more}</small>`}
  </div>`;

function Behind({ from: { data, problem } }) {
  if (!data) {
    const more = problem && (problem.status === 403 ? "needs the scope ops" : problem.message);
    return html`<${Tile} name="Waiting in queues" value="–" more=${more} />`;
  }
  const sum = (name) => data.queues.reduce((all, queue) => all + (queue[name] ?? 0), 0);
  const dead = sum("dead_letters");
  const unpublished = data.outboxes.reduce((all, one) => all + one.waiting, 0);
  return html`
    <${Tile} name="Waiting in queues" value=${count(sum("depth"))}
      more=${oldest(data.queues, sum("depth"))} />
    <${Tile} name="Waiting in outboxes" value=${count(unpublished)} more=${oldest(data.outboxes, unpublished)} />
    <${Tile} name="Dead letters" value=${count(dead)} bad=${dead > 0}
      more=${dead > 0 ? html`<a href="/operations">See why</a>` : "none"} />
  `;
}

const oldest = (lists, waiting) =>
  waiting ? `oldest ${duration(Math.max(...lists.map(({ age }) => age ?? 0)))}` : "none";

const Backlog = ({ services }) =>
  html`<ul class="backlog">
    ${services.map(
      ({ service, outbox, queues, problem }) => html`<li>
        <b>${service}</b>
        ${problem && html`<span class="bad">${problem.message}</span>`}
        ${!outbox.problem && html`<span>outbox <span class="figure">${count(outbox.waiting)}</span></span>`}
        ${queues.map(
            (queue) => html`<span class=${queue.dead_letters ? "bad" : ""}>
              ${queue.name.replace(`orderly-${service}-`, "").replace("-", " ")}
              ${" "}<span class="figure">${queue.error ?? count(queue.depth)}</span>
            </span>`,
          )}
      </li>`,
    )}
  </ul>`;

function Attention({ orders }) {
  const found = orders.filter((order) => order.attention);
  if (!found.length) return null;
  return html`<h3>Need a look</h3>
    <ul class="plain">
      ${found.slice(0, 10).map(
        (order) =>
          html`<li><${OrderLink} ...${order} /> <${Pill} of=${order.attention} /> <${Time} at=${order.placed_at} /></li>`,
      )}
    </ul>`;
}

const Fact = ({ fact }) =>
  html`<li><${Time} at=${fact.at} /> <${OrderLink} id=${fact.order} number=${fact.number} /> ${factName(fact.type)}</li>`;
