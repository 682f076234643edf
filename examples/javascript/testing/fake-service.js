// @ts-check
/**
 * A small stand-in for the service on a loopback port: it counts events by `event_id`, keeps one call, tells it by
 * server-sent events with resume, and can be told to fail. The real service is tried by the project's own tests.
 */
import { createServer } from "node:http";

export const SID = `CA${"1".repeat(32)}`;
export const TOKEN = "fake-token";

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Answer */

export class FakeService {
  /** @type {any} */
  call = {
    call_sid: SID,
    state: "transcribing",
    transcription: { state: "on", agent_id: "amy", since: "2026-01-01T00:00:00.000Z" },
    pauses: [],
    version: 1,
  };
  /** @type {any[]} every event that arrived, repetitions included */
  arrived = [];
  /** @type {any[]} every event that had an effect */
  counted = [];
  /** @type {string[]} the `Last-Event-ID` of each subscription */
  resumed = [];
  /** @type {Set<string>} */
  tokens = new Set([TOKEN]);
  /** @type {((request: Request, answer: Answer) => boolean)[]} each meets one request; true when it answered it */
  faults = [];
  isTelling = true;
  /** Whether nobody's place is known any more. */
  isForgetful = false;

  #seen = new Set();
  /** @type {{ id: number, event: string, data: any }[]} */
  #told = [];
  /** @type {Set<Answer>} */
  #streams = new Set();
  #server = createServer((request, answer) => void this.#answer(request, answer));

  async start() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(undefined)));
    const address = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    this.url = `http://127.0.0.1:${address.port}`;
    return this;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** How many subscriptions are open. */
  get listening() {
    return this.#streams.size;
  }

  /** A sign of life, which moves the place on. */
  beat() {
    for (const stream of this.#streams) stream.write(`: heartbeat\nid: ${this.#told.length}\n\n`);
  }

  /** Break every open subscription. */
  cut() {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
  }

  /**
   * Something happened to the call.
   *
   * @param {object} changes
   */
  change(changes) {
    this.call = { ...this.call, ...changes, version: this.call.version + 1 };
    this.tell("call", this.call);
  }

  /**
   * @param {string} event
   * @param {any} data
   */
  tell(event, data) {
    const told = { id: this.#told.length + 1, event, data };
    this.#told.push(told);
    if (this.isTelling) for (const stream of this.#streams) write(stream, told);
  }

  /**
   * @param {Request} request
   * @param {Answer} answer
   */
  async #answer(request, answer) {
    let text = "";
    for await (const piece of request) text += piece;
    if (this.faults.shift()?.(request, answer)) return;
    if (!this.tokens.has((request.headers.authorization ?? "").replace("Bearer ", ""))) {
      refuse(answer, 401, "unauthorized");
    } else if (request.method === "GET" && request.url === `/api/v1/calls/${SID}/stream`) {
      this.#subscribe(request, answer);
    } else if (request.method === "POST" && request.url === `/api/v1/calls/${SID}/events`) {
      this.#report(JSON.parse(text));
      answer.writeHead(202, { "Content-Type": "application/json" }).end(JSON.stringify(this.call));
    } else {
      refuse(answer, 404, "no-such-call");
    }
  }

  /** @param {any} event */
  #report(event) {
    this.arrived.push(event);
    if (this.#seen.has(event.event_id)) return;
    this.#seen.add(event.event_id);
    this.counted.push(event);
  }

  /**
   * @param {Request} request
   * @param {Answer} answer
   */
  #subscribe(request, answer) {
    const after = request.headers["last-event-id"] ?? "";
    this.resumed.push(String(after));
    answer.writeHead(200, { "Content-Type": "text/event-stream" });
    this.#streams.add(answer);
    answer.on("close", () => this.#streams.delete(answer));
    answer.write("retry: 5\n\n");
    const missed = this.#told.slice(Number(after));
    if (after === "" || this.isForgetful) {
      if (after !== "") answer.write('event: reset\ndata: {"reason":"place-lost"}\n\n');
      write(answer, { event: "call", data: this.call });
      for (const told of this.#told.filter((each) => each.event === "utterance")) write(answer, told);
    } else for (const told of missed) write(answer, told);
    write(answer, { id: this.#told.length, event: "ready", data: {} });
  }
}

/**
 * @param {Answer} stream
 * @param {{ id?: number, event: string, data: any }} told
 */
function write(stream, { id, event, data }) {
  stream.write(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
}

/**
 * @param {Answer} answer
 * @param {number} status
 * @param {string} type
 */
export function refuse(answer, status, type) {
  answer.writeHead(status, { "Content-Type": "application/problem+json" });
  answer.end(JSON.stringify({ type, title: type, status }));
  return true;
}

/**
 * Wait until something is so; fails saying what was waited for.
 *
 * @param {() => boolean} condition
 * @param {string} what
 */
export async function eventually(condition, what) {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A `Storage` that outlives a client, as a browser's does. */
export class MemoryStorage {
  /** @type {Map<string, string>} */
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  clear = () => this.#items.clear();
  key = (/** @type {number} */ index) => [...this.#items.keys()][index] ?? null;
  getItem = (/** @type {string} */ name) => this.#items.get(name) ?? null;
  setItem = (/** @type {string} */ name, /** @type {string} */ value) => void this.#items.set(name, value);
  removeItem = (/** @type {string} */ name) => void this.#items.delete(name);
}
