// What an operator asks for an order: each a dialog, each sent once.

import { html, useState } from "../vendor/preact-htm.js";
import { get } from "../lib/api.js";
import { ActionDialog, Field, LineFields, linesOf, Select } from "../parts/dialog.js";
import { useResource } from "../parts/hooks.js";

const given = (form, name) => form.get(name).trim() || null;

export const Cancel = ({ order, lines, ...told }) =>
  html`<${ActionDialog} ...${told}
    title=${`Cancel ${order.number}`} verb="Cancel these units" danger done="Cancellation asked for: Inventory decides."
    requestOf=${(form) => ({
      path: `/v1/orders/${order.id}/cancellations`,
      body: { lines: linesOf(form, lines), reason: given(form, "reason") },
    })}>
    <p>What has shipped by then stays shipped. A prepaid part is refunded.</p>
    <${LineFields} legend="Units to cancel" lines=${lines} />
    <${Field} label="Reason" name="reason" maxlength="500" />
  <//>`;

export const Return = ({ order, lines, ...told }) =>
  html`<${ActionDialog} ...${told}
    title=${`Authorise a return of ${order.number}`} verb="Authorise" done="Return authorised."
    requestOf=${(form) => ({
      path: `/v1/orders/${order.id}/returns`,
      body: { lines: linesOf(form, lines), reason: given(form, "reason") },
    })}>
    <p>The customer has 30 days to send them back.</p>
    <${LineFields} legend="Units that may come back" lines=${lines} />
    <${Field} label="Reason" name="reason" maxlength="500" />
  <//>`;

export const Ship = ({ order, lines, ...told }) =>
  html`<${ActionDialog} ...${told}
    title=${`Ship ${order.number ?? "the order"}`} verb="Ship" done="Shipped."
    requestOf=${(form) => ({
      path: "/v1/inventory/shipments",
      body: {
        order_id: order.id,
        carrier: given(form, "carrier"),
        tracking: given(form, "tracking"),
        lines: linesOf(form, lines),
      },
    })}>
    <${LineFields} legend="Units to ship" lines=${lines} />
    <${Field} label="Carrier" name="carrier" maxlength="64" />
    <${Field} label="Tracking" name="tracking" maxlength="64" />
  <//>`;

const CONDITIONS = { resellable: "can be sold again", damaged: "damaged" };

const nameOf = (order, line) => order.lines.find((one) => one.line === line)?.sku ?? `line ${line}`;

const unitsOf = (order, { lines }) =>
  lines
    .map(({ line, quantity, received }) => ({ line, sku: nameOf(order, line), most: quantity - received }))
    .filter(({ most }) => most > 0);

export function ReceiveReturn({ order, lines: returns, ...told }) {
  const locations = useResource((asked) => get("/v1/inventory/locations", { limit: 200 }, asked), []);
  const [chosen, choose] = useState(returns[0].id);
  const lines = unitsOf(order, returns.find(({ id }) => id === chosen) ?? { lines: [] }); // received meanwhile
  const places = Object.fromEntries((locations.data?.items ?? []).map(({ code, name }) => [code, name]));
  const numbered = Object.fromEntries(returns.map(({ id, reason }, i) => [id, `${i + 1}: ${reason ?? "no reason given"}`]));
  return html`<${ActionDialog} ...${told}
    title=${`Receive what comes back of ${order.number}`} verb="Receive" done="Return received."
    requestOf=${(form) => ({
      path: "/v1/inventory/return-receipts",
      body: {
        order_id: order.id,
        return_id: chosen,
        location: form.get("location"),
        lines: linesOf(form, lines).map((line) => ({ ...line, condition: form.get("condition") })),
      },
    })}>
    <${Select} label="Return" name="return" options=${numbered} value=${chosen} onChange=${(event) => choose(event.target.value)} />
    <${LineFields} key=${chosen} legend="Units that came back" lines=${lines} />
    <${Select} label="They are" name="condition" options=${CONDITIONS} />
    <${Select} label="Location" name="location" options=${places} required />
  <//>`;
}
