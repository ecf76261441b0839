// The lists of tickets: mine, those that wait, and what a search finds. Arrow keys move through all of them.

import { byId, element, reconcile } from "./elements.js";
import { unread } from "./desk_state.js";
import { moment, since } from "./words.js";

/** @typedef {import("./shapes.js").Ticket} Ticket */

const TITLE = document.title;
const AGES = 30_000; // ms between looks at the clock

export class TicketList {
  #lists = { mine: byId("desk-mine"), waiting: byId("desk-waiting"), found: byId("desk-found") };
  /** @type {Record<"mine" | "waiting" | "found", Ticket[]>} */
  #tickets = { mine: [], waiting: [], found: [] };
  /** @type {string | null} */
  #selected = null;
  #categories;
  #onOpen;

  /**
   * @param {Map<string, string>} categories names by slug
   * @param {(ticket: Ticket) => void} onOpen
   */
  constructor(categories, onOpen) {
    this.#categories = categories;
    this.#onOpen = onOpen;
    byId("desk-tickets").addEventListener("keydown", (event) => this.#move(event));
    setInterval(() => this.#render(), AGES);
  }

  /** @param {import("./desk_state.js").DeskState} state */
  show(state) {
    this.#tickets.mine = state.mine;
    this.#tickets.waiting = state.waiting;
    byId("desk-mine-count").textContent = String(state.mine.length);
    byId("desk-waiting-count").textContent = String(state.waitingCount);
    const news = state.mine.filter((ticket) => unread(ticket) > 0).length;
    document.title = news ? `(${news}) ${TITLE}` : TITLE;
    this.#render();
  }

  /** @param {Ticket[] | null} tickets null: nobody searches @param {number} [count] of all that were found */
  showFound(tickets, count = 0) {
    this.#tickets.found = tickets ?? [];
    byId("desk-found-section").hidden = tickets === null;
    const all = count > this.#tickets.found.length;
    byId("desk-found-count").textContent = all ? `${this.#tickets.found.length} of ${count}` : String(count);
    this.#render();
  }

  /** @param {string | null} id of the ticket that is shown */
  select(id) {
    this.#selected = id;
    this.#render();
  }

  /** The ticket before or after the one that is shown. @param {1 | -1} step @returns {Ticket | undefined} */
  neighbour(step) {
    const all = [...this.#tickets.found, ...this.#tickets.mine, ...this.#tickets.waiting];
    const place = all.findIndex((ticket) => ticket.id === this.#selected);
    return place < 0 ? all[0] : all[(place + step + all.length) % all.length];
  }

  focus() {
    const list = byId("desk-tickets");
    (list.querySelector("[aria-current]") ?? list.querySelector("li button"))?.focus();
  }

  #render() {
    for (const [name, list] of Object.entries(this.#lists)) {
      const key = (ticket) => `${name}-${ticket.id}`;
      reconcile(list, this.#tickets[name], key, (ticket) => element("li", {}, this.#button(ticket)));
      byId(`desk-${name}-none`).hidden = this.#tickets[name].length > 0;
    }
  }

  #button(ticket) {
    const news = unread(ticket);
    const waits = ticket.state === "queued";
    const time = waits ? ticket.queued_at : (ticket.closed_at ?? ticket.created_at);
    return element(
      "button",
      { type: "button", onclick: () => this.#onOpen(ticket), "aria-current": ticket.id === this.#selected && "true" },
      element(
        "span",
        { class: "line" },
        element("strong", { class: "subject" }, ticket.subject || "erased"),
        news > 0 && element("span", { class: "badge" }, String(news), hidden(" unread")),
      ),
      element(
        "span",
        { class: "line quiet" },
        element("span", {}, `${ticket.learner} · ${this.#categories.get(ticket.category) ?? ticket.category}`),
        element("time", { datetime: time, title: moment(time) }, waits ? `waits ${since(time)}` : since(time)),
      ),
      this.#marks(ticket),
    );
  }

  #marks(ticket) {
    const { priority, assignee, state, tags } = ticket;
    const marks = [
      priority !== "normal" && element("span", { class: `mark ${priority}` }, priority),
      state === "closed" && element("span", { class: "mark" }, "closed"),
      assignee && !this.#tickets.mine.includes(ticket) && element("span", { class: "mark" }, `with ${assignee}`),
      ...tags.map((tag) => element("span", { class: "mark" }, tag)),
    ].filter(Boolean);
    return marks.length > 0 && element("span", { class: "marks" }, ...marks);
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey || !event.target.matches("li button")) return;
    const buttons = [...byId("desk-tickets").querySelectorAll("li button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (next) {
      next.focus();
      event.preventDefault();
    }
  }
}

/** @param {string} text for screen readers alone */
function hidden(text) {
  return element("span", { class: "visually-hidden" }, text);
}
