// What goes wrong in a view stays in it: it says so, and the way to every other is open.
// Each view has one of its own, and with it an element: in that of the view before, Preact
// would put what comes later than its neighbours in front of them.

import { Component, html } from "../vendor/preact-htm.js";

export class Boundary extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  componentDidUpdate({ at }) {
    if (this.state.error && at !== this.props.at) this.setState({ error: null });
  }

  render({ children }, { error }) {
    const onRetry = () => this.setState({ error: null });
    return html`<div class="page">${error ? html`<${Broken} error=${error} onRetry=${onRetry} />` : children}</div>`;
  }
}

const Broken = ({ error, onRetry }) =>
  html`<h1>This page cannot be shown</h1>
    <div class="problem" role="alert">
      <p><strong>The console has a mistake: ${error.message}</strong></p>
      <p>
        Nothing was changed, and orders flow on: “orderly top” and “orderly audit” show the
        same. Try again; if it is there again, report it with what is below.
      </p>
      <div class="actions">
        <button type="button" onClick=${onRetry}>Try again</button>
        <button type="button" onClick=${() => location.reload()}>Load the console anew</button>
      </div>
      <details><summary>Where it went wrong</summary>
        <pre tabindex="0">${location.pathname}${"\n"}${error.stack}</pre>
      </details>
    </div>`;
