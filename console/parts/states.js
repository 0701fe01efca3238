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

// What is read is asked for again by itself; what is done, by whoever wants it done.
const whatNext = (isRead) =>
  isRead
    ? "It is asked again by itself, until it answers."
    : "It may have been done all the same. Press again: nothing is done twice.";

// Who is told to send the same key again has none here: the console keeps it.
const headline = ({ code, message }) => (code === "unavailable" ? "A service does not answer." : message);

export const Skeleton = ({ rows = 4 }) =>
  html`<div class="skeleton" role="status">
    <span class="unseen">Loading…</span>
    ${Array.from({ length: rows }, () => html`<div></div>`)}
  </div>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const ProblemNote = ({ problem, onRetry }) =>
  html`<div class="problem" role="alert">
    <p><strong>${headline(problem)}</strong></p>
    ${problem.errors?.length > 0 &&
    html`<ul>${problem.errors.map((one) => html`<li><code>${one.pointer}</code> ${one.detail}</li>`)}</ul>`}
    ${helpFor(problem) && html`<p>${helpFor(problem)}</p>`}
    ${problem.passes && html`<p>${whatNext(onRetry)}</p>`}
    ${onRetry && html`<button type="button" onClick=${() => onRetry()}>Try again</button>`}
  </div>`;

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
