// @ts-check
/** The demo's page: what the agent presses, told to the telephone and to the service; what the service says, shown. */
import { Desktop, isOnHold, isPausedFor } from "./client/index.js";
import { Paper } from "./paper.js";

const AGENT = "you";
const LOOK_MS = 1000;
const KEPT = "demo-desktop";

/**
 * The company's own backend and telephone system, which the demo plays.
 *
 * @param {string} path
 */
async function company(path) {
  const answer = await fetch(`/desktop/${path}`, { method: "POST" }).catch(() => null);
  if (answer === null) throw new Error("The telephone cannot be reached.");
  if (!answer.ok) throw new Error(`The telephone says no (${answer.status}).`);
  return await answer.json();
}

const desktop = new Desktop({ baseUrl: location.origin, getToken: (callSid) => company(`calls/${callSid}/token`) });
const paper = new Paper();

/** The call that the agent has now. @type {{ call: import("./client/index.js").DesktopCall, stop: () => void } | null} */
let current = null;

/**
 * Show a call from now on, after a reload of the page, too.
 *
 * @param {string} callSid
 * @param {string} customer
 */
function follow(callSid, customer) {
  current?.stop();
  sessionStorage.setItem(KEPT, JSON.stringify([callSid, customer]));
  paper.begin(customer);
  const call = desktop.call(callSid);
  const looking = setInterval(() => void look(callSid), LOOK_MS);
  const unsubscribe = call.subscribe((view) => paper.show(view));
  current = {
    call,
    stop() {
      clearInterval(looking);
      unsubscribe();
    },
  };
}

/** @param {string} action */
const telephone = (action) => company(`calls/${current?.call.view.callSid}/${action}`);

/** @type {Record<string, (call: import("./client/index.js").DesktopCall) => Promise<unknown>>} */
const actions = {
  async answer(call) {
    const { sid: leg } = await telephone("answer");
    await call.agentConnected(AGENT, leg);
  },

  async hold(call) {
    if (isOnHold(call.view)) {
      await telephone("unhold");
      return call.unhold();
    }
    // Told at the same moment, so that hardly a bar of music is transcribed; taken back if the telephone did not do it.
    const reported = call.hold();
    try {
      await telephone("hold");
    } catch (error) {
      void call.unhold();
      throw error;
    }
    return reported;
  },

  payment: (call) => (isPausedFor(call.view, "payment") ? call.resume("payment") : call.pause("payment")),
  survey: (call) => call.surveyTransfer(),
  card: () => telephone("card"),
  hangup: () => telephone("hangup"),
};

async function ring() {
  const { call_sid: callSid, customer } = await company("calls");
  follow(callSid, customer);
}

/** @param {string} callSid */
async function look(callSid) {
  const answer = await fetch(`/desktop/calls/${callSid}/heard`).catch(() => null);
  if (answer?.ok) paper.heard(await answer.json());
}

/**
 * @param {string} name
 * @param {() => Promise<unknown> | undefined} action
 */
function onPress(name, action) {
  paper.button(name).addEventListener("click", async () => {
    paper.trouble("");
    paper.busy(name, true);
    try {
      await action();
    } catch (error) {
      paper.trouble(/** @type {Error} */ (error).message);
    } finally {
      paper.busy(name, false);
    }
  });
}

onPress("ring", ring);
for (const [name, action] of Object.entries(actions)) onPress(name, () => current?.call && action(current.call));

const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
if (kept !== null) follow(kept[0], kept[1]);
