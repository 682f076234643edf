// @ts-check
import { page } from "../testing/browser.js";
import { Desktop } from "orchestrator-desktop-client";
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import * as React from "react";
import * as ReactDOM from "react-dom";
import { act } from "react-dom/test-utils";
import { FakeService, TOKEN, eventually, refuse } from "../../javascript/testing/fake-service.js";
import { PaymentButton, StateBadge } from "../src/components.jsx";
import { voiceTask } from "../testing/flex.js";

/** @type {FakeService} */
let service;
/** @type {Desktop} */
let desktop;

beforeEach(async () => {
  service = await new FakeService().start();
  const retry = { firstMs: 5, mostMs: 20 };
  desktop = new Desktop({ baseUrl: service.url ?? "", getToken: () => TOKEN, storage: null, retry });
  document.body.innerHTML = "<div></div>";
});

afterEach(async () => {
  ReactDOM.unmountComponentAtNode(root());
  desktop.close();
  await service.stop();
});

const root = () => /** @type {HTMLElement} */ (document.querySelector("div"));

/** @param {JSX.Element} element */
const show = (element) => act(() => void ReactDOM.render(element, root()));

/** @param {() => boolean} condition @param {string} what */
const shown = (condition, what) => act(async () => eventually(condition, `${what}; the page shows: ${page.text}`));

test("The badge says what the service has confirmed, and why", async () => {
  show(<StateBadge desktop={desktop} task={voiceTask()} />);
  assert.match(page.text, /unknown/);
  await shown(() => page.text === "Transcription on", "on");
  service.change({ transcription: { state: "stopping" }, pauses: [{ reason: "hold:desktop" }] });
  await shown(() => page.text === "Transcription still on (customer on hold)", "still on");
  service.change({ transcription: { state: "off" } });
  await shown(() => page.text === "Transcription off (customer on hold)", "off");
});

test("A hold that the service has not answered for shows as reported only", async () => {
  show(<StateBadge desktop={desktop} task={voiceTask()} />);
  await shown(() => page.text === "Transcription on", "on");
  service.faults.push(() => true); // the request hangs
  desktop.call(service.call.call_sid).hold().catch(() => {});
  await shown(() => page.text === "Transcription on (reported, not confirmed yet)", "reported");
});

test("The badge claims nothing while the service is not heard", async () => {
  service.call.transcription.state = "off";
  show(<StateBadge desktop={desktop} task={voiceTask()} />);
  await shown(() => page.text === "Transcription off", "off");
  service.tokens.clear();
  service.cut();
  await shown(() => page.text.startsWith("Transcription unknown"), "unknown");
});

test("The button pauses for payment, and resumes once the pause is the service's word", async () => {
  show(<PaymentButton desktop={desktop} task={voiceTask()} />);
  await shown(() => desktop.call(service.call.call_sid).view.connection === "live", "live");
  act(() => page.button?.click());
  await shown(() => service.counted.length === 1 && page.button?.disabled === false, "reported");
  assert.equal(page.text, "Pause for payment");
  assert.equal(page.button?.getAttribute("aria-pressed"), "false");

  service.change({ pauses: [{ reason: "payment" }], transcription: { state: "off" } });
  await shown(() => page.text === "Resume after payment", "resume");
  assert.equal(page.button?.getAttribute("aria-pressed"), "true");
  act(() => page.button?.click());
  await shown(() => service.counted.length === 2, "reported");
  assert.deepEqual(service.counted.map(({ type, reason }) => [type, reason]), [["pause", "payment"], ["resume", "payment"]]);
});

test("A pause that is refused is told to the agent", async () => {
  show(<PaymentButton desktop={desktop} task={voiceTask()} />);
  await shown(() => desktop.call(service.call.call_sid).view.connection === "live", "live");
  service.faults.push((_, answer) => refuse(answer, 403, "forbidden"));
  act(() => page.button?.click());
  await shown(() => page.text.includes("refused"), "refused");
});

test("For a task without a call there is nothing to see", () => {
  show(<StateBadge desktop={desktop} task={voiceTask({ taskChannelUniqueName: "chat" })} />);
  assert.equal(page.text, "");
  show(<PaymentButton desktop={desktop} />);
  assert.equal(page.text, "");
});
