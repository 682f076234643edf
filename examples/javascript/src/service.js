// @ts-check
/** Requests to the service: one attempt each, with a time limit and a bearer token that is renewed when due. */
import { ServiceError, problemOf } from "./errors.js";

const RENEWED_AHEAD_MS = 30_000;

export class Service {
  #base;
  #getToken;
  #fetch;
  #timeoutMs;
  /** @type {{ text: string, until: number } | null} */
  #token = null;
  /** @type {Promise<{ text: string, until: number }> | null} */
  #asking = null;

  /** @param {Omit<import("./types.js").Options, "getToken"> & { getToken: () => import("./types.js").Given }} options */
  constructor({ baseUrl, getToken, fetch = globalThis.fetch, timeoutMs = 8000 }) {
    this.#base = `${baseUrl.replace(/\/+$/, "")}/api/v1`;
    this.#getToken = getToken;
    this.#fetch = fetch.bind(globalThis);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The JSON of a successful answer. Throws a `ServiceError` for everything else.
   *
   * @param {string} path
   * @param {unknown} [body] posted when given
   * @returns {Promise<any>}
   */
  async json(path, body) {
    const limit = AbortSignal.timeout(this.#timeoutMs);
    const answer = await this.open(path, {
      signal: limit,
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    });
    try {
      return await answer.json();
    } catch (cause) {
      throw new ServiceError("unreachable", "The answer broke off", { cause });
    }
  }

  /**
   * A successful answer, its body still to be read. A token that is refused is asked for anew, once.
   *
   * @param {string} path
   * @param {RequestInit} init
   */
  async open(path, init) {
    const first = await this.#bearer();
    let answer = await this.#send(path, init, first.text);
    if (answer.status === 401) {
      if (this.#token === first) this.#token = null;
      answer = await this.#send(path, init, (await this.#bearer()).text);
    }
    if (!answer.ok) throw await problemOf(answer);
    return answer;
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @param {string} token
   */
  async #send(path, init, token) {
    const headers = { ...init.headers, Authorization: `Bearer ${token}` };
    try {
      return await this.#fetch(`${this.#base}${path}`, { cache: "no-store", credentials: "omit", ...init, headers });
    } catch (cause) {
      throw new ServiceError("unreachable", "The service cannot be reached", { cause });
    }
  }

  /** The token at hand, or a new one; all who need one at a time wait for the same. */
  async #bearer() {
    if (this.#token !== null && Date.now() < this.#token.until) return this.#token;
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    this.#token = await this.#asking;
    return this.#token;
  }

  async #ask() {
    try {
      const given = await this.#getToken();
      if (typeof given === "string") return { text: given, until: Infinity };
      const until = given.expires_at === undefined ? Infinity : Date.parse(given.expires_at) - RENEWED_AHEAD_MS;
      return { text: given.token, until };
    } catch (cause) {
      throw new ServiceError("no-token", "No token could be had", { cause });
    }
  }
}
