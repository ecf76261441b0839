// At the top: whether the desk is connected, whether the agent counts as there, and how many tickets they have.

import { announce } from "./announcer.js";
import { byId } from "./elements.js";

const SAID = {
  connecting: "Connecting …",
  live: "Connected",
  "logged-out": "You are logged out. What you write is kept here.",
  forbidden: "This desk is not yours any more.",
  stopped: "Not connected",
};

export class DeskBar {
  #connection = byId("desk-connection");
  #retry = byId("desk-retry");
  #login = byId("desk-login");
  #status = byId("desk-status");
  /** @type {string} */
  #said = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #counting;
  #feed;

  /** @param {import("./desk_feed.js").DeskFeed} feed */
  constructor(feed) {
    this.#feed = feed;
    this.#retry.addEventListener("click", () => feed.retry());
    this.#status.addEventListener("change", () => this.#choose());
  }

  showConnection() {
    const state = this.#feed.connectionState;
    clearInterval(this.#counting);
    if (state === "waiting") this.#counting = setInterval(() => this.#render(), 1000);
    if (state !== this.#said && this.#said) announce(state === "waiting" ? "The connection is lost." : SAID[state]);
    this.#said = state;
    this.#render();
  }

  /** @param {import("./desk_state.js").DeskState} state */
  showState(state) {
    if (document.activeElement !== this.#status) this.#status.value = state.status;
    byId("desk-load").textContent = `${state.mine.length} of ${state.capacity} tickets`;
  }

  #render() {
    const state = this.#feed.connectionState;
    const seconds = Math.max(0, Math.ceil((this.#feed.retryAt - Date.now()) / 1000));
    this.#connection.textContent = state === "waiting" ? `Not connected, trying again in ${seconds} s` : SAID[state];
    this.#connection.dataset.state = state;
    this.#retry.hidden = state !== "waiting";
    this.#login.hidden = state !== "logged-out";
  }

  async #choose() {
    try {
      await this.#feed.setStatus(this.#status.value);
    } catch (error) {
      announce(error.message);
    }
    this.#status.blur();
  }
}
