// Queues, dead letters, and whether the three services agree.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { lacksAnswers, ofThoseThatAnswer, post } from "../lib/api.js";
import { audit, isClean } from "../lib/audit.js";
import { count, duration, plural, time } from "../lib/format.js";
import { Count, OrderLink, Panel, say, Time } from "../parts/bits.js";
import { useResource } from "../parts/hooks.js";
import { Away, Loaded, ProblemNote } from "../parts/states.js";
import { Table } from "../parts/table.js";

const SHOWN = 50;

export function Operations() {
  const queues = useResource((told) => ofThoseThatAnswer("ops/queues", told), [], { every: 3 });
  const outboxes = useResource((told) => ofThoseThatAnswer("ops/outbox", told), [], { every: 3 });
  const letters = useResource((told) => ofThoseThatAnswer("ops/dead-letters", told), [], {
    isPartial: lacksAnswers,
  });
  const dead = queues.data && sumOfDead(queues.data);
  useEffect(() => letters.reload(), [dead]);
  return html`
    <header class="view"><h1>Operations</h1></header>
    <div class="panels">
      <${Panel} title="Queues" wide>
        <${Loaded} from=${queues} isEmpty=${() => false}>
          ${(answers) => html`<${Away} answers=${answers} />
            <${Table} caption="Queues" columns=${queueColumns} keyOf=${(row) => row.name}
              rows=${answers.flatMap(({ items }) => items ?? [])} />`}
        <//>
      <//>
      <${Panel} title="Dead letters" wide>
        <${Loaded} from=${letters}>
          ${(found) => html`<${Letters} found=${found} onDone=${() => (letters.reload(), queues.reload())} />`}
        <//>
      <//>
      <${Panel} title="Outboxes" wide>
        <${Loaded} from=${outboxes}>
          ${(answers) => html`<${Away} answers=${answers} />
            <${Table} caption="Outboxes" columns=${outboxColumns} keyOf=${({ service }) => service}
              rows=${answers.filter(({ problem }) => !problem)} />`}
        <//>
      <//>
      <${Audit} />
    </div>
  `;
}

const sumOfDead = (answers) =>
  answers.flatMap(({ items }) => items ?? []).reduce((sum, queue) => sum + (queue.dead_letters ?? 0), 0);

const whole = (name, field) => ({ name, number: true, of: (row) => html`<${Count} n=${row[field]} />` });

const queueColumns = [
  { name: "Queue", head: true, of: ({ name }) => name.replace("orderly-", "") },
  whole("Waiting", "depth"),
  { ...whole("In flight", "in_flight"), wide: true },
  { name: "Oldest", number: true, of: ({ age }) => duration(age) },
  {
    name: "Dead",
    number: true,
    of: ({ dead_letters: n }) => (n ? html`<b class="bad figure">${count(n)}</b>` : html`<${Count} n=${n} />`),
  },
  { name: "Trouble", wide: true, of: ({ error }) => error ?? "" },
];

const outboxColumns = [
  { name: "Service", head: true, of: ({ service }) => service },
  whole("Waiting", "waiting"),
  { name: "Oldest", number: true, of: ({ age }) => duration(age) },
];

// Redriving needs no key: what was redriven is not found a second time.
function useRedrive(onDone) {
  const [state, set] = useState({ busy: false });
  const running = useRef(false);
  async function redrive(service, ids) {
    if (running.current) return;
    running.current = true;
    set({ busy: true });
    try {
      const { redriven, kept } = await post(`/v1/${service}/ops/dead-letters/redrive`, { ids });
      const back = `${plural(redriven, "dead letter")} of ${service} on ${redriven === 1 ? "its queue" : "their queues"} again.`;
      const stay = `SQS did not delete ${count(kept.length)} of them: to redrive once more does no harm.`;
      say(kept.length ? `${back} ${stay}` : back);
      set({ busy: false });
      onDone();
    } catch (problem) {
      set({ busy: false, problem });
    } finally {
      running.current = false;
    }
  }
  return { ...state, redrive };
}

function Letters({ found, onDone }) {
  const { busy, problem, redrive } = useRedrive(onDone);
  const some = found.filter(({ items }) => items?.length);
  const allAnswered = found.every(({ problem: away }) => !away);
  return html`
    <${Away} answers=${found} />
    ${problem && html`<${ProblemNote} problem=${problem} isWrite />`}
    ${!some.length && allAnswered && html`<p class="empty">There are none: everything that arrived could be handled.</p>`}
    ${some.map(
        ({ service, items, more }) => html`<section key=${service} aria-label=${`Dead letters of ${service}`}>
          <header class="row">
            <h3>${service}: ${plural(items.length, "dead letter")}${more ? ", and more" : ""}</h3>
            <button type="button" disabled=${busy} onClick=${() => redrive(service, null)}>Redrive all of ${service}</button>
          </header>
          <ul class="letters">
            ${items.slice(0, SHOWN).map(
              (letter) => html`<${Letter} key=${letter.id} letter=${letter} busy=${busy} onRedrive=${() => redrive(service, [letter.id])} />`,
            )}
          </ul>
        </section>`,
      )}
  `;
}

