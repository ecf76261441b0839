// Who is writing at the moment. Nobody says that they have stopped: it ends by itself, or with their message.

const ENDS_AFTER = 6_000; // ms

export class Typists {
  /** @type {Map<string, number>} until when, by username */
  #until = new Map();

  /** @param {string} username @param {number} now ms */
  wrote(username, now) {
    this.#until.set(username, now + ENDS_AFTER);
  }

  /** @param {string} username */
  sent(username) {
    this.#until.delete(username);
  }

  /** @param {number} now ms @returns {string[]} */
  at(now) {
    return [...this.#until].filter(([, until]) => until > now).map(([username]) => username);
  }

  /** @param {number} now ms @returns {number | null} in how many ms somebody stops, if anybody writes */
  next(now) {
    const ends = [...this.#until.values()].filter((until) => until > now);
    return ends.length ? Math.min(...ends) - now : null;
  }
}
