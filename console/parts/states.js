// Nothing yet, nothing at all, and nothing because something went wrong.

import { html } from "../vendor/preact-htm.js";

const HELP = {
  offline: "What is shown is from before.",
  0: "Does it run? “orderly status” shows what does.",
  403: "Your token does not open this. Ask for one with the scope that is named.",
  404: "It may be somebody else’s, or mistyped.",
};

const HELP_ELSEWHERE = {
  403: "A firewall takes this for an attack, or your network may not come in: your token is not the reason. Ask who runs Orderly, with the time and what is named above.",
};

const helpFor = ({ isFromElsewhere, code, status }) =>
  isFromElsewhere ? HELP_ELSEWHERE[status] : (HELP[code] ?? HELP[status]);

// What was to be done is sent again by whoever wants it done.
function whatNext({ passes, isRefusal }, { isWrite, onRetry }) {
  if (isWrite && isRefusal === false) {
    return "It may have been done all the same. Press again: nothing is done twice.";
  }
  if (!passes) return null;
  return onRetry ? "It is asked again by itself, until it answers." : "Nothing was changed. Try again in a moment.";
}

export const Skeleton = ({ rows = 4 }) =>
  html`<div class="skeleton" role="status">
    <span class="unseen">Loading…</span>
    ${Array.from({ length: rows }, () => html`<div></div>`)}
  </div>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// `isWrite`: something was to be done, which may have happened. `onRetry`, of what is read:
// asks for it at once.
export const ProblemNote = ({ problem, isWrite, onRetry }) => {
  const next = whatNext(problem, { isWrite, onRetry });
  return html`<div class="problem" role="alert">
    <p><strong>${problem.message}</strong></p>
    ${problem.errors?.length > 0 &&
    html`<ul>${problem.errors.map((one) => html`<li><code>${one.pointer}</code> ${one.detail}</li>`)}</ul>`}
    ${helpFor(problem) && html`<p>${helpFor(problem)}</p>`}
    ${next && html`<p>${next}</p>`}
    ${onRetry && html`<button type="button" onClick=${() => onRetry()}>Try again</button>`}
  </div>`;
};

// What is asked again by itself needs no advice.
export const whyNot = (problem) => (problem.passes ? "does not answer" : problem.message);

// Which services did not tell what `answers` has of the others.
export const Away = ({ answers }) =>
  answers
    .filter(({ problem }) => problem)
    .map(({ service, problem }) => html`<p class="bad" key=${service}><b>${service}</b>: ${whyNot(problem)}</p>`);

// What is known stays in sight while it is loaded anew.
export function Loaded({ from, empty, isEmpty = (data) => data.items?.length === 0, rows, children }) {
  const { data, problem, loading, reload } = from;
  const isNothing = data && empty && isEmpty(data);
  return html`
    ${problem && html`<${ProblemNote} problem=${problem} onRetry=${reload} />`}
    ${!data && !problem && html`<${Skeleton} rows=${rows} />`}
    ${isNothing && html`<${Empty}>${empty}<//>`}
    ${data && !isNothing && html`<div aria-busy=${loading ? "true" : "false"}>${children(data)}</div>`}
  `;
}
