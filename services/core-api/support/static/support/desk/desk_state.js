// Which tickets the desk shows: mine and those that wait, by what /ws/desk/ says of them.

/** @typedef {import("./shapes.js").Ticket} Ticket */

export class DeskState {
  /** @type {Map<string, Ticket>} */
  #tickets = new Map();
  /** @type {Set<string>} those that this connection has named */
  #named = new Set();
  /** @type {import("./shapes.js").Agent[]} */
  agents = [];
  /** @type {import("./shapes.js").Queue[]} of the categories that one answers */
  queues = [];
  /** @type {import("./shapes.js").Agent | null} oneself */
  me = null;

  /** @param {string} user one's own id */
  constructor(user) {
    this.user = user;
  }

  /** @returns {Ticket[]} open and mine, those with something unread first, then the oldest */
  get mine() {
    const found = [...this.#tickets.values()].filter((it) => it.state === "open" && it.assignee_id === this.user);
    return found.sort((a, b) => Number(unread(b) > 0) - Number(unread(a) > 0) || a.number - b.number);
  }

  /** @returns {Ticket[]} the next one first */
  get waiting() {
    const found = [...this.#tickets.values()].filter((it) => it.state === "queued");
    return found.sort((a, b) => place(a) - place(b) || a.number - b.number);
  }

  /** How many wait: more than are told of, where it is very many. */
  get waitingCount() {
    return this.queues.reduce((sum, queue) => sum + queue.queued, 0);
  }

  /** @param {string} id */
  ticket(id) {
    return this.#tickets.get(id);
  }

  /** A new connection tells everything anew: what it does not name before `settle` is gone. */
  begin() {
    this.#named.clear();
  }

  settle() {
    for (const id of this.#tickets.keys()) {
      if (!this.#named.has(id)) this.#tickets.delete(id);
    }
  }

  /** @param {import("./shapes.js").Agent[]} agents oneself among them */
  setAgents(agents) {
    this.agents = agents;
    this.me = agents.find((agent) => agent.id === this.user) ?? this.me;
  }

  /** @param {Ticket} ticket */
  put(ticket) {
    this.#tickets.set(ticket.id, ticket);
    this.#named.add(ticket.id);
  }

  /** @param {string} id */
  remove(id) {
    this.#tickets.delete(id);
  }
}

const AHEAD = 30 * 60_000; // ms that each step of priority is worth, as chat-gateway has it (chat.place)
const PRIORITIES = ["low", "normal", "high", "urgent"];

/** Where it waits: since when, or earlier where its priority is high. @param {Ticket} ticket */
function place(ticket) {
  return Date.parse(ticket.queued_at) - PRIORITIES.indexOf(ticket.priority) * AHEAD;
}

/** @param {Ticket} ticket */
export function unread(ticket) {
  return ticket.state === "closed" ? 0 : ticket.unread;
}
