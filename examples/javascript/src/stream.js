// @ts-check
/**
 * A subscription that holds on: it reads server-sent events by `fetch`, so that the token travels in a header and
 * never in a URL, and resumes after the last event it saw whenever the connection breaks or falls silent.
 */
import { Alarm, backoff } from "./backoff.js";
import { ServiceError } from "./errors.js";
import { Parser } from "./sse.js";

/** @typedef {import("./sse.js").Message} Message */

/**
 * @typedef {object} Listener
 * @property {(message: Message) => void} onMessage
 * @property {(error: ServiceError) => void} onLost not connected (any more); tried again when `error.isTransient`
 */

export class Stream {
  #service;
  #path;
  #listener;
  #retry;
  #silenceMs;
  #alarm = new Alarm();
  #closing = new AbortController();
  #lastId = "";

  /**
   * Runs from construction until `close`.
   *
   * @param {import("./service.js").Service} service
   * @param {string} path
   * @param {Listener} listener
   * @param {{ retry: import("./types.js").Retry, silenceMs: number }} options `silenceMs`: nothing heard, not even a
   *   heartbeat, for so long means that the connection is gone
   */
  constructor(service, path, listener, { retry, silenceMs }) {
    this.#service = service;
    this.#path = path;
    this.#listener = listener;
    this.#retry = retry;
    this.#silenceMs = silenceMs;
    void this.#run();
  }

  /** Try now if waiting for the next try. */
  hurry() {
    this.#alarm.ring();
  }

  close() {
    this.#closing.abort();
    this.#alarm.ring();
  }

  async #run() {
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const parser = new Parser(this.#lastId);
      const lost = await this.#read(parser, () => (attempt = 1));
      if (this.#closing.signal.aborted) return;
      this.#listener.onLost(lost);
      if (!lost.isTransient && lost.status !== 404) return;
      // A call that is not known yet may be a moment later: its webhook is on its way.
      const asked = Math.max(lost.retryAfterMs, parser.retryMs ?? 0);
      await this.#alarm.sleep(Math.max(asked, backoff(attempt, this.#retry)));
    }
  }

  /**
   * One connection, from its start to its end; says why it ended.
   *
   * @param {Parser} parser
   * @param {() => void} onAlive
   */
  async #read(parser, onAlive) {
    const silence = new AbortController();
    const listen = () => setTimeout(() => silence.abort(), this.#silenceMs);
    let timer = listen();
    try {
      const answer = await this.#service.open(this.#path, {
        signal: AbortSignal.any([this.#closing.signal, silence.signal]),
        headers: { Accept: "text/event-stream", ...(this.#lastId ? { "Last-Event-ID": this.#lastId } : {}) },
      });
      const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
      const decoder = new TextDecoder();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(timer);
        timer = listen();
        onAlive();
        for (const message of parser.feed(decoder.decode(piece.value, { stream: true }))) {
          if (this.#closing.signal.aborted) break;
          this.#listener.onMessage(message);
        }
        this.#lastId = parser.lastId;
      }
      return new ServiceError("unreachable", "The stream ended");
    } catch (error) {
      if (error instanceof ServiceError) return error;
      return new ServiceError("unreachable", "The stream broke off", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
