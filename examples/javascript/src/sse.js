// @ts-check
/** Server-sent events out of text as it arrives, by the rules of the HTML standard. */

/**
 * @typedef {object} Message
 * @property {string} event
 * @property {string} data
 * @property {string} id the last one so far
 */

export class Parser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  #isFirst = true;
  #id;
  /** The id to resume after; a heartbeat may move it on without a message. */
  lastId;
  /** How long the server wishes to be left alone after a broken connection; null when it said nothing. */
  retryMs = /** @type {number | null} */ (null);

  /** @param {string} [lastId] of the connection before */
  constructor(lastId = "") {
    this.lastId = this.#id = lastId;
  }

  /**
   * The messages that are complete with this piece of text.
   *
   * @param {string} text
   * @returns {Message[]}
   */
  feed(text) {
    if (this.#isFirst && text !== "") {
      this.#isFirst = false;
      text = text.replace(/^\uFEFF/, "");
    }
    this.#rest += text;
    const messages = [];
    // A CR at the very end may be half of a CRLF; it waits for what follows.
    for (let end; (end = /\r\n|\n|\r(?!$)/.exec(this.#rest)) !== null; ) {
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const message = line === "" ? this.#dispatch() : this.#read(line);
      if (message) messages.push(message);
    }
    return messages;
  }

  /** @param {string} line */
  #read(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch() {
    const event = this.#event || "message";
    const data = this.#data;
    this.lastId = this.#id;
    this.#event = "";
    this.#data = [];
    return data.length > 0 ? { event, data: data.join("\n"), id: this.lastId } : undefined;
  }
}
