// @ts-check
/** The transcript on the demo's page, with a line wherever transcription went off or on again. */

/** @typedef {import("../../../examples/javascript/src/types.js").View} View */

/**
 * @typedef {object} Line
 * @property {string} key
 * @property {number} after the place: so many stretches of transcription had begun; a mark stands behind its stretch
 * @property {string} role `customer`, `agent` or `mark`
 * @property {string} text
 */

export class Words {
  #log;
  #list;
  #empty;
  /** @type {Line[]} */
  #marks = [];
  #lastMark = "";
  /** @type {Map<string, HTMLElement>} */
  #drawn = new Map();

  /** @param {HTMLElement} log that scrolls @param {HTMLElement} list @param {HTMLElement} empty shown without words */
  constructor(log, list, empty) {
    this.#log = log;
    this.#list = list;
    this.#empty = empty;
  }

  /** Of another call. */
  begin() {
    this.#marks = [];
    this.#lastMark = "";
    this.#drawn.clear();
    this.#list.replaceChildren();
  }

  /**
   * Transcription is off for this reason, or on.
   *
   * @param {View} view
   * @param {"on" | "off"} state
   * @param {string} why
   */
  mark(view, state, why) {
    const text = state === "on" ? "Transcription on again" : `Transcription off: ${why}`;
    if (text === this.#lastMark || view.call === null) return;
    this.#lastMark = text;
    const after = view.call.segments.length - (state === "on" ? 1 : 0);
    if (after > 0) this.#marks.push({ key: `mark ${this.#marks.length}`, after: after + 0.5, role: "mark", text });
  }

  /**
   * Words in spoken order, each in its stretch of transcription: the last of a stretch come a little after its end.
   * What stands there already stays, so that only what is new is read out.
   *
   * @param {View} view
   */
  show(view) {
    const lines = [...said(view), ...this.#marks].sort((a, b) => a.after - b.after);
    const before = this.#drawn.size;
    for (const [place, line] of lines.entries()) {
      const item = this.#drawn.get(line.key) ?? itemOf(line);
      this.#drawn.set(line.key, item);
      if (this.#list.children[place] !== item) this.#list.insertBefore(item, this.#list.children[place] ?? null);
    }
    while (this.#list.children.length > lines.length) this.#list.lastElementChild?.remove();
    if (this.#drawn.size > before) this.#log.scrollTop = this.#list.scrollHeight;
    this.#empty.hidden = lines.length > 0;
  }
}

/**
 * @param {View} view
 * @returns {Line[]}
 */
function said(view) {
  let after = 1;
  return view.utterances.map(({ segment, role, text, start }) => {
    after = segment === null ? after : segment + 1;
    return { key: `${role} ${start} ${text}`, after, role, text };
  });
}

/** @param {Line} line */
function itemOf({ role, text }) {
  const item = document.createElement("li");
  item.className = role;
  if (role !== "mark") {
    const who = document.createElement("b");
    who.textContent = role === "agent" ? "You" : "Customer";
    item.append(who);
  }
  item.append(text);
  return item;
}
