// At the top: whether the desk is connected, whether the agent counts as there, and how many tickets they have.

import { announce, tell } from "./announcer.js";
import { byId } from "./elements.js";

const SAID = {
  connecting: "Connecting …",
  live: "Connected",
  "logged-out": "You are logged out. What you write is kept here.",
  crowded: "The desk is open in too many other windows.",
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
  /** @type {import("./desk_state.js").DeskState | null} */
  #state = null;
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
    this.#state = state;
    if (!state.me) return;
    this.#status.value = state.me.status;
    byId("desk-load").textContent = `${state.mine.length} of ${state.me.capacity} tickets`;
  }

  #render() {
    const state = this.#feed.connectionState;
    const seconds = Math.max(0, Math.ceil((this.#feed.retryAt - Date.now()) / 1000));
    this.#connection.textContent = state === "waiting" ? `Not connected, trying again in ${seconds} s` : SAID[state];
    this.#connection.dataset.state = state;
    this.#retry.hidden = state !== "waiting" && state !== "crowded";
    this.#login.hidden = state !== "logged-out";
  }

  #choose() {
    const status = this.#status.value;
    if (this.#feed.setStatus(status)) announce(`You are ${status}.`);
    else this.#refuse();
  }

  #refuse() {
    tell("Not connected: choose again when you are.");
    this.#status.value = this.#state?.me?.status ?? "offline";
  }
}
