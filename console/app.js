// The frame around every view: who is here, where one can go, and what is to be heard.

import { html, render, useEffect, useReducer, useRef, useState } from "./vendor/preact-htm.js";
import { areOn, turn } from "./lib/shortcuts.js";
import { go, here, onNavigate } from "./lib/router.js";
import { claims, end, onChange, session, begin, takeFromAddress } from "./lib/session.js";
import { finishSignIn, leave } from "./lib/sign-in.js";
import { saySorry } from "./parts/bits.js";
import { Boundary } from "./parts/boundary.js";
import { Books } from "./views/books.js";
import { Operations } from "./views/operations.js";
import { Order } from "./views/order.js";
import { Orders } from "./views/orders.js";
import { Overview } from "./views/overview.js";
import { Product } from "./views/product.js";
import { SignIn } from "./views/sign-in.js";
import { Stock } from "./views/stock.js";

const PLACES = {
  "": { name: "Overview", key: "1" },
  orders: { name: "Orders", key: "2" },
  stock: { name: "Stock", key: "3" },
  books: { name: "Books", key: "4" },
  operations: { name: "Operations", key: "5" },
};

function viewOf({ path: [place = "", item], query }) {
  if (place === "orders" && item) return html`<${Order} key=${item} id=${item} />`;
  if (place === "stock" && query.product) {
    return html`<${Product} key=${query.product} sku=${query.product} />`;
  }
  if (place === "orders") return html`<${Orders} query=${query} />`;
  if (place === "stock") return html`<${Stock} query=${query} />`;
  if (place === "books") return html`<${Books} query=${query} />`;
  if (place === "operations") return html`<${Operations} />`;
  if (place === "") return html`<${Overview} />`;
  return html`<h1>There is no such page</h1><p><a href="/">To the overview</a></p>`;
}

function App({ problem }) {
  const [, draw] = useReducer((n) => n + 1, 0);
  useEffect(() => onChange(draw), []);
  useEffect(() => onNavigate(draw), []);
  const kept = session();
  if (!kept) return html`<${SignIn} problem=${problem} />`;
  return html`<${Frame} token=${kept.access_token} />`;
}

function Frame({ token }) {
  const place = here();
  const [asking, ask] = useState(false);
  useFocusOnNavigation(place);
  useShortcuts({ "?": () => ask(true) });
  const name = PLACES[place.path[0] ?? ""]?.name ?? "Nowhere";
  useEffect(() => {
    const what = place.query.product ?? place.path[1]?.slice(0, 8);
    document.title = `${[what, name].filter(Boolean).join(" · ")} – Orderly`;
  });
  return html`
    <a class="skip" href="#content" onClick=${skip}>To the content</a>
    <header class="bar">
      <a class="mark" href="/"><img src="/icon.svg" alt="" width="22" height="22" />Orderly</a>
      <nav aria-label="Main">
        ${Object.entries(PLACES).map(
          ([path, { name: label }]) =>
            html`<a href=${`/${path}`} aria-current=${(place.path[0] ?? "") === path ? "page" : null}>${label}</a>`,
        )}
      </nav>
      <div class="bar-end">
        <${ThemeSwitch} />
        <button type="button" class="quiet" aria-label="Keyboard shortcuts" onClick=${() => ask(true)}>?</button>
        <${SignOut} token=${token} />
      </div>
    </header>
    <${Notices} />
    <main id="content" tabindex="-1">
      <${Boundary} key=${[...place.path, place.query.product].join("/")} at=${location.pathname + location.search}>
        ${viewOf(place)}
      <//>
    </main>
    ${asking && html`<${Shortcuts} onClose=${() => ask(false)} />`}
  `;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

// Who cannot see that the page changed hears it: the focus goes to its beginning.
function useFocusOnNavigation({ path, query }) {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) document.getElementById("content").focus();
    first.current = false;
  }, [path.join("/"), query.product]);
}

const isTyping = ({ target }) => target.matches?.("input, textarea, select, [contenteditable]");

function useShortcuts(more) {
  useEffect(() => {
    const onKey = (event) => {
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event)) return;
      if (!areOn()) return;
      if (document.querySelector("dialog[open]")) return;
      const place = Object.entries(PLACES).find(([, { key }]) => key === event.key);
      if (place) return go(`/${place[0]}`);
      if (event.key === "/") {
        event.preventDefault();
        return document.getElementById("find")?.focus();
      }
      more[event.key]?.();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function Shortcuts({ onClose }) {
  const dialog = useRef();
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <h2 id="dialog-title">Keyboard shortcuts</h2>
    <label class="switch">
      <input type="checkbox" checked=${areOn()} onChange=${({ target }) => turn(target.checked)} />
      Single keys do what is written here
    </label>
    <dl class="keys">
      ${Object.values(PLACES).map(({ name, key }) => html`<div><dt><kbd>${key}</kbd></dt><dd>${name}</dd></div>`)}
      <div><dt><kbd>/</kbd></dt><dd>Find</dd></div>
      <div><dt><kbd>?</kbd></dt><dd>This</dd></div>
      <div><dt><kbd>Esc</kbd></dt><dd>Close a dialog</dd></div>
    </dl>
    <footer><button type="button" onClick=${() => dialog.current.close()}>Close</button></footer>
  </dialog>`;
}

const THEMES = { "": "as the system", light: "light", dark: "dark" };

function ThemeSwitch() {
  const [theme, setTheme] = useState(localStorage.getItem("orderly.theme") ?? "");
  const choose = ({ target }) => {
    setTheme(target.value);
    localStorage.setItem("orderly.theme", target.value);
    document.documentElement.dataset.theme = target.value;
  };
  return html`<select class="quiet" aria-label="Colours" value=${theme} onChange=${choose}>
    ${Object.entries(THEMES).map(([value, name]) => html`<option value=${value}>${name}</option>`)}
  </select>`;
}

function SignOut({ token }) {
  const known = claims(token);
  const who = known?.username ?? known?.customer_id ?? known?.client_id ?? "somebody";
  const signOut = () => {
    end();
    leave();
  };
  return html`<button type="button" class="quiet" title=${`Signed in as ${who}`} onClick=${signOut}>Sign out</button>`;
}

// What was done is said once; that an answer is awaited, as long as it is so.
function Notices() {
  const [said, setSaid] = useState("");
  const [silence, setSilence] = useState(false);
  useEffect(() => {
    let timer;
    const onSay = ({ detail }) => {
      setSaid(detail);
      clearTimeout(timer);
      timer = setTimeout(() => setSaid(""), 6000);
    };
    const onSilence = ({ detail }) => setSilence(detail);
    addEventListener("orderly:say", onSay);
    addEventListener("orderly:silence", onSilence);
    return () => {
      removeEventListener("orderly:say", onSay);
      removeEventListener("orderly:silence", onSilence);
    };
  }, []);
  return html`<div class="notices" role="status" aria-live="polite">
    ${silence && html`<p class="warn">Still waiting for an answer: what you see may be old.</p>`}
    ${said && html`<p>${said}</p>`}
  </div>`;
}

async function start() {
  addEventListener("unhandledrejection", ({ reason }) => saySorry(reason));
  addEventListener("hashchange", () => takeFromAddress().catch(saySorry));
  let problem;
  try {
    await takeFromAddress();
    const tokens = await finishSignIn();
    if (tokens) begin(tokens);
  } catch (error) {
    problem = error;
  }
  render(html`<${Boundary}><${App} problem=${problem} /><//>`, document.body);
}

start();
