// What Accounting has issued for an order, and what is owed back.

import { html } from "../vendor/preact-htm.js";
import { download, get } from "../lib/api.js";
import { Money, Panel, Pill, saySorry } from "../parts/bits.js";
import { useResource } from "../parts/hooks.js";
import { Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";

export const KINDS = { invoices: "Invoice", "credit-notes": "Credit note" };

export const Pdf = ({ kind, number }) =>
  html`<button type="button" class="quiet" aria-label=${`${number} as PDF`}
    onClick=${() => download(`/v1/accounting/${kind}/${number}`, "application/pdf", `${number}.pdf`).catch(saySorry)}>PDF</button>`;

const amount = (name, field) => ({
  name,
  number: true,
  of: (row) => html`<${Money} minor=${row[field]} currency=${row.currency} />`,
});

const columns = [
  { name: "Number", head: true, of: ({ number }) => number },
  { name: "Kind", wide: true, of: ({ kind }) => KINDS[kind] },
  { name: "Issued", wide: true, of: ({ issued_on }) => issued_on },
  amount("Total", "total"),
  { name: "Document", unseen: true, of: (row) => html`<${Pdf} ...${row} />` },
];

async function load(id, told) {
  const kinds = Object.keys(KINDS);
  const asked = { order_id: id, limit: 200 };
  const pages = await Promise.all(kinds.map((kind) => get(`/v1/accounting/${kind}`, asked, told)));
  return { items: pages.flatMap((page, i) => page.items.map((row) => ({ ...row, kind: kinds[i] }))) };
}

export function Documents({ id, seen }) {
  const documents = useResource((told) => load(id, told), [id, seen]);
  return html`<${Panel} title="Documents">
    <${Loaded} from=${documents} empty="No invoice yet: prepaid orders get one when confirmed, others when shipped.">
      ${({ items }) => html`<${Table} caption="Documents" columns=${columns} rows=${items} keyOf=${(row) => row.number} />`}
    <//>
  <//>`;
}

const refundColumns = [
  { name: "State", of: ({ status }) => html`<${Pill} of=${status} />` },
  amount("Amount", "amount"),
  { name: "By", of: ({ provider, reference }) => [provider, reference].filter(Boolean).join(" ") || "–" },
];

export function Refunds({ id, seen }) {
  const refunds = useResource(
    (told) => get("/v1/accounting/refunds", { order_id: id, limit: 200 }, told),
    [id, seen],
  );
  return html`<${Panel} title="Refunds">
    <${Loaded} from=${refunds} empty="Nothing is to be refunded.">
      ${({ items }) => html`<${Table} caption="Refunds" columns=${refundColumns} rows=${items} />`}
    <//>
  <//>`;
}
