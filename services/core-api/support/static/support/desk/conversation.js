// One ticket's conversation: what was said, what is being sent, who writes and who has read how far. It keeps itself up to date
// through a connection of its own; the page shows it (conversation_view.js).

import { Connection } from "./connection.js";
import { MessageLog } from "./message_log.js";
import { Outbox } from "./outbox.js";
import { Typists } from "./typists.js";

const PAGE = 50; // messages that are loaded at once
const TYPING_EVERY = 3_000; // ms
const AGAIN_AFTER = 2_000; // ms, when the server could not take a message

/** @typedef {import("./shapes.js").Ticket} Ticket */

export class Conversation {
  log = new MessageLog();
  /** @type {import("./shapes.js").Note[]} by note_seq */
  notes = [];
  typists = new Typists();
  /** @type {Map<string, number>} up to which message others have read, by username */
  readBy = new Map();
  /** @type {Set<string>} usernames of others who have it open */
  present = new Set();
  #replayed = { seq: 0, note: 0 }; // up to where what comes was said before this connection
  #typedAt = 0;
  #readUpTo;
  #session;
  #tell;

  /**
   * @param {Ticket} ticket
   * @param {object} of
   * @param {import("./session.js").Session} of.session
   * @param {string} of.username the agent's
   * @param {import("./outbox.js").Store} of.store
   * @param {(what: {arrived?: import("./shapes.js").Message | import("./shapes.js").Note, missed?: number}) => void} of.onChange
   *   `arrived`: it was said just now; `missed`: so many messages came while nobody was connected
   */
  constructor(ticket, { session, username, store, onChange }) {
    this.ticket = ticket;
    this.username = username;
    this.#session = session;
    this.#tell = onChange;
    this.#readUpTo = ticket.read_seq;
    this.outbox = new Outbox(store, outboxName(username, ticket.id));
    this.connection = new Connection({
      session,
      path: `/ws/chat/${ticket.id}/`,
      ticket: ticket.id,
      hello: () => this.#hello(),
      onFrame: (frame) => this.#heard(frame),
      onState: () => this.#stands(),
    });
  }

  start() {
    this.connection.start();
  }

  stop() {
    this.connection.stop();
  }

  /** @param {Ticket} ticket as it is now */
  update(ticket) {
    this.ticket = ticket;
    this.#changed();
  }

