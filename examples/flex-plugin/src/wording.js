// @ts-check
import { isWaiting, transcriptionOf } from "orchestrator-desktop-client";

/** @typedef {{ text: string, detail: string, tone: "on" | "off" | "changing" | "unknown" }} Wording */

/** @type {Record<string, string>} */
const REASONS = {
  hold: "customer on hold",
  "hold:desktop": "customer on hold",
  payment: "payment",
  manual: "paused by hand",
  consent: "no consent",
};

/**
 * What the badge says. "Off" stands there only when it is confirmed.
 *
 * @param {import("orchestrator-desktop-client/types").View} view
 * @returns {Wording}
 */
export function wordingOf(view) {
  const tone = transcriptionOf(view);
  const reasons = (view.call?.pauses ?? []).map((pause) => REASONS[pause.reason] ?? pause.reason);
  const detail = isWaiting(view, "hold", "pause") ? "reported, not confirmed yet" : [...new Set(reasons)].join(", ");
  switch (tone) {
    case "on":
      return { text: "Transcription on", detail, tone };
    case "off":
      return { text: "Transcription off", detail, tone };
    case "changing":
      return view.call?.transcription.state === "starting"
        ? { text: "Transcription starting", detail, tone }
        : { text: "Transcription still on", detail: detail || "being stopped", tone };
    default:
      return { text: "Transcription unknown", detail: detail || "no news from the service", tone };
  }
}
