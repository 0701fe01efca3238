// A form in a dialog of the browser's own: it keeps the focus, and Escape closes it.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { useAction } from "./hooks.js";
import { ProblemNote } from "./states.js";
import { say } from "./bits.js";

// `requestOf(values)` gives {path, body}.
export function ActionDialog({ title, verb, done, danger, requestOf, onClose, onDone, children }) {
  const dialog = useRef();
  const action = useAction((answer) => {
    say(done);
    onDone?.(answer);
    onClose();
  });
  useEffect(() => dialog.current.showModal(), []);
  const submit = (event) => {
    event.preventDefault();
    const { path, body } = requestOf(new FormData(event.target));
    action.send(path, body);
  };
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
      ${action.problem && html`<${ProblemNote} problem=${action.problem} isWrite />`}
      <footer>
        <button type="button" onClick=${() => dialog.current.close()}>Leave it</button>
        <button type="submit" class=${danger ? "danger" : "primary"} disabled=${action.busy}>
          ${action.busy ? "Sending…" : verb}
        </button>
      </footer>
    </form>
  </dialog>`;
}

export const Field = ({ label, hint, inputRef, ...attributes }) =>
  html`<div class="field">
    <label>
      <span>${label}</span>
      <input ref=${inputRef} ...${attributes} aria-describedby=${hint && `${attributes.name}-hint`} />
    </label>
    ${hint && html`<small id=${`${attributes.name}-hint`}>${hint}</small>`}
  </div>`;

// Holds what the address says whenever that changes, and what is typed in between.
export function SearchField({ text = "", ...attributes }) {
  const input = useRef();
  useEffect(() => {
    input.current.value = text;
  }, [text]);
  return html`<${Field} type="search" id="find" inputRef=${input} ...${attributes} />`;
}

export const Select = ({ label, options, ...attributes }) =>
  html`<div class="field">
    <label>
      <span>${label}</span>
      <select ...${attributes}>
        ${Object.entries(options).map(([value, name]) => html`<option value=${value}>${name}</option>`)}
      </select>
    </label>
  </div>`;

// How many of each line, none being 0: [{line, quantity}]
export const LineFields = ({ lines, legend }) =>
  html`<fieldset>
    <legend>${legend}</legend>
    ${lines.map(
      ({ line, sku, most }) =>
        html`<${Field}
          label=${`${sku}, of ${most}`} type="number" name=${`line-${line}`}
          min="0" max=${most} defaultValue=${most} required inputmode="numeric" />`,
    )}
  </fieldset>`;

export const linesOf = (form, lines) =>
  lines
    .map(({ line }) => ({ line, quantity: Number(form.get(`line-${line}`)) }))
    .filter(({ quantity }) => quantity > 0);
