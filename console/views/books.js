// Whether the books balance, who owes, what was issued, and what was earned.

import { html } from "../vendor/preact-htm.js";
import { download, get, withQuery } from "../lib/api.js";
import { money, words } from "../lib/format.js";
import { setQuery } from "../lib/router.js";
import { Money, OrderLink, Panel, Pill, saySorry, Tabs } from "../parts/bits.js";
import { SearchField, Select } from "../parts/dialog.js";
import { usePages, useResource } from "../parts/hooks.js";
import { Bars } from "../parts/plots.js";
import { Loaded } from "../parts/states.js";
import { Paged, Table } from "../parts/table.js";
import { Pdf } from "./order-books.js";

const REPORTS = "/v1/accounting/reports";
const TABS = {
  balance: "Trial balance",
  ageing: "Receivables",
  invoices: "Invoices",
  "credit-notes": "Credit notes",
  refunds: "Refunds",
  revenue: "Revenue",
};

export function Books({ query }) {
  const tab = TABS[query.tab] ? query.tab : "balance";
  const View = {
    balance: Balance,
    ageing: Ageing,
    invoices: Documents,
    "credit-notes": Documents,
    refunds: Refunds,
    revenue: Revenue,
  }[tab];
  return html`
    <header class="view"><h1>Books</h1></header>
    <${Tabs} path="/books" tabs=${TABS} chosen=${tab} label="Books" />
    <div class="tab" key=${tab}><${View} query=${query} kind=${tab} /></div>
  `;
}

export const amount = (name, field, more = {}) => ({
  name,
  number: true,
  of: (row) => html`<${Money} minor=${row[field]} currency=${row.currency} />`,
  ...more,
});

const Csv = ({ path, name }) =>
  html`<button type="button" class="quiet" onClick=${() => download(path, "text/csv", `${name}.csv`).catch(saySorry)}>CSV</button>`;

const balanceColumns = [
  { name: "Account", head: true, of: ({ account, name }) => `${account} ${name}` },
  amount("Debit", "debit", { wide: true }),
  amount("Credit", "credit", { wide: true }),
  amount("Balance", "balance"),
];

function Balance() {
  const path = `${REPORTS}/trial-balance`;
  const balance = useResource((told) => get(path, {}, told), []);
  return html`<${Loaded} from=${balance} isEmpty=${({ rows }) => !rows.length} rows=${8}
    empty="Nothing has been posted yet.">
    ${({ as_of, rows, totals }) => html`
      <p class="row">As of ${as_of}. ${totals.map(balances)} <${Csv} path=${path} name=${`trial-balance-${as_of}`} /></p>
      <${Table} caption="Trial balance" columns=${balanceColumns} rows=${rows} keyOf=${(row) => row.account + row.currency} />
    `}
  <//>`;
}

const balances = ({ currency, debit, credit }) =>
  debit === credit
    ? html`<span class="pill good">${currency} balances</span>`
    : html`<span class="pill bad">${currency} is out by ${money(debit - credit, currency)}</span>`;

// Whatever ages the report has, each a column.
const ageingColumns = (row) => [
  { name: "Customer", head: true, of: ({ customer_id }) => customer_id },
  ...Object.keys(row)
    .filter((name) => Number.isInteger(row[name]))
    .map((name) => amount(words(name), name)),
];

function Ageing() {
  const ageing = useResource((told) => get(`${REPORTS}/receivables-ageing`, {}, told), []);
  return html`<${Loaded} from=${ageing} isEmpty=${({ rows }) => !rows.length}
    empty="Nobody owes anything: what is sold on terms shows here until it is paid.">
    ${({ as_of, rows }) => html`
      <p class="row">As of ${as_of}.</p>
      <${Table} caption="Receivables by age" columns=${ageingColumns(rows[0])} rows=${rows}
        keyOf=${(row) => row.customer_id + row.currency} />
    `}
  <//>`;
}

const documentColumns = (kind) => [
  { name: "Number", head: true, of: ({ number }) => number },
  { name: "Order", of: ({ order_id }) => html`<${OrderLink} id=${order_id} />` },
  { name: "Customer", wide: true, of: ({ customer_id }) => customer_id },
  { name: "Issued", wide: true, of: ({ issued_on }) => issued_on },
  amount("Net", "net", { wide: true }),
  amount("Tax", "tax", { wide: true }),
  amount("Total", "total"),
  ...(kind === "invoices" ? [amount("Paid", "paid", { wide: true })] : []),
  { name: "Document", unseen: true, of: ({ number }) => html`<${Pdf} kind=${kind} number=${number} />` },
];

