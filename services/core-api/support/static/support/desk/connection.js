// One WebSocket that comes back: let in by a connect ticket, kept up with fresh tokens, listened to whether it still lives,
// and opened again after a pause that grows, until it is stopped or its ticket is no longer the agent's to see.

import { delay } from "./backoff.js";
import { LoggedOut } from "./session.js";

const PING_AFTER = 20_000; // ms without a frame
const LOST_AFTER = 10_000; // ms without an answer to that
const NOT_AUTHENTICATED = 4401;
const FORBIDDEN = 4403;
export const ENDED = ["crowded", "forbidden"]; // it does not come back by itself
const TOO_FAST = 4429; // or the agent has opened too many others since

/**
 * @typedef {"connecting" | "live" | "waiting" | "logged-out" | "crowded" | "forbidden" | "stopped"} State
 * waiting: until the next attempt; logged-out: the same, and the agent has to log in meanwhile; crowded: the agent has it open
 * too often elsewhere, and it does not come back by itself
 */

export class Connection {
  /** @type {State} */
  state = "stopped";
  /** When the next attempt is due, in ms since 1970; while `waiting`. */
  retryAt = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempt = 0;
  #crowded = false; // the last frame said so
  #run = 0; // one more with each attempt: what an older one still brings is not listened to
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #of;

  /**
   * @param {object} of
   * @param {import("./session.js").Session} of.session
   * @param {string} of.path /ws/…
   * @param {string | null} of.ticket whose conversation it is; null: the desk's own
   * @param {() => object} of.hello the first frame of each connection
   * @param {(frame: any) => void} of.onFrame
   * @param {(state: State) => void} of.onState
   */
  constructor(of) {
    this.#of = of;
  }

  start() {
    addEventListener("online", this.#look);
    addEventListener("offline", this.#cut);
    document.addEventListener("visibilitychange", this.#look);
    this.#open();
  }

  stop() {
    removeEventListener("online", this.#look);
    removeEventListener("offline", this.#cut);
    document.removeEventListener("visibilitychange", this.#look);
    this.#drop();
    this.#say("stopped");
  }

  /** Tries now instead of at the end of the pause. */
  retry = () => {
    if (["waiting", "logged-out", ...ENDED].includes(this.state)) this.#open();
  };

  /** Sends a frame, or leaves it: whoever needs it to arrive sends it again when the state is live. @param {object} frame */
  send(frame) {
    if (this.state === "live") this.#socket?.send(JSON.stringify(frame));
    return this.state === "live";
  }

  async #open() {
    this.#drop();
    const run = this.#run;
    this.#say("connecting");
    try {
      const { session, ticket, path } = this.#of;
      const { connect_ticket } = await session.call("POST", "/chat/v1/connect-tickets/", { ticket });
      if (run !== this.#run) return;
      const address = new URL(path, location.href);
      address.protocol = address.protocol.replace("http", "ws");
      this.#listen(new WebSocket(address, ["chat.v1", `ticket.${connect_ticket}`]), run);
    } catch (error) {
      if (run === this.#run) this.#failed(error);
    }
  }

  /** @param {WebSocket} socket @param {number} run */
  #listen(socket, run) {
    this.#socket = socket;
    const current = (work) => (event) => run === this.#run && work(event);
    socket.onopen = current(() => socket.send(JSON.stringify(this.#of.hello())));
    socket.onmessage = current((event) => this.#heard(JSON.parse(event.data)));
    socket.onclose = current((event) => this.#closed(event.code));
    this.#expect(LOST_AFTER); // a welcome, within that time
  }

  #heard(frame) {
    if (frame.type === "welcome") {
      this.#attempt = 0;
      this.#say("live");
    }
    this.#quiet();
    this.#crowded = frame.type === "error" && frame.code === "too_many_sockets";
    if (frame.type === "token_expiring") this.#refresh();
    else if (frame.type !== "pong") this.#of.onFrame(frame);
  }

  async #refresh() {
    const run = this.#run;
    this.#of.session.forget();
    const token = await this.#of.session.token().catch(() => null);
    if (token && run === this.#run) this.send({ type: "refresh", token }); // without one the server ends it, and we come back
  }

  /** Asks for a sign of life when nothing has come for a while. */
  #quiet() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.send({ type: "ping" });
      this.#expect(LOST_AFTER);
    }, PING_AFTER);
  }

  /** @param {number} within ms */
  #expect(within) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#cut, within);
  }

  #closed(code) {
    if (code === NOT_AUTHENTICATED) this.#of.session.forget();
    if (code === FORBIDDEN) this.#end("forbidden");
    else if (code === TOO_FAST && this.#crowded) this.#end("crowded");
    else this.#wait("waiting");
  }

  #failed(error) {
    if (error.status === 404 || error.status === 403) this.#end("forbidden");
    else this.#wait(error instanceof LoggedOut ? "logged-out" : "waiting");
  }

  /** @param {"forbidden" | "crowded"} state */
  #end(state) {
    this.#drop();
    this.#say(state);
  }

  /** Nothing comes any more, whatever the socket believes. */
  #cut = () => {
    if (this.state === "live" || this.state === "connecting") this.#wait("waiting");
  };

  #look = () => {
    if (document.visibilityState === "visible" && !ENDED.includes(this.state)) this.retry();
  };

  /** @param {"waiting" | "logged-out"} state */
  #wait(state) {
    this.#drop();
    const pause = delay(this.#attempt++);
    this.retryAt = Date.now() + pause;
    this.#timer = setTimeout(() => this.#open(), pause);
    this.#say(state);
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#run += 1;
    this.#socket?.close();
    this.#socket = null;
  }

  /** @param {State} state */
  #say(state) {
    this.state = state;
    this.#of.onState(state);
  }
}
