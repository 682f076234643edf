// @ts-check
/** A document for React, before React is loaded. */
import { Window } from "happy-dom";

const window = new Window({ url: "https://flex.example.com" });
Object.assign(globalThis, { window, document: window.document });

/** The text on the page, and a click on one of its buttons. */
export const page = {
  get text() {
    return document.body.textContent ?? "";
  },
  get button() {
    return /** @type {HTMLButtonElement | null} */ (document.querySelector("button"));
  },
};
