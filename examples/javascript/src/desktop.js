// @ts-check
/** The client: one per page. See README.md for an example. */
import { DesktopCall } from "./call.js";
import { Outbox } from "./outbox.js";
import { Service } from "./service.js";

/**
 * @typedef {import("./types.js").DesktopEvent} DesktopEvent
 * @typedef {import("./types.js").Waiting} Waiting
 */

const RETRY = { firstMs: 250, mostMs: 15_000 };
const SILENCE_MS = 30_000;
const FACT_KEPT_MS = 15 * 60_000;
const COMMAND_KEPT_MS = 10_000;
const COMMANDS = new Set(["survey-transfer", "retry"]);
const CALL_SID = /^CA[0-9a-f]{32}$/;

export class Desktop {
  #options;
  #means;
  #outbox;
  /** @type {Map<string, Service>} */
  #services = new Map();
  /** @type {Map<string, DesktopCall>} */
  #calls = new Map();
  #lastSequence = 0;
  #hurry = () => this.hurry();

  /** @param {import("./types.js").Options} options */
  constructor(options) {
    const retry = options.retry ?? RETRY;
    this.#options = options;
    this.#means = {
      retry,
      silenceMs: options.silenceMs ?? SILENCE_MS,
      report: (/** @type {string} */ callSid, /** @type {DesktopEvent["type"]} */ type, /** @type {object} */ more = {}) =>
        this.#report(callSid, type, more),
      onLive: () => this.#outbox.hurry(),
    };
    this.#outbox = new Outbox({
      send: ({ callSid, event }) => this.#service(callSid).json(`/calls/${callSid}/events`, event),
      storage: options.storage === undefined ? sessionStorageIfAny() : options.storage,
      retry,
      onChange: (callSid, trouble) => this.#calls.get(callSid)?.waits(this.#waiting(callSid), trouble),
    });
    globalThis.addEventListener?.("online", this.#hurry);
  }

  /**
   * The call of this SID (of the customer's leg, or of any other that the service knows); always the same object.
   *
   * @param {string} callSid
   * @returns {DesktopCall}
   */
  call(callSid) {
    if (!CALL_SID.test(callSid)) throw new TypeError("not a Call SID");
    let call = this.#calls.get(callSid);
    if (call === undefined) {
      call = new DesktopCall(callSid, { ...this.#means, service: this.#service(callSid) }, this.#waiting(callSid));
      this.#calls.set(callSid, call);
    }
    return call;
  }

  /** Try at once whatever waits for its next try. Called by itself when the browser is online again. */
  hurry() {
    this.#outbox.hurry();
    for (const call of this.#calls.values()) call.hurry();
  }

  /** Follow and send no more. Events that wait stay in the storage, for the next page. */
  close() {
    globalThis.removeEventListener?.("online", this.#hurry);
    this.#outbox.close();
    for (const call of this.#calls.values()) call.close();
    this.#calls.clear();
  }

  /**
   * Each call has a token of its own, which need not open any other.
   *
   * @param {string} callSid
   */
  #service(callSid) {
    let service = this.#services.get(callSid);
    if (service === undefined) {
      service = new Service({ ...this.#options, getToken: () => this.#options.getToken(callSid) });
      this.#services.set(callSid, service);
    }
    return service;
  }

  /** @param {string} callSid */
  #waiting(callSid) {
    return this.#outbox.of(callSid).map((each) => each.event);
  }

  /**
   * @param {string} callSid
   * @param {DesktopEvent["type"]} type
   * @param {object} more
   */
  #report(callSid, type, more) {
    const now = Date.now();
    // Rises with every event of this desktop, across a reload too, without anything to remember.
    this.#lastSequence = Math.max(this.#lastSequence + 1, now);
    /** @type {Waiting} */
    const waiting = {
      callSid,
      event: {
        type,
        event_id: crypto.randomUUID(),
        sequence: this.#lastSequence,
        occurred_at: new Date(now).toISOString(),
        ...more,
      },
      until: now + (COMMANDS.has(type) ? COMMAND_KEPT_MS : FACT_KEPT_MS),
    };
    return this.#outbox.add(waiting);
  }
}

function sessionStorageIfAny() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null; // forbidden by the browser's settings
  }
}
