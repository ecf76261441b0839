// Shows a conversation: its messages and notes, who writes, how far the learner has read, and what has not been sent yet.

import { announce, tell } from "./announcer.js";
import { attachmentLine } from "./attachments.js";
import { byId, element, reconcile } from "./elements.js";
import { Previews } from "./previews.js";
import { timeline } from "./timeline.js";
import { clock, dayName, list, moment } from "./words.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */

const AT_THE_END = 40; // px: nearer to the end than this counts as being there

export class ConversationView {
  #scroller = byId("desk-scroller");
  #list = byId("desk-messages");
  #earlier = byId("desk-earlier");
  #typing = byId("desk-typing");
  #newer = byId("desk-newer");
  /** @type {Conversation | null} */
  #shown = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typingEnds;
  #stays = true; // at the end, whatever comes and however the page changes around it
  #top = 0; // how far it was scrolled
  #session;
  #previews;
  #onGivenUp;

  /**
   * @param {import("./session.js").Session} session
   * @param {(entry: import("./outbox.js").Entry) => void} onGivenUp the agent wants it back to write it anew
   */
  constructor(session, onGivenUp) {
    this.#session = session;
    this.#previews = new Previews(session, () => this.render());
    this.#onGivenUp = onGivenUp;
    this.#earlier.addEventListener("click", () => this.#loadEarlier());
    this.#newer.addEventListener("click", () => this.#leap());
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const resized = new ResizeObserver(() => this.#resized());
    resized.observe(this.#scroller);
    resized.observe(this.#list); // a picture has come
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("focus", () => this.#seen());
    addEventListener("scroll", () => this.#seen(), { passive: true, capture: true }); // the page itself, where it is narrow
  }

  /** @param {Conversation | null} conversation another one, or none */
  show(conversation) {
    this.#shown = conversation;
    this.#previews.clear();
    this.#list.replaceChildren();
    this.render();
    this.#toTheEnd();
  }

  render() {
    const conversation = this.#shown;
    if (!conversation) return;
    const rows = timeline(conversation.log.messages, conversation.notes, conversation.outbox.entries);
    const seen = this.#readMark(conversation);
    reconcile(
      this.#list,
      rows,
      (row) => row.key,
      (row) => this.#row(row, conversation, seen),
    );
    this.#previews.watch(this.#list);
    this.#earlier.hidden = conversation.log.first <= 1;
    this.#list.setAttribute("aria-busy", String(conversation.connection.state !== "live"));
    this.#showTyping(conversation);
    if (this.#stays) this.#toTheEnd();
    this.#seen();
  }

  /** Something new, for those who do not see it. @param {any} what a message or a note @param {Conversation} conversation */
  arrived(what, conversation) {
    if (conversation !== this.#shown || what.sender === conversation.username) return;
    announce(what.note ? `Note by ${what.sender}: ${what.note}` : `${what.sender}: ${what.message}`);
  }

  #row(row, conversation, seen) {
    if (row.kind === "day") return element("li", { class: "day" }, element("span", {}, dayName(row.day)));
    if (row.kind === "pending") return this.#pending(row.entry);
    if (row.kind === "note") return this.#note(row.note);
    return this.#message(row.message, conversation, seen);
  }

  #message(message, conversation, seen) {
    const own = message.sender !== conversation.ticket.learner;
    const erased = message.message === "" && !message.attachment;
    return element(
      "li",
      { class: own ? "message own" : "message" },
      heading(message.sender, message.timestamp, own ? "" : "learner"),
      erased ? element("p", { class: "quiet" }, "erased") : element("p", { class: "text" }, message.message),
      message.attachment && this.#previews.of(message.attachment),
      message.attachment && attachmentLine(message.attachment, this.#session),
      message.seq === seen && element("p", { class: "seen" }, "Seen"),
    );
  }

  #note(note) {
    return element(
      "li",
      { class: "message note" },
      heading(note.sender, note.timestamp, "internal note"),
      element("p", { class: "text" }, note.note),
    );
  }

  #pending(entry) {
    const refused = entry.state === "refused";
    const state = refused ? `Not sent: ${entry.reason}` : entry.state === "acknowledged" ? "Sent" : "Being sent …";
    return element(
      "li",
      { class: `message own pending${entry.kind === "note" ? " note" : ""}${refused ? " refused" : ""}` },
      element("p", { class: "text" }, entry.text),
      entry.attachment && element("p", { class: "attachment" }, entry.attachment.name),
      element(
        "p",
        { class: "state" },
        state,
        refused && element("button", { type: "button", class: "link", onclick: () => this.#giveUp(entry) }, "Write it anew"),
      ),
    );
  }

  /** The newest message of the agents' that the learner has read. */
  #readMark(conversation) {
    const upTo = conversation.readBy.get(conversation.ticket.learner) ?? 0;
    const own = conversation.log.messages.filter((it) => it.sender !== conversation.ticket.learner && it.seq <= upTo);
    return own.at(-1)?.seq;
  }

  #showTyping(conversation) {
    const now = Date.now();
    const writing = conversation.typists.at(now).filter((name) => name !== conversation.username);
    this.#typing.textContent = writing.length ? `${list(writing)} ${writing.length > 1 ? "are" : "is"} writing …` : "";
    clearTimeout(this.#typingEnds);
    const next = conversation.typists.next(now);
    if (next !== null) this.#typingEnds = setTimeout(() => this.#showTyping(conversation), next + 50);
  }

  async #loadEarlier() {
    const conversation = this.#shown;
    try {
      await conversation?.loadEarlier();
    } catch (error) {
      tell(error.message);
    }
    if (conversation === this.#shown) this.#renderAbove();
  }

  /** What stood in sight stays there, and the focus on what is left. */
  #renderAbove() {
    const below = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    const focused = document.activeElement === this.#earlier;
    this.#stays = false;
    this.render();
    this.#scroller.scrollTop = this.#scroller.scrollHeight - below;
    if (focused && this.#earlier.hidden) this.#scroller.focus();
  }

  #leap() {
    this.#scroller.focus(); // its button goes
    this.#toTheEnd();
  }

  /** Whoever looks at the end of a conversation has read it. */
  #seen() {
    this.#newer.hidden = this.#isAtTheEnd();
    if (this.#isAtTheEnd() && this.#isInSight() && document.visibilityState === "visible" && document.hasFocus()) this.#shown?.read();
  }

  /** Whether its end is within the window, and not below the lists of a narrow page or the edge of a low one. */
  #isInSight() {
    const [end, column] = [this.#scroller, this.#scroller.parentElement].map((it) => it.getBoundingClientRect().bottom);
    return end > 0 && end <= Math.min(innerHeight, column) + AT_THE_END;
  }

  #isAtTheEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < AT_THE_END;
  }

  /** Only the agent scrolls upwards; what comes, or another window, moves the end away. */
  #scrolled() {
    const top = this.#scroller.scrollTop;
    if (this.#isAtTheEnd()) this.#stays = true;
    else if (top < this.#top) this.#stays = false;
    this.#top = top;
    this.#seen();
  }

  #resized() {
    if (this.#stays) this.#toTheEnd();
    this.#seen();
  }

  #toTheEnd() {
    this.#stays = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** What was refused goes back to where it was written. */
  #giveUp(entry) {
    this.#shown?.giveUp(entry.client_id);
    this.#onGivenUp(entry);
  }
}

function heading(sender, timestamp, role) {
  return element(
    "p",
    { class: "by" },
    element("strong", {}, sender),
    role && element("span", { class: "role" }, role),
    element("time", { datetime: timestamp, title: moment(timestamp) }, clock(timestamp)),
  );
}
