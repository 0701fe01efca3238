// Find orders: by what they are, newest first, a page at a time.

import { html } from "../vendor/preact-htm.js";
import { go, setQuery } from "../lib/router.js";
import { words } from "../lib/format.js";
import { Count, Money, OrderLink, Pill, Time } from "../parts/bits.js";
import { Field, SearchField, Select } from "../parts/dialog.js";
import { useFacts, usePages, useThrottled } from "../parts/hooks.js";
import { Paged, Table } from "../parts/table.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const any = (values) => ({ "": "any", ...Object.fromEntries(values.map((value) => [value, words(value)])) });
const STATES = any(["placed", "confirmed", "partially_shipped", "shipped", "cancelled", "rejected"]);
const CHANNELS = any(["web", "mobile", "wholesale"]);
const NUMBER = /^[wmb]-\d{1,18}$/i;
const BY = { number: "number", reference: "reference", customer_id: "customer", sku: "SKU" };
const LOOKED_AT = { "": "any", true: "need a look" };

const columns = [
  { name: "Order", head: true, of: (order) => html`<${OrderLink} ...${order} />` },
  {
    name: "State",
    of: ({ status, attention }) => html`<${Pill} of=${status} />${attention && html` <${Pill} of=${attention} />`}`,
  },
  { name: "Channel", wide: true, of: ({ channel }) => channel },
  { name: "Customer", wide: true, of: ({ customer_id }) => customer_id },
  { name: "Reference", wide: true, of: ({ reference }) => reference ?? "–" },
  { name: "Units", number: true, wide: true, of: ({ lines }) => html`<${Count} n=${unitsOf(lines)} />` },
  { name: "Total", number: true, of: ({ total, currency }) => html`<${Money} minor=${total} currency=${currency} />` },
  { name: "Placed", of: ({ placed_at }) => html`<${Time} at=${placed_at} />` },
];

const unitsOf = (lines) => lines.reduce((sum, { quantity }) => sum + quantity, 0);

// A day of the person's, as moments.
const isDay = (day) => !Number.isNaN(Date.parse(`${day}T00:00`));

const dayStart = (day) => (isDay(day) ? new Date(`${day}T00:00`).toISOString() : null);

function dayAfter(day) {
  if (!isDay(day)) return null;
  const date = new Date(`${day}T00:00`);
  date.setDate(date.getDate() + 1);
  return date.toISOString();
}

const byOf = ({ by }) => (BY[by] ? by : "reference");

const paramsOf = ({ status, channel, attention, find, from, to, ...query }) => ({
  status,
  channel,
  attention,
  [byOf(query)]: find,
  placed_from: dayStart(from),
  placed_to: dayAfter(to),
});

export function Orders({ query }) {
  const pages = usePages("/v1/orders", paramsOf(query), { every: 15 });
  const reload = useThrottled(pages.reload, 1000);
  useFacts(() => pages.page === 1 && reload());
  return html`
    <header class="view"><h1>Orders</h1></header>
    <${Filters} query=${query} />
    <${Paged} from=${pages} rows=${8} empty=${html`<${None} query=${query} />`}>
      ${(page) => html`<${Table} caption="Orders, newest first" columns=${columns} rows=${page.items} />`}
    <//>
  `;
}

function None({ query }) {
  const { find, by, ...others } = query;
  if (Object.values(others).some(Boolean)) return "No order is like that. Take a filter away.";
  if (!find) return "No orders yet.";
  const rest = Object.keys(BY).filter((one) => one !== byOf(query) && (one !== "number" || NUMBER.test(find)));
  return html`No order has the ${BY[byOf(query)]} “${find}”. Find it as
    ${rest.map((one, i) => html`${i ? " or " : " "}<a href=${`/orders?${new URLSearchParams({ find, by: one })}`}>${BY[one]}</a>`)}.`;
}

// What is asked for by a number is that, whatever was chosen.
function asked(text, by) {
  if (NUMBER.test(text)) return { find: text.toUpperCase(), by: "number" };
  return { find: text, by: by === "number" ? "reference" : by };
}

function Filters({ query }) {
  const find = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const text = form.get("find").trim();
    if (UUID.test(text)) go(`/orders/${text.toLowerCase()}`);
    else setQuery(asked(text, form.get("by")));
  };
  const set = (event) => setQuery({ [event.target.name]: event.target.value });
  const setBy = ({ target }) => setQuery(asked(query.find ?? "", target.value));
  return html`<form class="filters" role="search" onSubmit=${find}>
    <${SearchField} label="Find" name="find" text=${query.find} placeholder="number, id, or text" />
    <${Select} label="by" name="by" options=${BY} value=${byOf(query)} onChange=${setBy} />
    <button type="submit">Find</button>
    <${Select} label="State" name="status" options=${STATES} value=${query.status ?? ""} onChange=${set} />
    <${Select} label="Channel" name="channel" options=${CHANNELS} value=${query.channel ?? ""} onChange=${set} />
    <${Select} label="Attention" name="attention" options=${LOOKED_AT} value=${query.attention ?? ""} onChange=${set} />
    <${Field} label="From" type="date" name="from" value=${query.from ?? ""} onChange=${set} />
    <${Field} label="To" type="date" name="to" value=${query.to ?? ""} onChange=${set} />
  </form>`;
}
