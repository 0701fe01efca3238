// What Inventory keeps for an order, and what has left and come back.

import { html } from "../vendor/preact-htm.js";
import { get } from "../lib/api.js";
import { Count, Panel, Pill, Time } from "../parts/bits.js";
import { useResource } from "../parts/hooks.js";
import { Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";

const whole = (name) => ({ name, number: true, of: (row) => html`<${Count} n=${row[name]} />` });

const allocations = [
  { name: "SKU", head: true, of: ({ sku }) => sku },
  { name: "Location", of: ({ location }) => location },
  whole("reserved"),
  whole("shipped"),
];

const flat = ({ lines }) =>
  lines.flatMap(({ line, sku, allocations: places }) =>
    places.map((place) => ({ id: `${line} ${place.location}`, sku, ...place })),
  );

const unknownYet = (problem) => {
  if (problem.status === 404) return null;
  throw problem;
};

export function Reservation({ id, seen }) {
  const reservation = useResource(
    (told) => get(`/v1/inventory/reservations/${id}`, {}, told).catch(unknownYet),
    [id, seen],
  );
  const asked = useResource(
    (told) =>
      Promise.all([
        get(`/v1/orders/${id}/cancellations`, { limit: 200 }, told),
        get(`/v1/orders/${id}/returns`, { limit: 200 }, told),
      ]),
    [id, seen],
  );
  return html`<${Panel} title="Reservation" aside=${reservation.data && html`<${Pill} of=${reservation.data.state} />`}>
    ${reservation.data === null
      ? html`<p class="empty">Inventory has not heard of it yet.</p>`
      : html`<${Loaded} from=${reservation}>${(found) => html`<${Kept} found=${found} />`}<//>`}
    ${asked.data && html`<${Asked} cancellations=${asked.data[0].items} returns=${asked.data[1].items} />`}
  <//>`;
}

function Kept({ found }) {
  const rows = flat(found);
  return html`
    ${rows.length > 0
      ? html`<${Table} caption="Where its units are kept" columns=${allocations} rows=${rows} />`
      : html`<p class="empty">No units are kept for it.</p>`}
    ${found.shipments.length > 0 && html`<h3>Shipments</h3>
      <ul class="plain">
        ${found.shipments.map(
          ({ carrier, tracking, shipped_at }) =>
            html`<li><${Time} at=${shipped_at} /> ${[carrier, tracking].filter(Boolean).join(", ") || "no carrier named"}</li>`,
        )}
      </ul>`}
  `;
}

const List = ({ title, items, at }) =>
  items.length > 0 &&
  html`<h3>${title}</h3>
    <ul class="plain">
      ${items.map(
        (one) => html`<li><${Time} at=${one[at]} /> <${Pill} of=${one.status} /> ${one.reason ?? ""}</li>`,
      )}
    </ul>`;

const Asked = ({ cancellations, returns }) =>
  html`<${List} title="Cancellations" items=${cancellations} at="requested_at" />
    <${List} title="Returns" items=${returns} at="authorised_at" />`;
