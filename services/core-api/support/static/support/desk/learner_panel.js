// Beside the conversation: who the learner is. core-api writes it, since it knows what the agent may see (support/beside.py).

import { byId, element } from "./elements.js";
import { position } from "./words.js";

export class LearnerPanel {
  #panel = byId("desk-learner-facts");
  /** @type {string | null} */
  #ticket = null;
  #onPropose;

  /** @param {(line: {id: string, course: string, price: string}) => void} onPropose a line of an order was chosen */
  constructor(onPropose) {
    this.#onPropose = onPropose;
    this.#panel.addEventListener("click", (event) => this.#click(event));
  }

  /** @param {string | null} ticket */
  async show(ticket) {
    this.#ticket = ticket;
    if (this.#panel.contains(document.activeElement)) byId("desk-learner").focus();
    this.#panel.replaceChildren();
    if (!ticket) return;
    this.#panel.setAttribute("aria-busy", "true");
    const pieces = await fetchPieces(ticket);
    if (this.#ticket !== ticket) return;
    this.#panel.replaceChildren(...pieces);
    this.#panel.setAttribute("aria-busy", "false");
    for (const place of this.#panel.querySelectorAll("[data-seconds]")) {
      place.textContent = position(Number(place.dataset.seconds));
    }
  }

  #click(event) {
    const { propose: id, course, price } = event.target.closest("[data-propose]")?.dataset ?? {};
    if (id) this.#onPropose({ id, course, price });
  }
}

/** @param {string} ticket @returns {Promise<Node[]>} */
async function fetchPieces(ticket) {
  try {
    const answer = await fetch(`/admin/support/tickets/${ticket}/learner/`, { redirect: "error" }); // not to the log-in page
    if (answer.status === 404) return [element("p", { class: "quiet" }, "This ticket is not of your categories.")];
    if (answer.ok) return [...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes];
  } catch {
    // no network, or logged out: the bar at the top says so
  }
  return [element("p", { class: "quiet" }, "Not reachable now. Open the ticket again to try again.")];
}
