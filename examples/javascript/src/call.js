// @ts-check
/** One call as the desktop sees and steers it. What it shows is what the service has confirmed, nothing else. */
import { ServiceError } from "./errors.js";
import { Stream } from "./stream.js";

/**
 * @typedef {import("./types.js").Call} Call
 * @typedef {import("./types.js").View} View
 * @typedef {import("./types.js").DesktopEvent} DesktopEvent
 */

/**
 * @typedef {object} Means what a call is given by its `Desktop`
 * @property {import("./service.js").Service} service
 * @property {import("./types.js").Retry} retry
 * @property {number} silenceMs
 * @property {(callSid: string, type: DesktopEvent["type"], more?: object) => Promise<Call>} report
 * @property {() => void} onLive the service is being heard (again)
 */

export class DesktopCall {
  #means;
  /** @type {View} */
  #view;
  /** @type {Set<(view: View) => void>} */
  #listeners = new Set();
  /** @type {Stream | null} */
  #stream = null;
  #isTelling = false;

  /**
   * Made by `Desktop.call`.
   *
   * @param {string} callSid
   * @param {Means} means
   * @param {readonly DesktopEvent[]} waiting
   */
  constructor(callSid, means, waiting) {
    this.#means = means;
    this.#view = Object.freeze({
      callSid,
      call: null,
      connection: "closed",
      waiting,
      utterances: [],
      trouble: null,
    });
  }

  /** What is known now; a new object after every change. */
  get view() {
    return this.#view;
  }

  /**
   * Be told of the view, at once and after every change (once for those that come together), until the returned function
   * is called. The call is followed while anybody listens.
   *
   * @param {(view: View) => void} listener
   * @returns {() => void}
   */
  subscribe(listener) {
    if (this.#stream === null) this.#follow();
    this.#listeners.add(listener);
    listener(this.#view);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  /**
   * The view as soon as it fulfils a condition. Throws a `ServiceError` `timeout` when it does not in time.
   *
   * @param {(view: View) => boolean} condition
   * @param {number} [withinMs]
   * @returns {Promise<View>}
   */
  until(condition, withinMs = 5000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        unsubscribe();
        reject(new ServiceError("timeout", `Not within ${withinMs} ms`));
      }, withinMs);
      const unsubscribe = this.subscribe((view) => {
        if (!condition(view)) return;
        clearTimeout(timer);
        queueMicrotask(() => unsubscribe());
        resolve(view);
      });
    });
  }

  // Reports and commands. Each resolves to the call once the service has stored it, which is not yet the effect: the
  // effect is what `subscribe` and `until` show. Each rejects with a `ServiceError` if the service refuses it.

  /** The customer was put on hold, by whatever the desktop steers its calls with. */
  hold = () => this.#report("hold");

  unhold = () => this.#report("unhold");

  /** @param {string} [reason] such as `payment`; reasons stand side by side until each is resumed */
  pause = (reason = "manual") => this.#report("pause", { reason });

  /** @param {string} [reason] */
  resume = (reason = "manual") => this.#report("resume", { reason });

  consentGiven = () => this.#report("consent-given");

  consentWithdrawn = () => this.#report("consent-withdrawn");

  /**
   * @param {string} agentId
   * @param {string} [leg] the Call SID of the agent's leg, where it is known
   */
  agentConnected = (agentId, leg) =>
    this.#report("agent-connected", { agent_id: agentId, ...(leg ? { agent_leg: leg } : {}) });

  /** @param {string} agentId */
  agentDisconnected = (agentId) => this.#report("agent-disconnected", { agent_id: agentId });

  callEnded = () => this.#report("call-ended");

  /** Transcription goes off, then the customer goes to the survey. Not sent later than ten seconds from now. */
  surveyTransfer = () => this.#report("survey-transfer");

  /** Try again what was given up. Not sent later than ten seconds from now. */
  retry = () => this.#report("retry");

  /**
   * @param {DesktopEvent["type"]} type
   * @param {object} [more]
   */
  async #report(type, more) {
    const call = await this.#means.report(this.#view.callSid, type, more);
    this.#confirmed(call);
    return call;
  }

  /** Used by `Desktop`: the events that wait changed, or one met trouble. */
  waits(/** @type {readonly DesktopEvent[]} */ waiting, /** @type {ServiceError | null} */ trouble) {
    this.#change({ waiting, trouble });
  }

  /** Used by `Desktop`: the network is back. */
  hurry() {
    this.#stream?.hurry();
  }

  /** Follow the call no longer. Events that wait are sent all the same. */
  close() {
    this.#listeners.clear();
    this.#stream?.close();
    this.#stream = null;
    this.#change({ connection: "closed" });
  }

  #follow() {
    this.#change({ connection: "connecting" });
    const listener = {
      onMessage: (/** @type {import("./sse.js").Message} */ message) => this.#heard(message),
      onLost: (/** @type {ServiceError} */ error) => {
        const connection = error.isTransient || error.status === 404 ? "offline" : "refused";
        this.#change({ connection, trouble: error });
      },
    };
    this.#stream = new Stream(this.#means.service, `/calls/${this.#view.callSid}/stream`, listener, this.#means);
  }

  /** @param {import("./sse.js").Message} message */
  #heard({ event, data }) {
    const told = JSON.parse(data);
    switch (event) {
      case "reset": // our place is lost; the present follows
        return this.#change({ call: null, utterances: [] });
      case "call":
        // After a connection the first word counts, whatever its version: an emptied store begins to count anew.
        return this.#view.connection === "live" ? this.#confirmed(told) : this.#change({ call: told });
      case "utterance":
        return this.#change({ utterances: withUtterance(this.#view.utterances, told) });
      case "gone": // erased
        return this.#change({ call: null, utterances: [] });
      case "ready":
        this.#change({ connection: "live", trouble: null });
        return this.#means.onLive();
    }
  }

  /**
   * The service's word, unless a newer one is known.
   *
   * @param {Call} call
   */
  #confirmed(call) {
    if (this.#view.call === null || call.version >= this.#view.call.version) this.#change({ call });
  }

  /**
   * Changes that arrive together are told once: a long call's transcript so far is one piece of news.
   *
   * @param {Partial<View>} changes
   */
  #change(changes) {
    this.#view = Object.freeze({ ...this.#view, ...changes });
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of [...this.#listeners]) listener(this.#view);
    });
  }
}

/**
 * In spoken order, each once: after a reconnection some are told again.
 *
 * @param {readonly import("./types.js").Utterance[]} utterances
 * @param {import("./types.js").Utterance} added
 */
function withUtterance(utterances, added) {
  const key = (/** @type {import("./types.js").Utterance} */ each) => `${each.role} ${each.start} ${each.text}`;
  if (utterances.some((each) => key(each) === key(added))) return utterances;
  const at = utterances.findLastIndex((each) => each.start <= added.start) + 1;
  return [...utterances.slice(0, at), added, ...utterances.slice(at)];
}
