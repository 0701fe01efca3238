// What can be sold, what runs low, what moved, and what waits to be shipped.

import { html, useState } from "../vendor/preact-htm.js";
import { get } from "../lib/api.js";
import { setQuery } from "../lib/router.js";
import { words } from "../lib/format.js";
import { Count, Money, OrderLink, Sku, Tabs, Time } from "../parts/bits.js";
import { SearchField } from "../parts/dialog.js";
import { usePages, useResource } from "../parts/hooks.js";
import { Loaded, ProblemNote } from "../parts/states.js";
import { Paged, Table } from "../parts/table.js";
import { Ship } from "./order-actions.js";

const TABS = { levels: "Levels", low: "Running low", movements: "Movements", ship: "To ship" };
const LOW_PAGES = 20; // of 200: what an operator can act on fits

export function Stock({ query }) {
  const tab = TABS[query.tab] ? query.tab : "levels";
  const View = { levels: Levels, low: Low, movements: Movements, ship: ToShip }[tab];
  return html`
    <header class="view"><h1>Stock</h1></header>
    <${Tabs} path="/stock" tabs=${TABS} chosen=${tab} label="Stock" />
    <div class="tab" key=${tab}><${View} query=${query} /></div>
  `;
}

const isLow = ({ available, reorder_point }) => available != null && available <= (reorder_point ?? -1);

export const stockColumns = [
  { name: "SKU", head: true, of: ({ sku }) => html`<${Sku} sku=${sku} />` },
  { name: "Name", wide: true, of: ({ name }) => name },
  { name: "Available", number: true, of: ({ available }) => html`<${Count} n=${available} />` },
  { name: "Reorder at", number: true, of: ({ reorder_point }) => html`<${Count} n=${reorder_point} />` },
  {
    name: "Unit cost",
    number: true,
    wide: true,
    of: ({ unit_cost, currency }) => html`<${Money} minor=${unit_cost} currency=${currency} />`,
  },
  { name: "Level", of: (row) => (isLow(row) ? html`<span class="pill low">low</span>` : "") },
];

// Products with what is available of each: two requests a page, whatever is on it.
async function withAvailability(products, told) {
  if (!products.length) return [];
  const asked = { sku: products.map(({ sku }) => sku) };
  const { items } = await get("/v1/inventory/availability", asked, told);
  const available = new Map(items.map((one) => [one.sku, one.available]));
  return products.map((product) => ({ ...product, available: available.get(product.sku) }));
}

const bySku = (row) => row.sku;

function Search({ query, name, label }) {
  const find = (event) => {
    event.preventDefault();
    setQuery({ [name]: new FormData(event.target).get(name).trim() });
  };
  return html`<form class="filters" role="search" onSubmit=${find}>
    <${SearchField} label=${label} name=${name} text=${query[name]} />
    <button type="submit">Find</button>
  </form>`;
}

function Levels({ query }) {
  const pages = usePages("/v1/inventory/products", { q: query.q }, { every: 15 });
  const rows = useResource((told) => withAvailability(pages.items, told), [pages.data]);
  const known = new Map(rows.data?.map((row) => [row.sku, row]));
  return html`
    <${Search} query=${query} name="q" label="SKU or name" />
    ${rows.problem && html`<${ProblemNote} problem=${rows.problem} onRetry=${rows.reload} />`}
    <${Paged} from=${pages} rows=${8} empty="No product is called that.">
      ${(page) => html`<${Table} caption="Products and what is available" columns=${stockColumns}
        rows=${page.items.map((product) => ({ ...known.get(product.sku), ...product }))} keyOf=${bySku} />`}
    <//>
  `;
}

async function findLow(told) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < LOW_PAGES; page++) {
    const products = await get("/v1/inventory/products", { limit: 200, cursor }, told);
    items.push(...(await withAvailability(products.items, told)).filter(isLow));
    cursor = products.next_cursor;
    if (!cursor) break;
  }
  return { items, more: cursor !== null };
}

