// One order: its lines, what each of the three services says of it, and what can be done.

import { html, useState } from "../vendor/preact-htm.js";
import { get } from "../lib/api.js";
import { CopyId, Facts, Money, Panel, Pill, Sku, Time, Count } from "../parts/bits.js";
import { useFacts, useResource, useThrottled } from "../parts/hooks.js";
import { Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { Documents, Refunds } from "./order-books.js";
import { Cancel, ReceiveReturn, Return, Ship } from "./order-actions.js";
import { Reservation } from "./order-stock.js";
import { Timeline } from "./order-timeline.js";

const OPEN = ["pending", "reserved", "backordered"];
const STATES = [...OPEN, "shipped", "cancelled", "returned"];

const ATTENTION = {
  event_stuck: html`An event about it could not be handled. <a href="/operations">Operations says why</a>, and redrives it once that is mended.`,
  undecided: html`Inventory has not answered yet. It is asked again by itself; <a href="/operations">Operations shows what waits</a>.`,
  cancellation_open: html`Inventory has not answered a cancellation yet. It is asked again by itself; <a href="/operations">Operations shows what waits</a>.`,
};

export function Order({ id }) {
  const order = useResource((told) => get(`/v1/orders/${encodeURIComponent(id)}`, {}, told), [id], { every: 15 });
  const [seen, setSeen] = useState(0); // what the panels load again by
  const reload = () => {
    order.reload();
    setSeen((n) => n + 1);
  };
  const soon = useThrottled(reload, 400);
  const later = useThrottled(reload, 2500); // Accounting hears of it after Orders does
  useFacts((event) => event.subject === id && (soon(), later()));
  return html`
    <p class="back"><a href="/orders">← Orders</a></p>
    <${Loaded} from=${order} rows=${8}>
      ${(found) => html`<${Found} order=${found} seen=${seen} onDone=${reload} />`}
    <//>
  `;
}

function Found({ order, seen, onDone }) {
  return html`
    <header class="view">
      <h1>${order.number} <${Pill} of=${order.status} />${
        order.attention && html` <${Pill} of=${order.attention} />`
      }</h1>
      <${Actions} order=${order} seen=${seen} onDone=${onDone} />
    </header>
    ${order.attention && html`<p class="attention">${ATTENTION[order.attention]}</p>`}
    <${Summary} order=${order} />
    <div class="panels">
      <${Panel} title="Lines" wide>
        <${Table} caption="Lines" columns=${columnsOf(order)} rows=${order.lines} keyOf=${(line) => line.line} />
      <//>
      <${Timeline} id=${order.id} seen=${seen} />
      <div class="column">
        <${Reservation} id=${order.id} seen=${seen} />
        <${Documents} id=${order.id} seen=${seen} />
        <${Refunds} id=${order.id} seen=${seen} />
      </div>
    </div>
  `;
}

const columnsOf = ({ currency }) => [
  { name: "Line", number: true, wide: true, of: ({ line }) => line },
  { name: "SKU", head: true, of: ({ sku }) => html`<${Sku} sku=${sku} />` },
  { name: "Quantity", number: true, of: ({ quantity }) => html`<${Count} n=${quantity} />` },
  amount("Unit price", "unit_price", currency),
  amount("Discount", "discount", currency),
  amount("Tax", "tax", currency),
  ...STATES.map((name) => ({
    name,
    number: true,
    wide: true,
    of: (line) => (line[name] ? html`<${Count} n=${line[name]} />` : html`<span class="none">0</span>`),
  })),
  { name: "Of these", narrow: true, of: becameOf },
];

const becameOf = (line) =>
  html`<ul>
    ${STATES.filter((name) => line[name]).map((name) => html`<li><${Count} n=${line[name]} /> ${name}</li>`)}
  </ul>`;

const amount = (name, field, currency) => ({
  name,
  number: true,
  wide: true,
  of: (line) => html`<${Money} minor=${line[field]} currency=${currency} />`,
});

const Summary = ({ order }) =>
  html`<${Facts} of=${{
    Total: html`<${Money} minor=${order.total} currency=${order.currency} />`,
    Shipping: html`<${Money} minor=${order.shipping.price + order.shipping.tax} currency=${order.currency} />`,
    Payment: `${order.payment.method}, ${order.payment.status.replaceAll("_", " ")}`,
    Customer: html`<a href=${`/orders?by=customer_id&find=${encodeURIComponent(order.customer_id)}`}>${order.customer_id}</a>`,
    Channel: order.channel,
    Reference: order.reference,
    Policy: order.policy.replaceAll("_", " "),
    "Ship to": [order.ship_to.name, order.ship_to.city, order.ship_to.country].filter(Boolean).join(", "),
    Placed: html`<${Time} at=${order.placed_at} />`,
    Decided: html`<${Time} at=${order.decided_at} />`,
    Id: html`<${CopyId} id=${order.id} what="order id" />`,
  }} />`;

const some = (lines, names) =>
  lines
    .map((line) => ({ ...line, most: names.reduce((sum, name) => sum + line[name], 0) }))
    .filter(({ most }) => most > 0);

function Actions({ order, seen, onDone }) {
  const [open, setOpen] = useState(null);
  const returns = useResource(
    (told) => get(`/v1/orders/${order.id}/returns`, { limit: 200 }, told),
    [order.id, seen],
  );
  const authorised = returns.data?.items.filter(({ status }) => status === "authorised") ?? [];
  const choices = {
    cancel: { name: "Cancel…", form: Cancel, lines: some(order.lines, OPEN) },
    ship: { name: "Ship…", form: Ship, lines: some(order.lines, ["reserved"]) },
    return: { name: "Return…", form: Return, lines: returnable(order.lines) },
    receive: { name: "Receive return…", form: ReceiveReturn, lines: authorised },
  };
  const chosen = choices[open];
  return html`<div class="actions" role="group" aria-label="Actions">
    ${Object.entries(choices).map(
      ([name, choice]) =>
        choice.lines.length > 0 &&
        html`<button type="button" onClick=${() => setOpen(name)}>${choice.name}</button>`,
    )}
    ${chosen &&
    html`<${chosen.form} order=${order} lines=${chosen.lines} onClose=${() => setOpen(null)} onDone=${onDone} />`}
  </div>`;
}

const returnable = (lines) =>
  lines
    .map((line) => ({ ...line, most: line.shipped - line.returned }))
    .filter(({ most }) => most > 0);
