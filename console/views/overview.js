// Whether orders flow: how many, how fast they are decided, and what waits.

import { html, useEffect, useReducer, useRef } from "../vendor/preact-htm.js";
import { get, ofThoseThatAnswer } from "../lib/api.js";
import { Flow } from "../lib/flow.js";
import { count, duration, factName, plural, time } from "../lib/format.js";
import { OrderLink, Panel, Pill, Time } from "../parts/bits.js";
import { useFacts, useResource, useThrottled } from "../parts/hooks.js";
import { Bars, Shares } from "../parts/plots.js";
import { Empty, Loaded, ProblemNote, whyNot } from "../parts/states.js";

const NEWEST = 200;
const MINUTES = 30;
const MINUTE_MS = 60_000;
const SHOWN = 10; // of the orders that need a look
const MOST_WAITING = 10_000; // what the service counts to
const STATES = ["placed", "confirmed", "partially_shipped", "shipped", "cancelled", "rejected"];
const STREAM = {
  live: "live",
  connecting: "connecting…",
  forbidden: "your token may not read orders",
  off: "off",
};

const newest = (told) => get("/v1/orders", { limit: NEWEST }, told);
const counts = (told) => get("/v1/orders/counts", { minutes: MINUTES }, told);
const troubled = (told) => get("/v1/orders", { attention: true, limit: SHOWN }, told);

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
  return [flow.current, stream];
}

export function Overview() {
  const latest = useResource(newest, [], { every: 60 }); // what follows is heard
  const counted = useResource(counts, [], { every: 5 });
  const attention = useResource(troubled, [counted.data?.attention]);
  const [flow, stream] = useFlow(latest.data?.items);
  const behind = useResource(backlog, [], { every: 3 });
  useFacts(useThrottled(counted.reload, 2000));
  return html`
    <header class="view">
      <h1>Overview</h1>
      <p class=${`stream ${stream}`} role="status"><span class="dot"></span>Stream: ${STREAM[stream]}</p>
    </header>
    ${counted.problem && html`<${ProblemNote} problem=${counted.problem} onRetry=${counted.reload} />`}
    <div class="tiles">
      <${Tile} name="Orders a minute" value=${count(counted.data && rate(counted.data))} more=${counted.data && "now"} />
      <${Decided} times=${counted.data?.time_to_decide} />
      <${Counted} name="Not decided yet" n=${counted.data?.undecided} see="/orders?status=placed" />
      <${Counted} name="Need a look" n=${counted.data?.attention} see="/orders?attention=true" bad />
      <${Behind} from=${behind} />
    </div>
    <div class="panels">
      <div class="column">
        <${Panel} title="Orders a minute">
          <${Loaded} from=${{ ...counted, problem: null }} rows=${3}>
            ${({ minutes }) => html`<${Bars} title=${`Orders a minute, the last ${minutes.length} minutes`} bars=${bars(minutes)} />`}
          <//>
        <//>
        <${Panel} title="Queues and outboxes" aside=${html`<a href="/operations">Operations</a>`}>
          <${Loaded} from=${behind}>${(data) => html`<${Backlog} ...${data} />`}<//>
        <//>
      </div>
      <div class="column">
        <${Panel} title=${`Orders of the last ${counted.data?.minutes.length ?? MINUTES} minutes`}>
          <${Loaded} from=${{ ...counted, problem: null }} rows=${2}>
            ${({ states }) => html`<${States} states=${states} first=${!latest.data?.items.length} />`}
          <//>
          <${Attention} orders=${attention.data?.items ?? []} />
        <//>
        <${Panel} title="What happens">
          ${flow.facts.length
            ? html`<ol class="ticker">${flow.facts.map((fact) => html`<${Fact} key=${fact.id} fact=${fact} />`)}</ol>`
            : html`<${Empty}>Facts show here as they happen.<//>`}
        <//>
      </div>
    </div>
  `;
}

// Of the last sixty seconds, as if the minute before had been even.
function rate({ as_of, minutes }) {
  const [before, current] = [0, 0, ...minutes.map(({ placed }) => placed)].slice(-2);
  const gone = (Date.parse(as_of) % MINUTE_MS) / MINUTE_MS;
  return Math.round(before * (1 - gone) + current);
}

const bars = (minutes) =>
  minutes.map(({ minute, placed }) => ({
    label: time(minute).replace(/:\d\d(?=\D*$)/, ""),
    value: placed,
    text: plural(placed, "order"),
  }));

function States({ states, first }) {
  const shares = STATES.map((name) => ({ name, n: states[name] ?? 0 })).filter(({ n }) => n);
  if (shares.length) return html`<${Shares} shares=${shares} label="Where the newest orders stand" />`;
  if (first) return html`<${Empty}>No orders yet. <code>orderly up</code> printed a first one to copy.<//>`;
  return html`<${Empty}>None was placed. <a href="/orders">The orders before</a><//>`;
}

