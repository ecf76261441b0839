// Above the conversation: what the ticket is, and what can be done with it.

import { announce } from "./announcer.js";
import { save } from "./attachments.js";
import { ENDED } from "./connection.js";
import { byId, element, reconcile } from "./elements.js";

/** @typedef {import("./shapes.js").Ticket} Ticket */

const SAID_FOR = 12_000; // ms

export class TicketHead {
  /** @type {Ticket | null} */
  #ticket = null;
  #said = byId("desk-said");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unsay;
  /** @type {Promise<any>} */
  #turn = Promise.resolve();
  #desk;

  /**
   * @param {object} desk
   * @param {import("./session.js").Session} desk.session
   * @param {string} desk.user
   * @param {string} desk.username
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
    byId("desk-propose-kind").addEventListener("change", () => showDays());
    byId("desk-priority").addEventListener("change", () => this.#prioritise());
    byId("desk-transcript").addEventListener("click", () => this.#saveTranscript());
    byId("desk-tag-form").addEventListener("submit", (event) => this.#addTag(event));
  }

  /** @param {import("./conversation.js").Conversation} conversation */
  show({ ticket, connection, present }) {
    if (ticket.id !== this.#ticket?.id) this.#say("");
    this.#ticket = ticket;
    byId("desk-none").hidden = true;
    byId("desk-one").hidden = false;
    this.#render(ticket, present.has(ticket.learner));
    this.#warn(ticket, connection.state);
  }

  /** Asks what shall be proposed about a line of an order. @param {{id: string, course: string, price: string}} line */
  propose(line) {
    const form = byId("desk-propose-dialog").querySelector("form");
    form.reset();
    showDays();
    form.elements.order_line.value = line.id;
    const bought = `${line.course}, bought for ${line.price} credits.`;
    byId("desk-propose-about").textContent = `${bought} Nothing happens before finance agrees.`;
    ask("desk-propose-dialog");
  }

  /** @param {Ticket} ticket @param {boolean} there whether the learner looks at it now */
  #render(ticket, there) {
    const { categories, username } = this.#desk;
    const mine = ticket.assignee === username;
    byId("desk-subject").textContent = ticket.subject || "erased";
    const who = ticket.assignee ? (mine ? "with you" : `with ${ticket.assignee}`) : "with nobody";
    const where = categories.get(ticket.category) ?? ticket.category;
    const state = ticket.state === "open" ? `open, ${who}` : ticket.state;
    const rated = ticket.rating ? ` · rated ${ticket.rating.score} of 5 ${ticket.rating.comment}` : "";
    const learner = `${ticket.learner}${there ? " (there now)" : ""}`;
    byId("desk-about").textContent = `#${ticket.number} · ${learner} · ${where} · ${state}${rated}`;
    byId("desk-priority").value = ticket.priority;
    byId("desk-priority").disabled = ticket.state === "closed";
    byId("desk-claim").hidden = ticket.state !== "queued";
    byId("desk-transfer").hidden = ticket.state === "closed";
    byId("desk-close").hidden = ticket.state === "closed";
    byId("desk-reopen").hidden = ticket.state !== "closed";
    this.#renderTags(ticket.tags);
  }

