// Tells the agent of new messages while they look at something else: by the desktop, if they asked for that here. Whether they
// did is kept in this browser; the browser itself is asked only by a click.

import { tell } from "./announcer.js";
import { unread } from "./desk_state.js";
import { byId } from "./elements.js";

/** @typedef {import("./shapes.js").Ticket} Ticket */

const KEPT = "desk-notify";

export class Notifier {
  #button = byId("desk-notify");
  /** @type {Map<string, number> | null} how much was unread, by ticket; null: nothing is known yet */
  #known = null;
  #onOpen;

  /** @param {(ticket: Ticket) => void} onOpen */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    this.#button.hidden = !("Notification" in globalThis);
    this.#button.addEventListener("click", () => this.#toggle());
    this.#showState();
  }

  /** What is unread now, in the agent's own tickets. @param {Ticket[]} tickets */
  show(tickets) {
    const before = this.#known;
    this.#known = new Map(tickets.map((ticket) => [ticket.id, unread(ticket)]));
    if (!before || !this.#on || document.visibilityState === "visible") return;
    for (const ticket of tickets) if (unread(ticket) > (before.get(ticket.id) ?? 0)) this.#tell(ticket);
  }

  get #on() {
    return "Notification" in globalThis && Notification.permission === "granted" && localStorage.getItem(KEPT) === "on";
  }

  /** One for each ticket: a later one takes the place of the earlier. @param {Ticket} ticket */
  #tell(ticket) {
    const said = new Notification(ticket.subject, { body: `${ticket.learner}: ${unread(ticket)} unread`, tag: ticket.id });
    said.onclick = () => {
      window.focus();
      this.#onOpen(ticket);
      said.close();
    };
  }

  async #toggle() {
    if (this.#on) localStorage.removeItem(KEPT);
    else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(KEPT, "on");
    else tell("This browser does not let the desk notify you: allow it in the settings of the page.");
    this.#showState();
  }

  #showState() {
    this.#button.setAttribute("aria-pressed", String(this.#on));
  }
}
