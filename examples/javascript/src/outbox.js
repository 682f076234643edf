// @ts-check
/**
 * Events on their way to the service. Those of one call are sent one at a time, in the order they were reported;
 * an event is sent until the service has answered for it. As it keeps its `event_id` throughout, and across a reload
 * of the page, the service counts it once however often it arrives.
 */
import { Alarm, backoff } from "./backoff.js";
import { ServiceError } from "./errors.js";

const KEY = "orchestrator-outbox";

/** @typedef {import("./types.js").Waiting} Waiting */
/** @typedef {{ resolve: (call: any) => void, reject: (error: unknown) => void }} Promised */

export class Outbox {
  #send;
  #storage;
  #retry;
  #onChange;
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {Map<string, Promised>} those who wait for an event's answer, by its id */
  #promised = new Map();
  /** @type {Set<string>} calls whose events are being sent */
  #busy = new Set();
  #alarm = new Alarm();
  #isClosed = false;

  /**
   * @param {object} options
   * @param {(waiting: Waiting) => Promise<any>} options.send one attempt; a transient `ServiceError` is tried again
   * @param {Storage | null} options.storage
   * @param {import("./types.js").Retry} options.retry
   * @param {(callSid: string, error: ServiceError | null) => void} options.onChange
   */
  constructor({ send, storage, retry, onChange }) {
    this.#send = send;
    this.#storage = storage;
    this.#retry = retry;
    this.#onChange = onChange;
    this.#waiting = this.#kept();
    queueMicrotask(() => {
      for (const callSid of new Set(this.#waiting.map((each) => each.callSid))) void this.#deliver(callSid);
    });
  }

  /**
   * What waits to be sent for a call, oldest first.
   *
   * @param {string} callSid
   */
  of(callSid) {
    return this.#waiting.filter((each) => each.callSid === callSid);
  }

  /**
   * Send an event after all that were reported before it. The call as the service then has it; throws a
   * `ServiceError` when the service refuses the event or it has waited too long.
   *
   * @param {Waiting} waiting
   * @returns {Promise<any>}
   */
  add(waiting) {
    if (this.#isClosed) return Promise.reject(new ServiceError("closed", "The client was closed"));
    const answered = new Promise((resolve, reject) => {
      this.#promised.set(waiting.event.event_id, { resolve, reject });
    });
    this.#change([...this.#waiting, waiting], waiting.callSid, null);
    void this.#deliver(waiting.callSid);
    return answered;
  }

  /** Try now what waits for its next try. */
  hurry() {
    this.#alarm.ring();
  }

  /** Send no more. What waits stays in the storage for the next page. */
  close() {
    this.#isClosed = true;
    for (const { reject } of this.#promised.values()) reject(new ServiceError("closed", "The client was closed"));
    this.#promised.clear();
    this.#alarm.ring();
  }

  /** @param {string} callSid */
  async #deliver(callSid) {
    if (this.#busy.has(callSid)) return;
    this.#busy.add(callSid);
    for (let attempt = 1, next = this.of(callSid)[0]; next !== undefined && !this.#isClosed; next = this.of(callSid)[0]) {
      try {
        const call = await this.#attempt(next);
        if (this.#isClosed) break;
        this.#settle(next, null, call);
        attempt = 1;
      } catch (error) {
        const trouble = error instanceof ServiceError ? error : new ServiceError("unreachable", String(error));
        if (this.#isClosed) break;
        if (trouble.isTransient) {
          this.#onChange(callSid, trouble);
          await this.#alarm.sleep(Math.max(trouble.retryAfterMs, backoff(attempt++, this.#retry)));
        } else {
          this.#settle(next, trouble, null);
          attempt = 1;
        }
      }
    }
    this.#busy.delete(callSid);
  }

  /** @param {Waiting} waiting */
  async #attempt(waiting) {
    if (Date.now() > waiting.until) throw new ServiceError("expired", `${waiting.event.type} was not sent in time`);
    return await this.#send(waiting);
  }

  /**
   * @param {Waiting} done
   * @param {ServiceError | null} trouble
   * @param {any} call
   */
  #settle(done, trouble, call) {
    const promised = this.#promised.get(done.event.event_id);
    this.#promised.delete(done.event.event_id);
    const left = this.#waiting.filter((each) => each.event.event_id !== done.event.event_id);
    this.#change(left, done.callSid, trouble);
    if (trouble === null) promised?.resolve(call);
    else promised?.reject(trouble);
  }

  /**
   * @param {Waiting[]} waiting
   * @param {string} callSid
   * @param {ServiceError | null} trouble
   */
  #change(waiting, callSid, trouble) {
    this.#waiting = waiting;
    try {
      if (waiting.length > 0) this.#storage?.setItem(KEY, JSON.stringify(waiting));
      else this.#storage?.removeItem(KEY);
    } catch {
      // a full or forbidden storage: events still go out, they only do not outlive the page
    }
    this.#onChange(callSid, trouble);
  }

  /** @returns {Waiting[]} */
  #kept() {
    try {
      const kept = JSON.parse(this.#storage?.getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept.filter((each) => each?.callSid && each.event?.event_id) : [];
    } catch {
      return [];
    }
  }
}
