// What happens, and how fast orders are decided, from the newest ones and the facts that
// follow: what is remembered is bounded, however long the page stays open.

const KEPT_DELAYS = 500;
const KEPT_ORDERS = 20_000;
const KEPT_FACTS = 30;
const DECISIONS = new Set(["orders.order_confirmed.v1", "orders.order_rejected.v1"]);

export class Flow {
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

  get decided() {
    return this.#delays.length;
  }

  // Seconds from placed to decided, of the orders that were decided last.
  delay(quantile) {
    const sorted = this.#delays.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))];
  }

  #place(id, number, placed) {
    if (this.#orders.has(id)) return;
    this.#orders.set(id, { number, placed });
    if (this.#orders.size > KEPT_ORDERS) {
      this.#orders.delete(this.#orders.keys().next().value);
    }
  }

  #decide(id, decided) {
    const order = this.#orders.get(id);
    if (!order || order.decided) return;
    order.decided = decided;
    this.#delays.push((decided - order.placed) / 1000);
    if (this.#delays.length > KEPT_DELAYS) this.#delays.shift();
  }
}
