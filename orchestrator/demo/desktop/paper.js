// @ts-check
/** What stands on the demo's page. It draws what it is given and decides nothing. */
import { isOnHold, isPausedFor, isWaiting, transcriptionOf } from "./client/index.js";
import { rowsOf } from "./sounds.js";
import { Words } from "./words.js";

/** @typedef {import("../../../examples/javascript/src/types.js").View} View */

/** @type {Record<string, string>} */
const REASONS = {
  hold: "customer on hold",
  "hold:desktop": "customer on hold",
  payment: "payment",
  manual: "paused by hand",
  consent: "no consent",
};

/** @type {Record<string, string>} */
const TEXTS = {
  on: "Transcription on",
  off: "Transcription off",
  starting: "Transcription starting",
  stopping: "Still transcribing",
  unknown: "Transcription unknown",
};

/** @type {Record<string, string>} */
const STATES = {
  waiting: "Nobody to transcribe yet.",
  starting: "Starting.",
  transcribing: "Every word of you and the customer is transcribed.",
  pausing: "Being stopped; still heard until ASAPP confirms.",
  paused: "Nothing is transcribed.",
  interrupted: "It should be on and is not; the service is putting it right.",
  survey: "The customer is in the survey.",
  "not-transcribed": "Calls of this number are not transcribed.",
  ended: "The call has ended.",
};

export class Paper {
  #words = new Words(this.#element("log"), this.#element("words"), this.#element("no-words"));

  /** @param {string} id */
  #element(id) {
    return /** @type {HTMLElement} */ (document.getElementById(id));
  }

  /** @param {string} id */
  button(id) {
    return /** @type {HTMLButtonElement} */ (this.#element(id));
  }

  /** @param {string} id @param {string} text */
  #write(id, text) {
    const element = this.#element(id);
    if (element.textContent !== text) element.textContent = text; // what has not changed is not read out again
  }

  /**
   * A call rings.
   *
   * @param {string} customer
   */
  begin(customer) {
    this.#words.begin();
    this.#write("who", `Customer ${customer}`);
    this.heard({ received_ms: {}, heard_ms: {} });
  }

  /** @param {string} text */
  trouble(text) {
    this.#write("trouble", text);
    this.#element("trouble").hidden = text === "";
  }

  /**
   * Whether a button's press is being told. It stays where it is and keeps the focus.
   *
   * @param {string} id
   * @param {boolean} isBusy
   */
  busy(id, isBusy) {
    this.button(id).setAttribute("aria-busy", String(isBusy));
  }

  /** @param {View} view */
  show(view) {
    const { call, connection } = view;
    const isOver = call?.state === "ended";
    this.#badge(view);
    this.#buttons(view);
    this.#write("connection", connection === "live" ? "Connected to the service" : `Service: ${connection}`);
    this.#write("phone", isOver ? "Call ended" : isAnswered(view) ? phoneOf(view) : "Ringing");
    this.#words.show(view);
  }

  /** @param {View} view */
  #badge(view) {
    const tone = transcriptionOf(view);
    const isBefore = !isAnswered(view) && (view.call === null || tone === "off");
    const text = tone === "changing" ? view.call?.transcription.state : tone;
    this.#element("badge").dataset.tone = isBefore ? "none" : tone;
    this.#write("badge-text", isBefore ? "Not transcribed" : (TEXTS[text ?? ""] ?? ""));
    const reasons = (view.call?.pauses ?? []).map((pause) => REASONS[pause.reason] ?? pause.reason);
    const why = [...new Set(reasons)].join(", ");
    const waiting = isWaiting(view, "hold", "pause") ? "Reported, not confirmed yet. " : "";
    const state = view.connection === "live" ? (STATES[view.call?.state ?? ""] ?? "") : "";
    const problem = view.call?.problem ? ` Problem: ${view.call.problem.id}.` : "";
    this.#write("detail", `${waiting}${why ? `${sentence(why)}. ` : ""}${state}${problem}`);
    if (tone === "on" || (tone === "off" && why)) this.#words.mark(view, tone, why);
  }

  /** @param {View} view */
  #buttons(view) {
    const isOver = view.call?.state === "ended";
    const isTalking = isAnswered(view) && !isOver && view.call?.state !== "survey";
    const focused = document.activeElement;
    this.button("ring").hidden = !isOver;
    this.#write("ring", "Let another customer call");
    this.button("answer").hidden = isOver || isAnswered(view);
    for (const id of ["hold", "payment", "survey", "card-line"]) this.#element(id).hidden = !isTalking;
    this.button("hangup").hidden = isOver;
    this.#toggle("hold", isOnHold(view), "Hold", "Unhold");
    this.#toggle("payment", isPausedFor(view, "payment"), "Pause for payment", "Resume after payment");
    if (focused instanceof HTMLElement && focused.closest("[hidden]")) this.#focusFirst();
  }

  /** Who works by keyboard is not thrown back to the top of the page by a button that goes away. */
  #focusFirst() {
    const first = /** @type {HTMLElement | null} */ (document.querySelector(".buttons button:not([hidden])"));
    first?.focus();
  }

  /** @param {string} id @param {boolean} isPressed @param {string} off @param {string} on */
  #toggle(id, isPressed, off, on) {
    this.button(id).setAttribute("aria-pressed", String(isPressed));
    this.#write(id, isPressed ? on : off);
  }

  /** @param {Parameters<typeof rowsOf>[0]} counted */
  heard(counted) {
    this.#element("sounds").replaceChildren(...rowsOf(counted));
  }
}

/** @param {View} view the agent is there by the service's word */
const isAnswered = (view) => view.call !== null && (view.call.agent !== null || view.call.segments.length > 0);

/** @param {View} view */
function phoneOf(view) {
  return isOnHold(view) ? "Customer on hold" : view.call?.state === "survey" ? "In the survey" : "Connected";
}

/** @param {string} text */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
