// How orders flow, from the newest ones and the facts that follow: what is remembered is
// bounded, however long the page stays open.

const MINUTE_MS = 60_000;
const KEPT_MINUTES = 60;
const KEPT_DELAYS = 500;
const KEPT_ORDERS = 20_000;
const KEPT_FACTS = 30;
const DECISIONS = new Set(["orders.order_confirmed.v1", "orders.order_rejected.v1"]);

export class Flow {
  #perMinute = new Map(); // minute → orders placed
  #orders = new Map(); // id → {number, placed, decided}
  #delays = [];
  facts = [];

  // Orders that were placed before we listened, newest first.
  seed(orders) {
    for (const order of orders.toReversed()) {
      this.#place(order.id, order.number, Date.parse(order.placed_at));
      if (order.decided_at) this.#decide(order.id, Date.parse(order.decided_at));
    }
  }

  take({ id, type, subject, time, data }) {
    if (type === "orders.order_placed.v1") {
      this.#place(subject, data.number, Date.parse(data.placed_at));
    }
    if (DECISIONS.has(type)) this.#decide(subject, Date.parse(data.decided_at));
    const number = this.#orders.get(subject)?.number;
    this.facts = [{ id, type, order: subject, number, at: time }, ...this.facts];
    this.facts.length = Math.min(this.facts.length, KEPT_FACTS);
  }

  // Orders placed in each of the last minutes, the current one last.
  perMinute(minutes, now = Date.now()) {
    const current = Math.floor(now / MINUTE_MS);
    return Array.from({ length: minutes }, (_, i) => {
      const minute = current - minutes + 1 + i;
      return { at: minute * MINUTE_MS, n: this.#perMinute.get(minute) ?? 0 };
    });
  }

  // Of the last sixty seconds, as if the minute before had been even.
  rate(now = Date.now()) {
    const [before, current] = this.perMinute(2, now);
    const gone = (now % MINUTE_MS) / MINUTE_MS;
    return Math.round(before.n * (1 - gone) + current.n);
  }

  // Seconds from placed to decided.
  delay(quantile) {
    const sorted = this.#delays.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))];
  }

  #place(id, number, placed) {
    if (this.#orders.has(id)) return;
    this.#orders.set(id, { number, placed });
    const minute = Math.floor(placed / MINUTE_MS);
    this.#perMinute.set(minute, (this.#perMinute.get(minute) ?? 0) + 1);
    this.#forget();
  }

  #decide(id, decided) {
    const order = this.#orders.get(id);
    if (!order || order.decided) return;
    order.decided = decided;
    this.#delays.push((decided - order.placed) / 1000);
    if (this.#delays.length > KEPT_DELAYS) this.#delays.shift();
  }

  #forget() {
    if (this.#orders.size > KEPT_ORDERS) {
      this.#orders.delete(this.#orders.keys().next().value);
    }
    const oldest = Math.floor(Date.now() / MINUTE_MS) - KEPT_MINUTES;
    for (const minute of this.#perMinute.keys()) {
      if (minute < oldest) this.#perMinute.delete(minute);
    }
  }
}
