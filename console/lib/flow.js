// What happens: the facts that were heard last, with the numbers of their orders. What is
// remembered is bounded, however long the page stays open.

const KEPT_ORDERS = 20_000;
const KEPT_FACTS = 30;

export class Flow {
  #numbers = new Map(); // by the order's id
  facts = [];

  // Orders that were placed before we listened, newest first.
  seed(orders) {
    for (const order of orders.toReversed()) this.#note(order.id, order.number);
  }

  take({ id, type, subject, time, data }) {
    if (type === "orders.order_placed.v1") this.#note(subject, data.number);
    const number = this.#numbers.get(subject);
    this.facts = [{ id, type, order: subject, number, at: time }, ...this.facts];
    this.facts.length = Math.min(this.facts.length, KEPT_FACTS);
  }

  #note(id, number) {
    this.#numbers.set(id, number);
    if (this.#numbers.size > KEPT_ORDERS) {
      this.#numbers.delete(this.#numbers.keys().next().value);
    }
  }
}