  /** What happened to the ticket while nobody told of it: handed over, closed, opened again. */
  async refresh() {
    try {
      this.update(await this.#session.call("GET", `/chat/v1/tickets/${this.ticket.id}/`));
    } catch {
      // asked again with the next connection; that it is not the agent's any more is the connection's to say
    }
  }

  /** @param {Pick<import("./outbox.js").Entry, "kind" | "text" | "attachment">} what */
  say(what) {
    this.#typedAt = 0;
    this.outbox.add(what);
    this.#pump();
    this.#changed();
  }

  /** The agent gives up what was refused. @param {string} clientId */
  giveUp(clientId) {
    this.outbox.remove(clientId);
    this.#changed();
  }

  /** The agent is writing. */
  typing() {
    const now = Date.now();
    if (now - this.#typedAt > TYPING_EVERY && this.connection.send({ type: "typing" })) this.#typedAt = now;
  }

  /** The agent has seen everything that is here. */
  read() {
    const seq = this.log.last;
    if (seq > this.#readUpTo && this.connection.send({ type: "read", seq })) this.#readUpTo = seq;
  }

  /** Loads the messages before the oldest one that is here. Throws as Session.call. */
  async loadEarlier() {
    const after = Math.max(0, this.log.first - 1 - PAGE);
    const path = `/chat/v1/tickets/${this.ticket.id}/messages/?after=${after}&limit=${PAGE}`;
    this.log.addEarlier((await this.#session.call("GET", path)).results);
    this.#changed();
  }

  #stands() {
    if (this.connection.state === "forbidden") this.#pump();
    this.#changed();
  }

  #hello() {
    const since = this.log.last || Math.max(0, this.ticket.head_seq - PAGE);
    return { type: "hello", since, since_note: this.notes.at(-1)?.note_seq ?? 0 };
  }

  #heard(frame) {
    switch (frame.type) {
      case "welcome":
        this.#begin(frame);
        this.refresh();
        this.outbox.interrupted();
        this.#pump();
        break;
      case "message":
        this.#arrived(frame);
        break;
      case "note":
        this.#noted(frame);
        break;
      case "ack":
        this.outbox.acknowledged(frame.client_id);
        this.#pump();
        break;
      case "typing":
        this.typists.wrote(frame.username, Date.now());
        break;
      case "presence":
        this.#seen(frame.username, frame.online);
        break;
      case "read":
        this.readBy.set(frame.username, Math.max(frame.seq, this.readBy.get(frame.username) ?? 0));
        break;
      case "assigned":
        this.ticket = { ...this.ticket, state: frame.state, assignee: frame.assignee };
        break;
      case "error":
        this.#refused(frame);
        break;
    }
    this.#changed();
  }

  /** @param {{head_seq: number, head_note_seq?: number}} welcome */
  #begin({ head_seq, head_note_seq = 0 }) {
    this.present.clear();
    this.#readUpTo = this.ticket.read_seq; // what was said last may have been lost on the way
    const missed = this.log.last ? head_seq - this.log.last : 0;
    this.#replayed = { seq: head_seq, note: head_note_seq };
    if (missed > 0) this.#tell({ missed });
  }

  #arrived(frame) {
    if (this.outbox.remove(frame.client_id)) this.#pump();
    const before = this.log.last;
    if (this.log.add(frame) === "gap") {
      this.connection.send({ type: "sync", since: before });
      return;
    }
    this.typists.sent(frame.sender);
    if (this.log.last > before && frame.seq > this.#replayed.seq) this.#tell({ arrived: frame });
  }

  #noted(frame) {
    this.outbox.remove(frame.client_id);
    if (this.notes.some((note) => note.note_seq === frame.note_seq)) return;
    this.notes = [...this.notes, frame].sort((a, b) => a.note_seq - b.note_seq);
    if (frame.note_seq > this.#replayed.note) this.#tell({ arrived: frame });
  }

  #seen(username, online) {
    if (online) this.present.add(username);
    else this.present.delete(username);
  }

  #refused(frame) {
    const again = frame.code === "too_fast" || frame.code === "unavailable";
    const which = frame.code === "malformed" ? this.outbox.onItsWay : frame.client_id;
    if (again) setTimeout(() => this.#resume(), frame.retry_after ? frame.retry_after * 1000 : AGAIN_AFTER);
    else if (which) this.#giveBack(which, frame.detail);
    else if (frame.code === "token_invalid") this.#session.forget();
  }

  /** @param {string} clientId @param {string} reason */
  #giveBack(clientId, reason) {
    this.outbox.refused(clientId, reason);
    this.#pump();
  }

  #resume() {
    this.outbox.interrupted();
    this.#pump();
  }

  #pump() {
    if (this.connection.state === "forbidden") this.outbox.refuseAll("This ticket is not of your categories any more.");
    if (this.connection.state !== "live") return;
    const next = this.outbox.take();
    if (!next) return;
    const { client_id, kind, text, attachment } = next;
    const about = attachment ? { attachment: attachment.id } : {};
    this.connection.send({ type: kind, client_id, [kind]: text, ...about });
  }

  #changed() {
    this.#tell({});
  }
}

/** @param {string} username @param {string} ticket */
export function outboxName(username, ticket) {
  return `desk-outbox:${username}:${ticket}`;
}

/** The tickets for which something is kept to be sent. @param {Storage} store @param {string} username */
export function outboxTickets(store, username) {
  const begin = outboxName(username, "");
  return Object.keys(store)
    .filter((name) => name.startsWith(begin))
    .map((name) => name.slice(begin.length));
}
