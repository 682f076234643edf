// @ts-check
/** What may be told to an agent. When in doubt the answer is "unknown", never "off". */

/** @typedef {import("./types.js").View} View */

/**
 * `off` only when the service is being heard and says that ASAPP has confirmed it; `unknown` while nothing is heard.
 *
 * @param {View} view
 * @returns {"on" | "off" | "changing" | "unknown"}
 */
export function transcriptionOf(view) {
  if (view.connection !== "live" || view.call === null) return "unknown";
  switch (view.call.transcription.state) {
    case "off":
      return "off";
    case "on":
      return "on";
    case "starting":
    case "stopping":
      return "changing";
    default:
      return "unknown";
  }
}

/**
 * Whether transcription is paused for this reason, as the service has it: `payment`, `manual`, `hold:desktop`, ...
 *
 * @param {View} view
 * @param {string} reason
 */
export function isPausedFor(view, reason) {
  return view.call?.pauses.some((pause) => pause.reason === reason) ?? false;
}

/**
 * Whether the customer is on hold, reported by a desktop or seen in the conference.
 *
 * @param {View} view
 */
export function isOnHold(view) {
  return isPausedFor(view, "hold:desktop") || isPausedFor(view, "hold");
}

/**
 * Whether something of this type was reported here and is not answered for yet.
 *
 * @param {View} view
 * @param {...import("./types.js").EventType} types
 */
export function isWaiting(view, ...types) {
  return view.waiting.some((event) => types.includes(event.type));
}
