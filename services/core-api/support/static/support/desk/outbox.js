// What an agent wrote and the server has not shown back yet. It outlives a lost connection and a reload of the page: every
// entry keeps its client_id, so that sending it again makes no second message.


/**
 * @typedef {object} Entry
 * @property {string} client_id
 * @property {"message" | "note"} kind
 * @property {string} text
 * @property {import("./shapes.js").Attachment} [attachment]
 * @property {string} written ISO 8601, by this machine's clock
 * @property {"waiting" | "sending" | "acknowledged" | "refused"} state
 * @property {string} [reason] why it was refused
 */

/** What of `sessionStorage` is used. @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Store */

export class Outbox {
  /** @type {Entry[]} */
  #entries;
  #store;
  #name;

  /**
   * @param {Store} store where it is kept
   * @param {string} name under which
   */
  constructor(store, name) {
    this.#store = store;
    this.#name = name;
    this.#entries = read(store, name).filter((entry) => entry.state !== "acknowledged");
    this.interrupted();
  }

  /** @returns {readonly Entry[]} in the order in which they were written */
  get entries() {
    return this.#entries;
  }

  /** Whether everything has arrived, but for what was refused. */
  get settled() {
    return this.#entries.every((entry) => entry.state === "refused");
  }

  /** @param {Pick<Entry, "kind" | "text" | "attachment">} what */
  add(what) {
    const entry = { ...what, client_id: newId(), written: new Date().toISOString(), state: "waiting" };
    this.#entries.push(/** @type {Entry} */ (entry));
    this.#keep();
  }

  /**
   * What may be sent now; it counts as on its way from here on. One at a time: where the server asks for a pause, or cannot take
   * one, a later one would overtake it.
   * @returns {Entry | undefined}
   */
  take() {
    if (this.onItsWay) return undefined;
    const next = this.#entries.find((entry) => entry.state === "waiting");
    if (next) next.state = "sending";
    return next;
  }

  /** The client_id of what was taken, and is not answered yet. */
  get onItsWay() {
    return this.#entries.find((entry) => entry.state === "sending")?.client_id;
  }

  /** The connection is gone, or the server asked for a pause: what was on its way is to be sent again. */
  interrupted() {
    for (const entry of this.#entries) {
      if (entry.state === "sending") entry.state = "waiting";
    }
  }

  /** The server has committed it. It stays here until it comes back as a message. @param {string} clientId */
  acknowledged(clientId) {
    this.#change(clientId, { state: "acknowledged" });
  }

  /** @param {string} clientId @param {string} reason */
  refused(clientId, reason) {
    this.#change(clientId, { state: "refused", reason });
  }

  /** Nothing that waits will ever be sent. @param {string} reason */
  refuseAll(reason) {
    for (const entry of this.#entries) {
      if (entry.state === "waiting" || entry.state === "sending") Object.assign(entry, { state: "refused", reason });
    }
    this.#keep();
  }

  /** It came back as a message, or the agent gave it up. @param {string | null} clientId @returns {Entry | undefined} */
  remove(clientId) {
    const found = this.#entries.find((entry) => entry.client_id === clientId);
    if (found) {
      this.#entries = this.#entries.filter((entry) => entry !== found);
      this.#keep();
    }
    return found;
  }

  /** @param {string} clientId @param {Partial<Entry>} changes */
  #change(clientId, changes) {
    const found = this.#entries.find((entry) => entry.client_id === clientId);
    if (found) Object.assign(found, changes);
    this.#keep();
  }

  #keep() {
    try {
      if (this.#entries.length) this.#store.setItem(this.#name, JSON.stringify(this.#entries));
      else this.#store.removeItem(this.#name);
    } catch {
      // full or forbidden: it is kept for as long as the page lives
    }
  }
}

/** 128 random bits. crypto.randomUUID is there under https and on localhost alone. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Store} store @param {string} name @returns {Entry[]} */
function read(store, name) {
  try {
    const kept = JSON.parse(store.getItem(name) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}
