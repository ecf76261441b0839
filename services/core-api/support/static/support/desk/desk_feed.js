// What happens on the desk, live: keeps the state up to date by what /ws/desk/ tells. While it is connected the agent counts as
// there, as long as they say so.

import { Connection } from "./connection.js";

export class DeskFeed {
  #connection;
  #state;
  #onChange;
  /** Whether all tickets of this connection have been told. */
  isWhole = false;

  /**
   * @param {object} of
   * @param {import("./session.js").Session} of.session
   * @param {import("./desk_state.js").DeskState} of.state which it keeps up to date
   * @param {() => void} of.onChange
   * @param {() => void} of.onConnection
   */
  constructor({ session, state, onChange, onConnection }) {
    this.#state = state;
    this.#onChange = onChange;
    this.#connection = new Connection({
      session,
      path: "/ws/desk/",
      ticket: null,
      hello: () => ({ type: "hello" }),
      onFrame: (frame) => this.#heard(frame),
      onState: onConnection,
    });
  }

  get connectionState() {
    return this.#connection.state;
  }

  get retryAt() {
    return this.#connection.retryAt;
  }

  start() {
    this.#connection.start();
  }

  retry() {
    this.#connection.retry();
  }

  /** @param {"online" | "away" | "offline"} status @returns {boolean} whether it could be said */
  setStatus(status) {
    return this.#connection.send({ type: "status", status });
  }

  #heard(frame) {
    switch (frame.type) {
      case "welcome":
        this.isWhole = false;
        this.#state.begin();
        this.#state.me = frame;
        break;
      case "ticket":
        this.#state.put(frame);
        break;
      case "gone":
        this.#state.remove(frame.id);
        break;
      case "queue":
        this.#state.queues = frame.categories;
        this.#state.settle(); // comes after all the tickets
        this.isWhole = true;
        break;
      case "agents":
        this.#state.setAgents(frame.agents);
        break;
    }
    this.#onChange();
  }
}