function Low() {
  const low = useResource(findLow, []);
  return html`<${Loaded} from=${low} isEmpty=${({ items, more }) => !items.length && !more} empty="Nothing runs low: everything is above its reorder point.">
    ${({ items, more }) => html`
      <${Table} caption="Products at or below their reorder point" columns=${stockColumns} rows=${items} keyOf=${bySku} />
      ${more && html`<p>Of the first ${LOW_PAGES * 200} products.</p>`}
    `}
  <//>`;
}

const signed = (n) => html`<span class="figure">${n > 0 ? "+" : ""}${n}</span>`;

const UUID = /^[0-9a-f]{8}-/;

const movementColumns = [
  { name: "When", head: true, of: ({ at }) => html`<${Time} at=${at} />` },
  { name: "SKU", of: ({ sku }) => html`<${Sku} sku=${sku} />` },
  { name: "Location", wide: true, of: ({ location }) => location },
  { name: "Kind", of: ({ kind }) => words(kind) },
  { name: "On hand", number: true, of: ({ on_hand_change }) => signed(on_hand_change) },
  { name: "Reserved", number: true, of: ({ reserved_change }) => signed(reserved_change) },
  {
    name: "Reference",
    wide: true,
    of: ({ reference }) => (UUID.test(reference) ? html`<${OrderLink} id=${reference} />` : reference ?? "–"),
  },
  { name: "By", wide: true, of: ({ actor }) => actor },
];

const withoutSku = movementColumns.filter(({ name }) => name !== "SKU");

// `of` a product: its SKU need not be said in every row.
export function MovementTable({ params, every, of }) {
  const pages = usePages("/v1/inventory/movements", params, { every });
  return html`
    <${Paged} from=${pages} rows=${8} empty="Nothing has moved.">
      ${(page) => html`<${Table} caption="Movements, newest first" columns=${of ? withoutSku : movementColumns} rows=${page.items} />`}
    <//>
  `;
}

const Movements = ({ query }) => html`
  <${Search} query=${query} name="sku" label="SKU" />
  <${MovementTable} params=${{ sku: query.sku }} every=${15} />
`;

const sumOf = (lines, name) => lines.reduce((sum, line) => sum + line[name], 0);

const toShip = (onShip) => [
  { name: "Order", head: true, of: ({ order_id }) => html`<${OrderLink} id=${order_id} />` },
  { name: "Placed", of: ({ placed_at }) => html`<${Time} at=${placed_at} />` },
  { name: "SKUs", wide: true, of: ({ lines }) => lines.map(({ sku }) => sku).slice(0, 3).join(", ") },
  { name: "Reserved", number: true, of: ({ lines }) => html`<${Count} n=${sumOf(lines, "reserved")} />` },
  { name: "Backordered", number: true, wide: true, of: ({ lines }) => html`<${Count} n=${sumOf(lines, "backordered")} />` },
  {
    name: "Ship",
    unseen: true,
    of: (row) =>
      sumOf(row.lines, "reserved") > 0 &&
      html`<button type="button" class="quiet" aria-label=${`Ship ${row.order_id}`} onClick=${() => onShip(row)}>Ship…</button>`,
  },
];

function ToShip() {
  const pages = usePages("/v1/inventory/reservations", { state: "open" }, { every: 15 });
  const [shipping, ship] = useState(null);
  return html`
    <${Paged} from=${pages} rows=${8} empty="Nothing waits to be shipped.">
      ${(page) => html`<${Table} caption="Reservations that wait to be shipped" columns=${toShip(ship)}
        rows=${page.items} keyOf=${(row) => row.order_id} />`}
    <//>
    ${shipping && html`<${Ship} order=${{ id: shipping.order_id }} lines=${reserved(shipping)}
      onClose=${() => ship(null)} onDone=${pages.reload} />`}
  `;
}

const reserved = ({ lines }) =>
  lines.filter((line) => line.reserved > 0).map((line) => ({ ...line, most: line.reserved }));
