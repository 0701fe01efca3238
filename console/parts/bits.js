// The smallest things that several views show.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import * as format from "../lib/format.js";

export const Money = ({ minor, currency }) =>
  html`<span class="figure">${format.money(minor, currency)}</span>`;

export const Count = ({ n }) => html`<span class="figure">${format.count(n)}</span>`;

export const Time = ({ at }) =>
  at
    ? html`<time datetime=${at} title=${`${new Date(at).toISOString()} (UTC)`}>${format.time(at)}</time>`
    : "–";

export const Pill = ({ of }) => html`<span class=${`pill ${of}`}>${format.words(of)}</span>`;

export const OrderLink = ({ id, number }) =>
  html`<a href=${`/orders/${id}`} class=${number ? "order" : "id"}>${number ?? id.slice(0, 8)}</a>`;

// In the query: a SKU may hold a dot, and what has one in its path is a file.
export const Sku = ({ sku }) => html`<a href=${`/stock?product=${encodeURIComponent(sku)}`}>${sku}</a>`;

export const say = (text) => dispatchEvent(new CustomEvent("orderly:say", { detail: text }));

export const saySorry = (problem) => say(problem.message);

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Browsers have it on trusted origins only, as over HTTPS or at localhost.
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus();
  if (!copied) throw new Error("The browser does not let this be copied: select it, and copy it yourself.");
}

export function CopyId({ id, what }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await copyText(id);
    } catch (error) {
      return saySorry(error);
    }
    setCopied(true);
    say(`${what} copied.`);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<span class="copy">
    <code>${id}</code>
    <button type="button" class="quiet" aria-label=${`Copy ${what}`} onClick=${copy}>
      ${copied ? "Copied" : "Copy"}
    </button>
  </span>`;
}

export function Tabs({ path, chosen, tabs, label }) {
  const nav = useRef(null);
  // On a phone they are wider than the screen.
  useEffect(() => nav.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }), [chosen]);
  return html`<nav class="tabs" aria-label=${label} ref=${nav}>
    ${Object.entries(tabs).map(
      ([tab, name]) =>
        html`<a href=${`${path}?tab=${tab}`} aria-current=${tab === chosen ? "page" : null}>${name}</a>`,
    )}
  </nav>`;
}

export const Panel = ({ title, aside, children, wide, id }) =>
  html`<section class=${`panel ${wide ? "wide" : ""}`} aria-labelledby=${id ?? slug(title)}>
    <header><h2 id=${id ?? slug(title)}>${title}</h2>${aside}</header>
    ${children}
  </section>`;

const slug = (title) => `panel-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;

export const Facts = ({ of }) =>
  html`<dl class="facts">
    ${Object.entries(of).map(
      ([name, value]) => value != null && html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
    )}
  </dl>`;
