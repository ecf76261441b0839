// Finding tickets that are neither mine nor waiting: by words, or the closed ones.

import { announce, tell } from "./announcer.js";
import { byId } from "./elements.js";

const PAUSE = 300; // ms after the last letter

export class TicketSearch {
  #field = byId("desk-search");
  #state = byId("desk-search-state");
  #run = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #session;
  #onFound;

  /**
   * @param {import("./session.js").Session} session
   * @param {(tickets: import("./shapes.js").Ticket[] | null, count?: number) => void} onFound the newest of so many; null: nobody
   *   searches any more
   */
  constructor(session, onFound) {
    this.#session = session;
    this.#onFound = onFound;
    this.#field.addEventListener("input", () => this.#soon());
    this.#state.addEventListener("change", () => this.#look());
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), PAUSE);
  }

  async #look() {
    const run = ++this.#run;
    const query = new URLSearchParams({ limit: "50" });
    if (this.#field.value.trim()) query.set("search", this.#field.value.trim());
    if (this.#state.value) query.set("state", this.#state.value);
    if (query.size === 1) return this.#onFound(null);
    try {
      const { results, count } = await this.#session.call("GET", `/chat/v1/tickets/?${query}`);
      if (run !== this.#run) return;
      this.#onFound(results, count);
      announce(`${count} ${count === 1 ? "ticket" : "tickets"} found.`);
    } catch (error) {
      tell(error.message);
    }
  }
}
