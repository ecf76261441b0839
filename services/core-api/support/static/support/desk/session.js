// The agent's access token, which the admin site's session is good for, and requests that carry it. No token stands in a URL
// or outlives the page.

const TOKEN = "/api/v1/auth/token/session/";
const TOKEN_AGE = 8 * 60 * 1000; // ms; a token lives for ten minutes

/** The admin site's session is over: the agent has to log in again, in another tab or here. */
export class LoggedOut extends Error {}

/** Nobody answered: the network or the server is away. */
export class Unreachable extends Error {}

/** The server refused (RFC 9457). `message` is a sentence for the agent. */
export class Problem extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, errors?: Record<string, string[]>}} body */
  constructor(status, body) {
    const fields = Object.values(body.errors ?? {}).flat();
    super(fields.join(" ") || body.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
  }
}

export class Session {
  /** @type {{access: string, since: number} | null} */
  #token = null;
  /** @type {Promise<string> | null} */
  #asking = null;
  #user;
  #csrfCookie;

  /**
   * @param {string} user whose page this is
   * @param {string} csrfCookie the cookie's name: a log-in in another tab changes its value
   */
  constructor(user, csrfCookie) {
    this.#user = user;
    this.#csrfCookie = csrfCookie;
  }

  /** A token that lives for two minutes at least. Throws LoggedOut, Unreachable, Problem. @returns {Promise<string>} */
  async token() {
    if (this.#token && Date.now() - this.#token.since < TOKEN_AGE) return this.#token.access;
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** The token was refused somewhere. */
  forget() {
    this.#token = null;
  }

  /**
   * A request in JSON; gives the answer's body. Throws LoggedOut, Unreachable, Problem.
   * @param {string} method @param {string} path @param {object} [body]
   */
  async call(method, path, body) {
    const options = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await this.request(method, path, options);
    return answer.status === 204 ? null : answer.json();
  }

  /**
   * Any request that a token opens. A token that is refused is replaced once.
   * @param {string} method @param {string} path @param {RequestInit} [options] @returns {Promise<Response>}
   */
  async request(method, path, options = {}) {
    let answer = await this.#send(method, path, options);
    if (answer.status === 401) {
      this.forget();
      answer = await this.#send(method, path, options);
    }
    if (!answer.ok) throw await problem(answer);
    return answer;
  }

  async #send(method, path, options) {
    const headers = { ...options.headers, Authorization: `Bearer ${await this.token()}` };
    return reach(path, { ...options, method, headers });
  }

  async #ask() {
    const since = Date.now();
    const answer = await reach(TOKEN, { method: "POST", headers: { "X-CSRFToken": cookie(this.#csrfCookie) } });
    if (answer.status === 401 || answer.status === 403) throw new LoggedOut("You are logged out here.");
    if (!answer.ok) throw await problem(answer);
    const { access } = await answer.json();
    if (subject(access) !== this.#user) {
      location.reload(); // somebody else has logged in in another tab
      throw new LoggedOut("Somebody else has logged in."); // until then nothing here is said in their name
    }
    this.#token = { access, since };
    return access;
  }
}

/** @param {string} path @param {RequestInit} options */
async function reach(path, options) {
  try {
    return await fetch(path, { ...options, signal: options.signal ?? AbortSignal.timeout(30_000) });
  } catch (error) {
    throw new Unreachable("The connection was lost.", { cause: error });
  }
}

/** @param {Response} answer */
async function problem(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body);
}

/** @param {string} name */
function cookie(name) {
  const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
}

/** Whose token it is. @param {string} token */
function subject(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(atob(payload)).sub;
}
