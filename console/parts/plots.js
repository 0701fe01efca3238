// Plots as SVG of our own: shapes for eyes, and the same figures as text for all.

import { html } from "../vendor/preact-htm.js";

const WIDTH = 600;

// bars: [{label, value, text}]
export function Bars({ title, bars, height = 120 }) {
  const most = Math.max(1, ...bars.map((bar) => Math.abs(bar.value)));
  const least = Math.min(0, ...bars.map((bar) => bar.value));
  const scale = (height - 4) / (most - (least < 0 ? least : 0));
  const floor = height - (least < 0 ? -least * scale : 0);
  const step = WIDTH / bars.length;
  return html`<figure class="plot">
    <svg viewBox=${`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" role="img" aria-label=${summary(title, bars)}>
      <line x1="0" x2=${WIDTH} y1=${floor - 0.5} y2=${floor - 0.5} class="axis" />
      ${bars.map(({ label, value, text }, i) => {
        const tall = Math.max(Math.abs(value) * scale, value ? 2 : 0);
        return html`<rect
          x=${i * step + step * 0.12} width=${step * 0.76}
          y=${value < 0 ? floor : floor - tall} height=${tall}><title>${label}: ${text}</title></rect>`;
      })}
    </svg>
    <figcaption>
      <span>${bars[0].label}</span><span>at most ${highest(bars).text}</span><span>${bars.at(-1).label}</span>
    </figcaption>
  </figure>`;
}

const highest = (bars) => bars.reduce((best, bar) => (bar.value > best.value ? bar : best));

function summary(title, bars) {
  const top = highest(bars);
  return `${title}: at most ${top.text}, ${top.label}; at the end ${bars.at(-1).text}`;
}

// shares: [{name, n}]
export function Shares({ shares, label }) {
  const all = shares.reduce((sum, share) => sum + share.n, 0) || 1;
  let x = 0;
  return html`<div class="shares">
    <svg viewBox="0 0 1000 12" preserveAspectRatio="none" role="img" aria-label=${label}>
      ${shares.map(({ name, n }) => {
        const width = (n / all) * 1000;
        const rect = html`<rect x=${x} width=${width} height="12" class=${`share ${name}`} />`;
        x += width;
        return rect;
      })}
    </svg>
    <ul>
      ${shares.map(
        ({ name, n }) =>
          html`<li><span class=${`dot ${name}`}></span>${name.replaceAll("_", " ")} <b class="figure">${n}</b></li>`,
      )}
    </ul>
  </div>`;
}
