// Tables that say what they are, scroll sideways on a phone, and are read row by row.

import { html } from "../vendor/preact-htm.js";
import { Loaded } from "./states.js";

// A column: {name, of: (row) => …, number?, wide? (not on phones), narrow? (only there),
// head? (names the row)}
export const Table = ({ caption, columns, rows, keyOf = (row) => row.id, hidden = true }) =>
  html`<div class="scroll" role="group" aria-label=${caption} tabindex="0">
    <table>
      <caption class=${hidden ? "unseen" : ""}>${caption}</caption>
      <thead>
        <tr>
          ${columns.map(({ name, unseen, ...column }) =>
            html`<th scope="col" class=${classOf(column)}>
              ${unseen ? html`<span class="unseen">${name}</span>` : name}
            </th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`<tr key=${keyOf(row)}>${columns.map((column) => cell(column, row))}</tr>`)}
      </tbody>
    </table>
  </div>`;

const cell = (column, row) =>
  column.head
    ? html`<th scope="row" class=${classOf(column)}>${column.of(row)}</th>`
    : html`<td class=${classOf(column)}>${column.of(row)}</td>`;

const classOf = ({ number, wide, narrow }) =>
  [number && "number", wide && "wide", narrow && "narrow"].filter(Boolean).join(" ");

// In an element of its own: without one, what comes later than its neighbours is put in
// front of them.
export const Paged = ({ from, ...told }) =>
  html`<div class="paged"><${Loaded} from=${from} ...${told} /><${Pager} pages=${from} /></div>`;

const Pager = ({ pages }) =>
  html`<nav class="pager" aria-label="Pages" hidden=${!(pages.onBack || pages.onNext)}>
    <button type="button" disabled=${!pages.onBack} onClick=${pages.onBack || null}>← Back</button>
    <span>Page ${pages.page}</span>
    <button type="button" disabled=${!pages.onNext} onClick=${pages.onNext || null}>Next →</button>
  </nav>`;
