// Which tickets the desk shows: mine and those that wait, by what /ws/desk/ says of them.

/** @typedef {import("./shapes.js").Ticket} Ticket */

export class DeskState {
  /** @type {Map<string, Ticket>} */
  #tickets = new Map();
  /** @type {import("./shapes.js").Agent[]} */
  agents = [];
  status = "offline";
  capacity = 0;

  /** @param {string} user one's own id */
  constructor(user) {
    this.user = user;
  }

  /** @returns {Ticket[]} open and mine, those with something unread first, then the oldest */
  get mine() {
    const found = [...this.#tickets.values()].filter((it) => it.state === "open" && it.assignee_id === this.user);
    return found.sort((a, b) => Number(unread(b) > 0) - Number(unread(a) > 0) || a.number - b.number);
  }

  /** @returns {Ticket[]} the one that has waited longest first */
  get waiting() {
    const found = [...this.#tickets.values()].filter((it) => it.state === "queued");
    return found.sort((a, b) => a.queued_at.localeCompare(b.queued_at) || a.number - b.number);
  }

  /** @param {string} id */
  ticket(id) {
    return this.#tickets.get(id);
  }

  /** A new connection tells everything anew: what it does not name is gone. */
  begin() {
    this.#tickets.clear();
  }

  /** @param {Ticket} ticket */
  put(ticket) {
    this.#tickets.set(ticket.id, ticket);
  }

  /** @param {string} id */
  remove(id) {
    this.#tickets.delete(id);
  }
}

/** @param {Ticket} ticket */
export function unread(ticket) {
  return ticket.unread ?? Math.max(0, ticket.head_seq - ticket.read_seq);
}
