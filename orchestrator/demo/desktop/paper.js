// @ts-check
/** What stands on the demo's page. It draws what it is given and decides nothing. */
import { isOnHold, isPausedFor, isWaiting, transcriptionOf } from "./client/index.js";

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

/** Sounds by their names in the emulator, and those that may be transcribed. @type {[string, string, boolean][]} */
const SOUNDS = [
  ["customer-speech", "Customer", true],
  ["agent-speech", "You", true],
  ["hold-music", "Hold music", false],
  ["held-customer", "Customer on hold", false],
  ["payment", "Card number", false],
  ["survey", "Survey", false],
];

/** @typedef {{ after: number, order: number, role: string, text: string }} Line `after`: so many segments had begun */

export class Paper {
  #document;
  /** @type {Line[]} */
  #marks = [];
  #lastMark = "";
  /** @type {Map<string, HTMLElement>} */
  #drawn = new Map();

  /** @param {Document} document */
  constructor(document) {
    this.#document = document;
  }

  /** @param {string} id */
  #element(id) {
    return /** @type {HTMLElement} */ (this.#document.getElementById(id));
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
    this.#marks = [];
    this.#lastMark = "";
    this.#drawn.clear();
    this.#element("words").replaceChildren();
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
    this.#words(view);
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
    this.#mark(tone, why, view);
  }

  /** @param {View} view */
  #buttons(view) {
    const isOver = view.call?.state === "ended";
    const isTalking = isAnswered(view) && !isOver && view.call?.state !== "survey";
    const focused = this.#document.activeElement;
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
    const first = /** @type {HTMLElement | null} */ (this.#document.querySelector(".buttons button:not([hidden])"));
    first?.focus();
  }

  /** @param {string} id @param {boolean} isPressed @param {string} off @param {string} on */
  #toggle(id, isPressed, off, on) {
    this.button(id).setAttribute("aria-pressed", String(isPressed));
    this.#write(id, isPressed ? on : off);
  }

  /**
   * A line in the transcript where transcription went off or on again.
   *
   * @param {string} tone
   * @param {string} why
   * @param {View} view
   */
  #mark(tone, why, view) {
    const text = tone === "off" && why ? `Transcription off: ${why}` : tone === "on" ? "on" : this.#lastMark;
    if (text === this.#lastMark || view.call === null) return;
    const shown = text === "on" ? "Transcription on again" : text;
    const after = view.call.segments.length - (text === "on" ? 1 : 0);
    if (after > 0) this.#marks.push({ after, order: this.#marks.length, role: "mark", text: shown });
    this.#lastMark = text;
  }

  /**
   * Words in the order they came, each in its stretch of transcription: the last of a stretch come a little after it.
   *
   * @param {View} view
   */
  #words(view) {
    let after = 1;
    const said = view.utterances.map(({ segment, role, text }, order) => {
      after = segment === null ? after : segment + 1;
      return { after, order, role, text };
    });
    const rank = (/** @type {Line} */ line) => line.after + (line.role === "mark" ? 0.5 : 0);
    const lines = [...said, ...this.#marks].sort((a, b) => rank(a) - rank(b) || a.order - b.order);
    const list = this.#element("words");
    const before = this.#drawn.size;
    for (const [place, line] of lines.entries()) {
      const key = JSON.stringify([line.after, line.role, line.text, line.order]);
      const item = this.#drawn.get(key) ?? this.#line(line);
      this.#drawn.set(key, item);
      if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
    }
    if (this.#drawn.size > before) this.#element("log").scrollTop = list.scrollHeight;
    this.#element("no-words").hidden = lines.length > 0;
  }

  /** @param {{ role: string, text: string }} line */
  #line({ role, text }) {
    const item = this.#document.createElement("li");
    item.className = role;
    if (role !== "mark") {
      const who = this.#document.createElement("b");
      who.textContent = role === "agent" ? "You" : "Customer";
      item.append(who);
    }
    item.append(text);
    return item;
  }

  /** @param {{ received_ms: Record<string, number>, heard_ms: Record<string, number> }} counted */
  heard({ received_ms: received, heard_ms: heard }) {
    const rows = SOUNDS.map(([kind, name, isWanted]) => {
      const row = this.#document.createElement("tr");
      const title = this.#document.createElement("th");
      title.scope = "row";
      title.textContent = name;
      const transcribed = this.#cell(heard[kind] ?? 0);
      if (!isWanted && (heard[kind] ?? 0) > 0) transcribed.className = "leak";
      row.append(title, transcribed, this.#cell((received[kind] ?? 0) - (heard[kind] ?? 0)));
      return row;
    });
    this.#element("sounds").replaceChildren(...rows);
  }

  /** @param {number} ms */
  #cell(ms) {
    const cell = this.#document.createElement("td");
    cell.textContent = ms === 0 ? "–" : `${(ms / 1000).toFixed(ms < 100 ? 2 : 1)} s`;
    return cell;
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
