// What happened to an order, as each of the three services tells it, in one list.

import { html } from "../vendor/preact-htm.js";
import { get, lacksAnswers, SERVICES } from "../lib/api.js";
import { factName, plural, words } from "../lib/format.js";
import { CopyId, Panel, Time } from "../parts/bits.js";
import { useResource } from "../parts/hooks.js";
import { Away, Loaded } from "../parts/states.js";

const MOST = 200;

// A token that may not read one of them still sees the others.
async function load(id, told) {
  const asked = [
    get(`/v1/orders/${id}/timeline`, { limit: MOST }, told),
    get("/v1/inventory/movements", { reference: id, limit: MOST }, told),
    get("/v1/accounting/entries", { order_id: id, limit: MOST }, told),
  ];
  const answers = await Promise.allSettled(asked);
  if (answers[0].status === "rejected") throw answers[0].reason;
  const [facts, movements, entries] = answers.map((answer) => answer.value?.items ?? []);
  const items = [...facts.map(fact), ...movements.map(movement), ...entries.map(entry)];
  return {
    items: items.sort((a, b) => Date.parse(a.at) - Date.parse(b.at)),
    away: answers.map(({ reason }, i) => ({ service: SERVICES[i], problem: reason })),
    traces: [...new Set(facts.map(({ trace_id }) => trace_id).filter(Boolean))],
  };
}

const fact = ({ sequence, type, occurred_at }) => ({
  key: `fact-${sequence}`,
  service: "orders",
  at: occurred_at,
  text: factName(type),
});

const movement = ({ id, at, kind, sku, location, on_hand_change, reserved_change }) => ({
  key: `movement-${id}`,
  service: "inventory",
  at,
  text: `${words(kind)}: ${plural(Math.abs(on_hand_change || reserved_change), "unit")} of ${sku}, ${location}`,
});

const entry = ({ id, posted_at, rule }) => ({
  key: `entry-${id}`,
  service: "accounting",
  at: posted_at,
  text: `posted ${words(rule)}`,
});

export function Timeline({ id, seen }) {
  const timeline = useResource((told) => load(id, told), [id, seen], {
    isPartial: ({ away }) => lacksAnswers(away),
  });
  return html`<${Panel} title="Timeline">
    <${Loaded} from=${timeline} empty="Nothing has been announced of it yet.">
      ${({ items, away, traces }) => html`
        <${Away} answers=${away} />
        <ol class="timeline">
          ${items.map(
            (item) => html`<li key=${item.key}>
              <${Time} at=${item.at} /> <b class=${`service ${item.service}`}>${item.service}</b> <span>${item.text}</span>
            </li>`,
          )}
        </ol>
        <h3>Trace</h3>
        ${traces.length
          ? traces.map((trace) => html`<${CopyId} id=${trace} what="trace id" />`)
          : html`<p class="empty">Not traced: tracing is off here.</p>`}
      `}
    <//>
  <//>`;
}