const bounded = (n) => count(n) + (n >= MOST_WAITING ? "+" : "");

const Decided = ({ times }) =>
  html`<${Tile} name="Placed → decided" value=${duration(times?.median)}
    more=${times && `median of the newest ${count(times.orders)}; 95 % within ${duration(times.p95)}`} />`;

// Of what is not known it is not said that there is none.
const Counted = ({ name, n, see, bad }) =>
  html`<${Tile} name=${name} value=${bounded(n)} bad=${bad && n > 0}
    more=${n > 0 ? html`<a href=${see}>See which</a>` : n === 0 && "none"} />`;

const Tile = ({ name, value, more, bad }) =>
  html`<div class=${`tile ${bad ? "bad" : ""}`}>
    <span>${name}</span><strong class="figure">${value}</strong>${more && html`<small>${more}</small>`}
  </div>`;

function Behind({ from: { data, problem } }) {
  if (!data) {
    const more = problem && (problem.code === "missing_scope" ? "needs the scope ops" : problem.message);
    return html`<${Tile} name="Waiting in queues" value="–" more=${more} />`;
  }
  const sum = (name) => data.queues.reduce((all, queue) => all + (queue[name] ?? 0), 0);
  const dead = sum("dead_letters");
  const unpublished = data.outboxes.reduce((all, one) => all + one.waiting, 0);
  const away = data.services.filter(({ problem }) => problem).map(({ service }) => service);
  const unknown = away.length > 0 && `${away.join(" and ")} not known`;
  return html`
    <${Tile} name="Waiting in queues" value=${count(sum("depth"))}
      more=${unknown || oldest(data.queues, sum("depth"))} />
    <${Tile} name="Waiting in outboxes" value=${count(unpublished)}
      more=${unknown || oldest(data.outboxes, unpublished)} />
    <${Tile} name="Dead letters" value=${count(dead)} bad=${dead > 0}
      more=${dead > 0 ? html`<a href="/operations">See why</a>` : unknown || "none"} />
  `;
}

const oldest = (lists, waiting) =>
  waiting ? `oldest ${duration(Math.max(...lists.map(({ age }) => age ?? 0)))}` : "none";

const Backlog = ({ services }) =>
  html`<ul class="backlog">
    ${services.map(
      ({ service, outbox, queues, problem }) => html`<li>
        <b>${service}</b>
        ${problem && html`<span class="bad">${whyNot(problem)}</span>`}
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

const Attention = ({ orders }) =>
  orders.length > 0 &&
  html`<h3>Need a look</h3>
    <ul class="plain">
      ${orders.map(
        (order) =>
          html`<li key=${order.id}><${OrderLink} ...${order} /> <${Pill} of=${order.attention} /> <${Time} at=${order.placed_at} /></li>`,
      )}
    </ul>`;

const Fact = ({ fact }) =>
  html`<li><${Time} at=${fact.at} /> <${OrderLink} id=${fact.order} number=${fact.number} /> ${factName(fact.type)}</li>`;
