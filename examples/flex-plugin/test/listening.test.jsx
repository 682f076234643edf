// @ts-check
import { Desktop } from "orchestrator-desktop-client";
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakeService, TOKEN, eventually, refuse } from "../../javascript/testing/fake-service.js";
import { Listening } from "../src/listening.js";
import { AGENT_LEG, FakeFlex, OTHER_LEG, conferenceOf, voiceTask } from "../testing/flex.js";

/** @type {FakeService} */
let service;
/** @type {FakeFlex} */
let flex;
/** @type {Desktop} */
let desktop;
/** @type {Listening} */
let listening;

beforeEach(async () => {
  service = await new FakeService().start();
  flex = new FakeFlex();
  const retry = { firstMs: 5, mostMs: 20 };
  desktop = new Desktop({ baseUrl: service.url ?? "", getToken: () => TOKEN, storage: null, retry });
  listening = new Listening(flex, desktop, "amy");
});

afterEach(async () => {
  listening.stop();
  desktop.close();
  await service.stop();
});

const types = () => service.counted.map((event) => event.type);
const reported = (/** @type {string[]} */ ...wanted) =>
  eventually(() => JSON.stringify(types()) === JSON.stringify(wanted), `${wanted}, not ${types()}`);

test("Hold and unhold of the customer are reported once Twilio has carried them out", async () => {
  const task = flex.give(voiceTask({ conference: conferenceOf("customer", "worker") }));
  await flex.Actions.invokeAction("HoldCall", { task });
  await flex.Actions.invokeAction("UnholdCall", { sid: task.sid });
  await reported("hold", "unhold");
});

test("A hold that failed, or that another plugin cancelled, is not reported", async () => {
  const task = flex.give(voiceTask());
  flex.failing.add("HoldCall");
  await assert.rejects(flex.Actions.invokeAction("HoldCall", { task }));
  flex.failing.clear();
  flex.Actions.addListener("beforeHoldCall", (/** @type {any} */ _, /** @type {() => void} */ cancel) => cancel());
  await assert.rejects(flex.Actions.invokeAction("HoldCall", { task }));

  await flex.Actions.invokeAction("UnholdCall", { task });
  await reported("unhold");
});

test("A hold of somebody else in the conference is not the customer's", async () => {
  const task = flex.give(voiceTask());
  await flex.Actions.invokeAction("HoldCall", { task, participantCallSid: OTHER_LEG });
  await flex.Actions.invokeAction("HoldCall", { task, participantCallSid: task.attributes.call_sid });
  await reported("hold");
});

test("An agent counts as connected only once the agent's leg is in the conference", async () => {
  const task = flex.give(voiceTask({ conference: conferenceOf("customer") }));
  await flex.Actions.invokeAction("AcceptTask", { task });
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(types(), []);

  flex.give({ ...task, conference: conferenceOf("customer", "worker") });
  await reported("agent-connected");
  assert.equal(service.counted[0].agent_id, "amy");
  assert.equal(service.counted[0].agent_leg, AGENT_LEG);
});

test("An agent who hangs up before the conference began was never connected", async () => {
  const task = flex.give(voiceTask());
  await flex.Actions.invokeAction("AcceptTask", { task });
  await flex.Actions.invokeAction("HangupCall", { task });
  flex.give({ ...task, conference: conferenceOf("customer", "worker") });
  await reported("agent-disconnected");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(types(), ["agent-disconnected"]);
});

test("The customer's leg of an outbound task is known from the conference", async () => {
  const task = flex.give(voiceTask({ attributes: {}, conference: conferenceOf("worker") }));
  await flex.Actions.invokeAction("AcceptTask", { task });
  await flex.Actions.invokeAction("HoldCall", { task });
  flex.give({ ...task, conference: conferenceOf("worker", "customer") });
  await reported("agent-connected");
});

test("A cold transfer takes the agent away, a warm one does not until the agent hangs up", async () => {
  const task = flex.give(voiceTask());
  await flex.Actions.invokeAction("TransferTask", { task, targetSid: "WK1", options: { mode: "WARM" } });
  await flex.Actions.invokeAction("HangupCall", { task });
  await reported("agent-disconnected");
  await flex.Actions.invokeAction("TransferTask", { task, targetSid: "WK1", options: { mode: "COLD" } });
  await reported("agent-disconnected", "agent-disconnected");
});

test("A chat is none of the orchestrator's business", async () => {
  const chat = flex.give(voiceTask({ taskChannelUniqueName: "chat" }));
  for (const action of ["AcceptTask", "HoldCall", "HangupCall"]) await flex.Actions.invokeAction(action, { task: chat });
  await flex.Actions.invokeAction("HoldCall", { task: flex.give(voiceTask()) });
  await reported("hold");
});

test("What the service refuses does not disturb Flex", async () => {
  service.faults.push((_, answer) => refuse(answer, 400, "invalid-event"));
  const task = flex.give(voiceTask());
  await flex.Actions.invokeAction("HoldCall", { task });
  await flex.Actions.invokeAction("UnholdCall", { task });
  await reported("unhold");
});

test("After it was stopped nothing is listened to", () => {
  assert.equal(flex.listening, 5);
  listening.stop();
  assert.equal(flex.listening, 0);
});
