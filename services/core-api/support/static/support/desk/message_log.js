// The messages of one ticket that are here: a run of `seq` without a gap, each once, however often and in whatever order they come.

/** @typedef {import("./shapes.js").Message} Message */

const MOST = 1000; // messages that are kept here: whoever missed ten thousand needs no page of them all

export class MessageLog {
  /** @type {Message[]} */
  #messages = [];

  /** @returns {readonly Message[]} by `seq` */
  get messages() {
    return this.#messages;
  }

  /** The `seq` of the oldest message that is here; 1: there is nothing earlier. */
  get first() {
    return this.#messages[0]?.seq ?? 1;
  }

  /** The `seq` of the newest message that is here: what a new connection says as `since`. */
  get last() {
    return this.#messages.at(-1)?.seq ?? 0;
  }

  /**
   * A message that came live or by a replay.
   * @param {Message} message
   * @returns {"added" | "known" | "gap"} gap: messages before it are missing, so it was left out; ask from `last` on
   */
  add(message) {
    if (this.#messages.length === 0 || message.seq === this.last + 1) {
      this.#messages.push(message);
      if (this.#messages.length > MOST) this.#messages.splice(0, MOST / 2); // they can be loaded again
      return "added";
    }
    if (message.seq > this.last) return "gap";
    return this.#replace(message) ? "known" : "gap";
  }

  /**
   * A page of messages from before the oldest; what does not join it without a gap is left out.
   * @param {Message[]} page by `seq`
   */
  addEarlier(page) {
    for (const message of [...page].reverse()) {
      if (message.seq === this.first - 1) this.#messages.unshift(message);
    }
  }

  /** @param {Message} message which may have been erased since it was first seen */
  #replace(message) {
    const place = message.seq - this.first;
    if (place < 0) return false;
    this.#messages[place] = message;
    return true;
  }
}
