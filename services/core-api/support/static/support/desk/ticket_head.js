// Above the conversation: what the ticket is, and what can be done with it.

import { announce } from "./announcer.js";
import { byId, element } from "./elements.js";

/** @typedef {import("./shapes.js").Ticket} Ticket */

export class TicketHead {
  /** @type {Ticket | null} */
  #ticket = null;
  #said = byId("desk-said");
  #desk;

  /**
   * @param {object} desk
   * @param {import("./session.js").Session} desk.session
   * @param {string} desk.user
   * @param {Map<string, string>} desk.categories names by slug
   * @param {import("./desk_state.js").DeskState} desk.state
   * @param {(ticket: Ticket) => void} desk.onTicket it is another one now
   * @param {() => void} desk.onProposed
   */
  constructor(desk) {
    this.#desk = desk;
    const acts = { claim: "claim", close: "close", reopen: "reopen" };
    for (const [id, act] of Object.entries(acts)) byId(`desk-${id}`).addEventListener("click", () => this.#post(act));
    byId("desk-transfer").addEventListener("click", () => this.#chooseTarget());
    dialog("desk-transfer-dialog", (form) => this.#transfer(form.elements.target.value));
    dialog("desk-propose-dialog", (form) => this.#propose(form.elements));
    const { kind, days } = byId("desk-propose-dialog").querySelector("form").elements;
    kind.addEventListener("change", () => (days.disabled = kind.value !== "extension"));
    byId("desk-tag-form").addEventListener("submit", (event) => this.#addTag(event));
  }

  /** @param {Ticket | null} ticket */
  show(ticket) {
    if (ticket?.id !== this.#ticket?.id) this.#say("");
    this.#ticket = ticket;
    byId("desk-none").hidden = ticket !== null;
    byId("desk-one").hidden = ticket === null;
    if (ticket) this.#render(ticket);
  }

  /** Asks what shall be proposed about a line of an order. @param {{id: string, course: string, price: string}} line */
  propose(line) {
    const form = byId("desk-propose-dialog").querySelector("form");
    form.reset();
    form.elements.days.disabled = true;
    form.elements.order_line.value = line.id;
    byId("desk-propose-about").textContent = `${line.course}, bought for ${line.price} credits. Nothing happens before finance agrees.`;
    ask("desk-propose-dialog");
  }

  #render(ticket) {
    const { categories, user } = this.#desk;
    const mine = ticket.assignee_id === user;
    byId("desk-subject").textContent = ticket.subject || "erased";
    const who = ticket.assignee ? (mine ? "with you" : `with ${ticket.assignee}`) : "with nobody";
    const where = categories.get(ticket.category) ?? ticket.category;
    byId("desk-about").textContent = `#${ticket.number} · ${ticket.learner} · ${where} · ${ticket.state}${ticket.state === "open" ? `, ${who}` : ""}`;
    byId("desk-claim").hidden = ticket.state !== "queued";
    byId("desk-transfer").hidden = ticket.state === "closed";
    byId("desk-close").hidden = ticket.state === "closed";
    byId("desk-reopen").hidden = ticket.state !== "closed";
    byId("desk-other").hidden = ticket.state !== "open" || mine;
    byId("desk-other").textContent = `${ticket.assignee} answers this ticket. Leave a note, or talk to them first.`;
    this.#renderTags(ticket.tags);
  }

  /** @param {string[] | undefined} tags undefined: this server has none */
  #renderTags(tags) {
    byId("desk-tag-form").hidden = !tags;
    const chips = (tags ?? []).map((tag) =>
      element(
        "li",
        {},
        tag,
        element("button", { type: "button", class: "link", "aria-label": `Remove the tag ${tag}`, onclick: () => this.#removeTag(tag) }, "×"),
      ),
    );
    byId("desk-tags").replaceChildren(...chips);
  }

  #addTag(event) {
    event.preventDefault();
    const field = event.target.elements.tag;
    const tag = field.value.trim();
    field.value = "";
    if (tag && !this.#ticket?.tags?.includes(tag)) this.#putTags([...(this.#ticket?.tags ?? []), tag]);
  }

  #removeTag(tag) {
    this.#putTags((this.#ticket?.tags ?? []).filter((each) => each !== tag));
    byId("desk-tag").focus();
  }

  #putTags(tags) {
    return this.#act("PUT", "tags", { tags }, "");
  }

  #chooseTarget() {
    const { state, categories, user } = this.#desk;
    const agents = state.agents
      .filter((it) => it.id !== user && it.categories.includes(this.#ticket?.category ?? ""))
      .map((it) => option(`agent:${it.id}`, `${it.username} (${it.status}, ${it.open_tickets} of ${it.capacity})`));
    const queues = [...categories]
      .filter(([slug]) => slug !== this.#ticket?.category)
      .map(([slug, name]) => option(`category:${slug}`, name));
    const groups = [group("Agents", agents), group("Other categories", queues)].filter((it) => it.children.length);
    byId("desk-transfer-target").replaceChildren(...groups);
    ask("desk-transfer-dialog");
  }

  #transfer(target) {
    const [kind, id] = target.split(/:(.*)/s);
    return this.#act("POST", "transfer", { [kind]: id }, "It is handed over.");
  }

  async #propose({ kind, order_line, days, reason }) {
    const extension = kind.value === "extension" ? { days: Number(days.value) } : {};
    const body = { kind: kind.value, order_line: order_line.value, reason: reason.value, ...extension };
    if (await this.#ask("POST", "proposals", body)) {
      this.#say("Proposed. Somebody of finance decides it.");
      this.#desk.onProposed();
    }
  }

  #post(act) {
    return this.#act("POST", act, undefined, { claim: "It is yours.", close: "Closed.", reopen: "It is open again." }[act]);
  }

  async #act(method, act, body, done) {
    const ticket = await this.#ask(method, act, body);
    if (!ticket) return;
    this.#say(done);
    this.#desk.onTicket(ticket);
  }

  /** The answer's body; null where it was refused, which the agent is told. */
  async #ask(method, act, body) {
    try {
      return await this.#desk.session.call(method, `/chat/v1/tickets/${this.#ticket?.id}/${act}/`, body);
    } catch (error) {
      this.#say(error.message);
      return null;
    }
  }

  #say(sentence) {
    this.#said.textContent = sentence;
    if (sentence) announce(sentence);
  }
}

/** @param {string} id @param {(form: any) => void} done when the agent did not cancel it */
function dialog(id, done) {
  const box = byId(id);
  box.addEventListener("close", () => box.returnValue === "done" && done(box.querySelector("form")));
}

/** @param {string} id */
function ask(id) {
  const box = byId(id);
  box.returnValue = ""; // or leaving it by Escape would repeat what was said last time
  box.showModal();
}

function option(value, label) {
  return element("option", { value }, label);
}

function group(label, options) {
  return element("optgroup", { label }, ...options);
}
