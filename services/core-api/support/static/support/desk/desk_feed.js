// What happens on the desk, asked for every few seconds.

import { delay } from "./backoff.js";
import { LoggedOut } from "./session.js";

const EVERY = 3_000; // ms
const RENEW_AFTER = 25_000; // ms; being there counts for 60 s

export class DeskFeed {
  /** @type {import("./connection.js").State} */
  connectionState = "connecting";
  retryAt = 0;
  #renewedAt = 0;
  #failed = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #of;

  /**
   * @param {object} of
   * @param {import("./session.js").Session} of.session
   * @param {import("./desk_state.js").DeskState} of.state which it keeps up to date
   * @param {() => void} of.onChange
   * @param {() => void} of.onConnection
   */
  constructor(of) {
    this.#of = of;
  }

  start() {
    addEventListener("online", this.retry);
    addEventListener("offline", () => this.#say("waiting"));
    this.#look();
  }

  retry = () => {
    clearTimeout(this.#timer);
    this.#look();
  };

  /** @param {"online" | "away" | "offline"} status */
  async setStatus(status) {
    this.#me(await this.#of.session.call("PUT", "/chat/v1/agents/me/", { status }));
    this.#renewedAt = Date.now();
    this.#of.onChange();
  }

  async #look() {
    try {
      await this.#refresh();
      this.#failed = 0;
      this.#timer = setTimeout(() => this.#look(), EVERY);
      this.#say("live");
    } catch (error) {
      const pause = delay(this.#failed++);
      this.retryAt = Date.now() + pause;
      this.#timer = setTimeout(() => this.#look(), pause);
      this.#say(error instanceof LoggedOut ? "logged-out" : "waiting");
    }
  }

  async #refresh() {
    const { session, state } = this.#of;
    if (state.status !== "offline" && Date.now() - this.#renewedAt > RENEW_AFTER) await this.setStatus(state.status);
    const paths = ["/chat/v1/agents/me/", "/chat/v1/tickets/?assigned=me&limit=200", "/chat/v1/tickets/?assigned=none&limit=200"];
    const [me, mine, waiting] = await Promise.all(paths.map((path) => session.call("GET", path)));
    this.#me(me);
    state.begin();
    for (const ticket of [...mine.results, ...waiting.results]) state.put(ticket);
    this.#of.onChange();
  }

  #me(me) {
    Object.assign(this.#of.state, { status: me.status, capacity: me.capacity });
  }

  #say(state) {
    this.connectionState = state;
    this.#of.onConnection();
  }
}