function Documents({ query, kind }) {
  const pages = usePages(`/v1/accounting/${kind}`, { customer_id: query.customer });
  const find = (event) => {
    event.preventDefault();
    setQuery({ customer: new FormData(event.target).get("customer").trim() });
  };
  return html`
    <form class="filters" role="search" onSubmit=${find}>
      <${SearchField} label="Customer" name="customer" text=${query.customer} />
      <button type="submit">Find</button>
    </form>
    <${Paged} from=${pages} rows=${8} empty=${`There are no ${TABS[kind].toLowerCase()} like that.`}>
      ${(page) => html`<${Table} caption=${TABS[kind]} columns=${documentColumns(kind)} rows=${page.items}
        keyOf=${({ number }) => number} />`}
    <//>
  `;
}

const REFUNDS = { "": "any", requested: "requested", settled: "settled", failed: "failed" };

const refundColumns = [
  { name: "Order", head: true, of: ({ order_id }) => html`<${OrderLink} id=${order_id} />` },
  { name: "State", of: ({ status }) => html`<${Pill} of=${status} />` },
  amount("Amount", "amount"),
  { name: "By", wide: true, of: ({ provider, reference }) => [provider, reference].filter(Boolean).join(" ") || "–" },
];

function Refunds({ query }) {
  const pages = usePages("/v1/accounting/refunds", { status: query.status });
  return html`
    <form class="filters">
      <${Select} label="State" options=${REFUNDS} value=${query.status ?? ""}
        onChange=${(event) => setQuery({ status: event.target.value })} />
    </form>
    <${Paged} from=${pages} empty="There are no refunds like that.">
      ${(page) => html`<${Table} caption="Refunds" columns=${refundColumns} rows=${page.items} />`}
    <//>
  `;
}

const DAYS = 30;
const dayOf = (date) => date.toISOString().slice(0, 10); // the books' days are UTC's

const daysAgo = (n) => {
  const date = new Date();
  date.setUTCDate(date.getUTCDate() - n);
  return dayOf(date);
};

async function revenue(told) {
  const range = { from: daysAgo(DAYS - 1), to: daysAgo(0) };
  const [byDay, byChannel] = await Promise.all(
    ["day", "channel"].map((by) => get(`${REPORTS}/revenue`, { by, ...range }, told)),
  );
  return { byDay, byChannel, range };
}

const channelColumns = [
  { name: "Channel", head: true, of: ({ channel }) => channel },
  amount("Sales", "sales"),
  amount("Shipping", "shipping", { wide: true }),
  amount("Discounts", "discounts", { wide: true }),
  amount("Returns", "returns", { wide: true }),
  amount("Net", "net"),
];

function daily(rows, currency) {
  const net = new Map(rows.filter((row) => row.currency === currency).map((row) => [row.day, row.net]));
  return Array.from({ length: DAYS }, (_, i) => {
    const day = daysAgo(DAYS - 1 - i);
    return { label: day, value: net.get(day) ?? 0, text: money(net.get(day) ?? 0, currency) };
  });
}

function Revenue() {
  const found = useResource(revenue, []);
  return html`<${Loaded} from=${found} isEmpty=${({ byDay }) => !byDay.rows.length}
    empty="Nothing has been earned in these 30 days: revenue is earned when goods ship.">
    ${({ byDay, byChannel, range }) => html`
      ${byDay.totals.map(
        ({ currency, net }) => html`<${Panel} key=${currency} id=${`revenue-${currency}`}
          title=${`Revenue in ${currency}, the last ${DAYS} days: ${money(net, currency)}`}
          aside=${html`<${Csv} path=${withQuery(`${REPORTS}/revenue`, { by: "day", ...range })} name="revenue" />`}>
          <${Bars} title=${`Revenue a day in ${currency}`} bars=${daily(byDay.rows, currency)} height=${160} />
        <//>`,
      )}
      <h2>By channel</h2>
      <${Table} caption="Revenue by channel" columns=${channelColumns} rows=${byChannel.rows}
        keyOf=${(row) => row.channel + row.currency} />
    `}
  <//>`;
}
