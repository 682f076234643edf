// @ts-check
/** What the agent sees: a badge in the task's header, a button beside Hold. */
import { isPausedFor, isWaiting } from "orchestrator-desktop-client";
import * as React from "react";
import { callSidOf } from "./task.js";
import { useCall } from "./useCall.js";
import { wordingOf } from "./wording.js";

const PAYMENT = "payment";
const COLOURS = { on: "#0b6b3a", off: "#5b3b8c", changing: "#8a5300", unknown: "#b3261e" };

/** @typedef {{ desktop: import("orchestrator-desktop-client").Desktop, task?: import("@twilio/flex-ui").ITask }} Props */

/** @param {Props} props `task` is added by Flex */
function callOf({ desktop, task }) {
  const callSid = task?.taskChannelUniqueName === "voice" ? callSidOf(task) : undefined;
  return callSid === undefined ? null : desktop.call(callSid);
}

/** @param {Props} props */
export function StateBadge(props) {
  const view = useCall(callOf(props));
  if (view === null) return null;
  const { text, detail, tone } = wordingOf(view);
  return (
    <span
      role="status"
      data-tone={tone}
      style={{
        alignSelf: "center",
        padding: "2px 10px",
        borderRadius: 12,
        color: "#fff",
        background: COLOURS[tone],
        fontWeight: 600,
        whiteSpace: "nowrap",
      }}
    >
      {detail ? `${text} (${detail})` : text}
    </span>
  );
}

/** @param {Props} props */
export function PaymentButton(props) {
  const call = callOf(props);
  const view = useCall(call);
  const [refusal, setRefusal] = React.useState("");
  if (call === null || view === null) return null;
  const isPaused = isPausedFor(view, PAYMENT);
  const isSending = isWaiting(view, "pause", "resume");
  const press = async () => {
    setRefusal("");
    try {
      await (isPaused ? call.resume(PAYMENT) : call.pause(PAYMENT));
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    }
  };
  const label = isSending ? "Reporting …" : isPaused ? "Resume after payment" : "Pause for payment";
  return (
    <button
      type="button"
      aria-pressed={isPaused}
      disabled={isSending || view.call?.state === "ended"}
      title={refusal || "Card details are not transcribed while this is pressed"}
      onClick={() => void press()}
      style={{ alignSelf: "center", padding: "6px 12px", borderRadius: 4, cursor: "pointer" }}
    >
      {refusal ? `${label} (refused)` : label}
    </button>
  );
}