const Letter = ({ letter, busy, onRedrive }) =>
  html`<li>
    <div class="row">
      <div>
        <b>${letter.event?.type ?? "unreadable"}</b>${" "}
        ${letter.event?.subject && html`<${About} event=${letter.event} />`}${" "}
        <span class="dim">${letter.queue}</span>
      </div>
      <button type="button" class="quiet" disabled=${busy} aria-label=${`Redrive ${letter.id}`} onClick=${onRedrive}>Redrive</button>
    </div>
    <p class="bad">${letter.error ?? "Its process died of it."}</p>
    <p class="dim">first seen <${Time} at=${letter.first_seen} />, last <${Time} at=${letter.last_seen} /></p>
    ${letter.trace &&
    html`<details><summary>Where it failed</summary>
      <pre tabindex="0">${letter.error}${"\n\n"}${letter.trace}</pre>
    </details>`}
  </li>`;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const About = ({ event: { subject } }) =>
  UUID.test(subject) ? html`order <${OrderLink} id=${subject} />` : subject;

function Audit() {
  const [state, set] = useState({});
  const running = useRef(null);
  useEffect(() => () => running.current?.abort(), []);
  const start = async () => {
    running.current = new AbortController();
    set({ doing: "starting" });
    try {
      const report = await audit({
        signal: running.current.signal,
        onProgress: (doing) => set({ doing }),
      });
      set({ report });
    } catch (problem) {
      set({ problem });
    }
  };
  return html`<${Panel} title="Audit" wide
    aside=${html`<button type="button" disabled=${state.doing} onClick=${start}>Run the audit</button>`}>
    ${state.problem && html`<${ProblemNote} problem=${state.problem} />`}
    <p role="status" class="dim">${state.doing ? `Running: ${state.doing}…` : ""}</p>
    ${state.report && html`<${Report} report=${state.report} />`}
    ${!state.report && !state.doing && html`<p class="empty">Compares every order in the three services, as “orderly audit” does.</p>`}
  <//>`;
}

const sum = ({ figure, sum: n }) => html`<span class="dim">${figure.split(".")[0]}</span> <${Count} n=${n} />`;

const auditColumns = [
  { name: "What", head: true, of: ({ what }) => what },
  { name: "Here", number: true, of: ({ left }) => sum(left) },
  { name: "There", number: true, of: ({ right }) => sum(right) },
  {
    name: "Orders that disagree",
    number: true,
    of: ({ orders }) => (orders.length ? html`<b class="bad">${count(orders.length)}</b>` : "none"),
  },
];

function Report({ report }) {
  const clean = isClean(report);
  const differing = report.rows.flatMap((row) => row.orders);
  return html`
    <p role="status"><span class=${`pill ${clean ? "good" : "bad"}`}>
      ${clean ? "The three services agree" : "The three services do not agree"}</span>
      ${" "}${plural(report.orders, "order")}, ${report.checks} checks, ${time(report.at)}</p>
    ${report.broken.map((one) => html`<${Broken} check=${one} />`)}
    ${report.queues.map((queue) => html`<p class="bad">${queue.name}: ${queue.error ?? plural(queue.dead_letters, "dead letter")}</p>`)}
    ${differing.length > 0 && html`<ul class="plain">
      ${differing.slice(0, SHOWN).map(
        (one) => html`<li><${OrderLink} id=${one.order} /> ${one.what}: ${one.left} ${count(one.leftIs)}, ${one.right} ${count(one.rightIs)}</li>`,
      )}
    </ul>`}
    <${Table} caption="What was compared" columns=${auditColumns} rows=${report.rows}
      keyOf=${(row) => row.left.figure + row.right.figure} />
  `;
}

const Broken = ({ check }) =>
  html`<p class="bad"><b>${check.service}: ${check.name}</b> does not hold: ${check.detail}</p>
    <ul class="plain">
      ${check.offenders.map(
        (one) => html`<li>${[one.order_id, one.sku, one.what].filter(Boolean).join(" ")}: expected ${count(one.expected)}, found ${count(one.actual)}</li>`,
      )}
    </ul>`;
