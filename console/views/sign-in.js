// How to get in: a token pasted here, or a name given where staff sign in.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { begin, claims, refusal } from "../lib/session.js";
import { goToSignIn, way } from "../lib/sign-in.js";
import { ProblemNote, Skeleton } from "../parts/states.js";

export function SignIn({ problem }) {
  const [by, setBy] = useState(null);
  const [unknown, setUnknown] = useState(null);
  useEffect(() => {
    way().then((found) => setBy(found.by), setUnknown);
  }, []);
  const why = unknown ?? problem ?? (refusal() && { message: `Your token is not taken any more: ${refusal()}` });
  return html`<main id="content" class="sign-in" tabindex="-1">
    <h1>Orderly</h1>
    ${why && html`<${ProblemNote} problem=${why} />`}
    ${by === null && !unknown && html`<${Skeleton} rows=${2} />`}
    ${by === "code" && html`<button type="button" class="primary" onClick=${goToSignIn}>Sign in</button>`}
    ${by === "token" && html`<${PasteToken} />`}
  </main>`;
}

function PasteToken() {
  const [wrong, setWrong] = useState(null);
  const submit = (event) => {
    event.preventDefault();
    const token = new FormData(event.target).get("token").trim();
    if (claims(token)) begin({ access_token: token });
    else setWrong("That is no token: one has three parts, with dots between them.");
  };
  return html`<form onSubmit=${submit}>
    <div class="field">
      <label>
        <span>A token</span>
        <textarea name="token" rows="5" required spellcheck="false" autocomplete="off"
          aria-describedby="how" aria-invalid=${wrong ? "true" : null}></textarea>
      </label>
    </div>
    ${wrong && html`<p class="bad" role="alert">${wrong}</p>`}
    <button type="submit" class="primary">Use this token</button>
    <p id="how" class="dim">
      <code>.venv/bin/orderly token</code> prints one, good for an hour
      (<code>docker compose run --rm token</code> where that runs). It is kept in this tab
      only. <code>.venv/bin/orderly status</code> shows a link that brings one along.
    </p>
  </form>`;
}