  /** What the agent should know before writing. */
  #warn(ticket, connection) {
    const others = ticket.state === "open" && ticket.assignee !== this.#desk.username;
    let warning = others ? `${ticket.assignee} answers this ticket. Leave a note, or talk to them first.` : "";
    if (connection === "forbidden") warning = "This ticket is not of your categories any more.";
    else if (connection === "crowded") warning = "You have too many tickets open in other windows. Close some, then choose this one again.";
    else if (connection !== "live") warning = "Not connected to this ticket. What you write is sent when it is again.";
    const place = byId("desk-warning");
    const told = place.textContent === warning || (connection !== "live" && !ENDED.includes(connection)); // the bar says that
    if (warning && !told) announce(warning);
    place.hidden = !warning;
    place.textContent = warning;
  }

  /** @param {string[]} tags */
  #renderTags(tags) {
    const remove = (tag) => ({
      type: "button",
      class: "link",
      "aria-label": `Remove the tag ${tag}`,
      onclick: () => this.#removeTag(tag),
    });
    const chip = (tag) => element("li", {}, tag, element("button", remove(tag), "×"));
    reconcile(byId("desk-tags"), tags, (tag) => tag, chip);
  }

  #addTag(event) {
    event.preventDefault();
    const field = event.target.elements.tag;
    const tag = field.value.trim().toLowerCase().replaceAll(/\s+/g, "-"); // as chat-gateway keeps them
    field.value = "";
    if (tag) this.#changeTags({ add: [tag] });
  }

  #removeTag(tag) {
    this.#changeTags({ remove: [tag] });
    byId("desk-tag").focus();
  }

  /** @param {{add?: string[], remove?: string[]}} changes */
  async #changeTags(changes) {
    const ticket = await this.#askInTurn("PATCH", "tags", changes);
    if (ticket) this.#desk.onTicket(ticket);
  }

  #prioritise() {
    const priority = byId("desk-priority").value;
    return this.#act("POST", "priority", { priority }, `Its priority is ${priority}.`);
  }

  async #saveTranscript() {
    try {
      const answer = await this.#desk.session.request("GET", `/chat/v1/tickets/${this.#ticket?.id}/transcript/?notes=1`);
      save(await answer.blob(), `ticket-${this.#ticket?.number}.txt`);
    } catch (error) {
      this.#say(error.message);
    }
  }

  #chooseTarget() {
    this.#offerTargets();
    ask("desk-transfer-dialog");
  }

  /** Who is there may have changed. */
  agentsChanged() {
    if (byId("desk-transfer-dialog").open) this.#offerTargets();
  }

  #offerTargets() {
    const { state, categories, user } = this.#desk;
    const field = byId("desk-transfer-target");
    const chosen = field.value;
    const agents = state.agents
      .filter((it) => it.id !== user && it.categories.includes(this.#ticket?.category ?? ""))
      .map((it) => option(`agent:${it.id}`, `${it.username} (${it.status}, ${it.open_tickets} of ${it.capacity})`));
    const queues = [...categories]
      .filter(([slug]) => slug !== this.#ticket?.category)
      .map(([slug, name]) => option(`category:${slug}`, name));
    const groups = [group("Agents", agents), group("Other categories", queues)].filter((it) => it.children.length);
    field.replaceChildren(...groups);
    if ([...field.options].some((it) => it.value === chosen)) field.value = chosen;
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
    const ticket = await this.#askInTurn(method, act, body);
    if (!ticket) return;
    this.#say(done);
    this.#desk.onTicket(ticket);
    requestAnimationFrame(() => this.#keepFocus()); // when it is shown, and the button perhaps is not any more
  }

  #keepFocus() {
    if (!document.activeElement?.checkVisibility() || document.activeElement === document.body) byId("desk-text").focus();
  }

  /** One after the other, however quickly they are asked for, so that the last answer is the newest. */
  #askInTurn(method, act, body) {
    const id = this.#ticket?.id;
    return (this.#turn = this.#turn.then(() => this.#ask(method, act, body, id)));
  }

  /** The answer's body; null where it was refused, which the agent is told. */
  async #ask(method, act, body, id = this.#ticket?.id) {
    try {
      return await this.#desk.session.call(method, `/chat/v1/tickets/${id}/${act}/`, body);
    } catch (error) {
      this.#say(error.message);
      return null;
    }
  }

  #say(sentence) {
    this.#said.textContent = sentence;
    clearTimeout(this.#unsay);
    if (!sentence) return;
    announce(sentence);
    this.#unsay = setTimeout(() => this.#say(""), SAID_FOR);
  }
}

/** An extension is for some days; a refund is not. */
function showDays() {
  const asked = byId("desk-propose-kind").value === "extension";
  byId("desk-propose-for").hidden = byId("desk-propose-days").disabled = !asked;
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
