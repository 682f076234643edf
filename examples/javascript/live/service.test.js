// @ts-check
/**
 * The client against a service that runs: `ORCHESTRATOR_URL`, `ORCHESTRATOR_KEY`, and `CALL_SID` of a call with a
 * customer and an agent in it. The project's own tests start all that and run this file.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Desktop, isOnHold, isPausedFor, transcriptionOf } from "../src/index.js";
import { eventually } from "../testing/fake-service.js";

const { ORCHESTRATOR_URL: baseUrl = "", ORCHESTRATOR_KEY: key = "", CALL_SID: callSid = "" } = process.env;
let isOnline = true;
let minted = 0;

/** As a company's backend does it, which knows its agent: the key stays here. @param {string} call_sid */
async function getToken(call_sid) {
  minted++;
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const body = JSON.stringify({ agent_id: "amy", call_sid });
  const answer = await fetch(`${baseUrl}/api/v1/tokens`, { method: "POST", headers, body });
  assert.ok(answer.ok, `a token: ${answer.status}`);
  return /** @type {any} */ (await answer.json());
}

const desktop = new Desktop({
  baseUrl,
  getToken,
  retry: { firstMs: 50, mostMs: 200 },
  fetch: (...given) => (isOnline ? fetch(...given) : Promise.reject(new TypeError("offline"))),
});
const call = desktop.call(callSid);

before(() => call.subscribe(() => {}));
after(() => desktop.close());

/** Events of the call's timeline by type, as the service has counted them. @param {string} type */
async function counted(type) {
  const answer = await fetch(`${baseUrl}/api/v1/calls/${callSid}/timeline`, { headers: { Authorization: `Bearer ${key}` } });
  const { entries } = /** @type {any} */ (await answer.json());
  return entries.filter((/** @type {any} */ entry) => entry.event?.event === type).length;
}

test("A call and what is said in it are shown live", async () => {
  await call.until((view) => transcriptionOf(view) === "on", 20_000);
  await call.until((view) => view.utterances.length > 0, 20_000);
  assert.equal(call.view.call?.state, "transcribing");
});

test("Hold is confirmed off, unhold on", async () => {
  await call.hold();
  await call.until((view) => transcriptionOf(view) === "off" && isOnHold(view));
  await call.unhold();
  await call.until((view) => transcriptionOf(view) === "on" && !isOnHold(view));
});

test("What was pressed while offline counts afterwards, once and in order", async () => {
  isOnline = false;
  const pressed = [call.pause("payment"), call.resume("payment"), call.pause("payment")];
  await eventually(() => call.view.trouble !== null, "the first attempt fails");
  isOnline = true;
  await Promise.all(pressed);
  await call.until((view) => transcriptionOf(view) === "off" && isPausedFor(view, "payment"));
  assert.equal(await counted("pause-requested"), 2);
  assert.equal(await counted("pause-lifted"), 1);

  await call.resume("payment");
  await call.until((view) => transcriptionOf(view) === "on");
});

test("One token was enough for all of this", () => assert.equal(minted, 1));

test("The survey transfer takes the call away from the agent", async () => {
  await call.surveyTransfer();
  await call.until((view) => view.call?.state === "survey" && transcriptionOf(view) === "off", 10_000);
});
