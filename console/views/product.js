// One product: where it lies, what moved, and goods that come in or are counted anew.

import { html, useState } from "../vendor/preact-htm.js";
import { get } from "../lib/api.js";
import { minorDigits } from "../lib/currencies.js";
import { decimal, parseMoney } from "../lib/format.js";
import { Count, Facts, Money, Panel, Time } from "../parts/bits.js";
import { ActionDialog, Field, Select } from "../parts/dialog.js";
import { useResource } from "../parts/hooks.js";
import { Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { MovementTable } from "./stock.js";

const whole = (name, field) => ({ name, number: true, of: (row) => html`<${Count} n=${row[field]} />` });

const shelfColumns = [
  { name: "Location", head: true, of: ({ location }) => location },
  whole("On hand", "on_hand"),
  whole("Reserved", "reserved"),
  whole("Available", "available"),
];

const load = (sku) => (told) =>
  Promise.all([
    get(`/v1/inventory/products/${encodeURIComponent(sku)}`, {}, told),
    get("/v1/inventory/stock", { sku, limit: 200 }, told),
    get("/v1/inventory/locations", { limit: 200 }, told),
  ]);

export function Product({ sku }) {
  const found = useResource(load(sku), [sku], { every: 15 });
  const [moved, setMoved] = useState(0);
  const onDone = () => {
    found.reload();
    setMoved((n) => n + 1);
  };
  return html`
    <p class="back"><a href="/stock">← Stock</a></p>
    <${Loaded} from=${found} rows=${6}>
      ${([product, shelves, locations]) => html`
        <header class="view">
          <h1>${product.sku}</h1>
          <${Actions} product=${product} locations=${locations.items} onDone=${onDone} />
        </header>
        <${Facts} of=${factsOf(product)} />
        <div class="panels">
          <${Panel} title="Shelves" wide>
            <${Table} caption=${`Stock of ${sku}`} columns=${shelfColumns} rows=${shelves.items} keyOf=${({ location }) => location} />
          <//>
          <${Panel} title="Movements" wide><${MovementTable} key=${moved} params=${{ sku }} of=${sku} /><//>
        </div>
      `}
    <//>
  `;
}

const factsOf = (product) => ({
  Name: product.name,
  "Unit cost": html`<${Money} minor=${product.unit_cost} currency=${product.currency} />`,
  "Reorder at": html`<${Count} n=${product.reorder_point} />`,
  Changed: html`<${Time} at=${product.changed_at} />`,
});

function Actions({ product, locations, onDone }) {
  const [open, setOpen] = useState(null);
  const Form = { receive: Receive, adjust: Adjust }[open];
  const places = Object.fromEntries(locations.map(({ code, name }) => [code, name]));
  return html`<div class="actions" role="group" aria-label="Actions">
    <button type="button" onClick=${() => setOpen("receive")}>Receive…</button>
    <button type="button" onClick=${() => setOpen("adjust")}>Adjust…</button>
    ${Form && html`<${Form} product=${product} places=${places} onClose=${() => setOpen(null)} onDone=${onDone} />`}
  </div>`;
}

function receiptOf(form, { sku, currency }) {
  const cost = form.get("unit_cost").trim();
  const line = { sku, quantity: Number(form.get("quantity")) };
  if (cost) line.unit_cost = parseMoney(cost, currency);
  return { location: form.get("location"), lines: [line], reference: form.get("reference").trim() || null };
}

// The browser refuses what is no amount, before it is sent.
function checkAmount({ target }, currency) {
  const wrong = target.value && parseMoney(target.value, currency) === null;
  target.setCustomValidity(wrong ? `An amount in ${currency}, like ${decimal(1250, minorDigits(currency))}` : "");
}

const Receive = ({ product, places, ...told }) =>
  html`<${ActionDialog} ...${told} title=${`Receive ${product.sku}`} verb="Receive" done="Received."
    requestOf=${(form) => ({ path: "/v1/inventory/receipts", body: receiptOf(form, product) })}>
    <${Select} label="Location" name="location" options=${places} required />
    <${Field} label="Units" name="quantity" type="number" min="1" required />
    <${Field} label=${`Unit cost in ${product.currency}`} name="unit_cost" inputmode="decimal"
      hint="Left out: the product’s own." onInput=${(event) => checkAmount(event, product.currency)} />
    <${Field} label="Reference" name="reference" maxlength="255" />
  <//>`;

const Adjust = ({ product, places, ...told }) =>
  html`<${ActionDialog} ...${told} title=${`Adjust ${product.sku}`} verb="Adjust" done="Adjusted."
    requestOf=${(form) => ({
      path: "/v1/inventory/adjustments",
      body: {
        location: form.get("location"),
        sku: product.sku,
        delta: Number(form.get("delta")),
        reason: form.get("reason").trim(),
      },
    })}>
    <${Select} label="Location" name="location" options=${places} required />
    <${Field} label="Units more, or less with a minus" name="delta" type="number" required />
    <${Field} label="Reason" name="reason" required maxlength="500" />
  <//>`;
