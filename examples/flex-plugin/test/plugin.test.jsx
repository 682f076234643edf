// @ts-check
import { page } from "../testing/browser.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { afterEach, beforeEach, test } from "node:test";
import * as React from "react";
import * as ReactDOM from "react-dom";
import { act } from "react-dom/test-utils";
import { FakeService, SID, TOKEN, eventually } from "../../javascript/testing/fake-service.js";
import { FakeFlex, conferenceOf, voiceTask } from "../testing/flex.js";

/** @type {FakeService} */
let service;
/** @type {FakeFlex} */
let flex;
/** @type {import("node:http").Server} */
let tokens;
let tokenUrl = "";
/** @type {string[]} */
let asked = [];

beforeEach(async () => {
  service = await new FakeService().start();
  flex = new FakeFlex();
  asked = [];
  tokens = createServer(async (request, answer) => {
    for await (const piece of request) asked.push(String(piece));
    answer.end(JSON.stringify({ token: TOKEN, expires_at: new Date(Date.now() + 600_000).toISOString() }));
  });
  await new Promise((resolve) => tokens.listen(0, "127.0.0.1", () => resolve(undefined)));
  tokenUrl = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (tokens.address()).port}`;
  document.body.innerHTML = "<div></div>";
});

afterEach(async () => {
  tokens.close();
  await service.stop();
});

/** Runs the file that Flex would load, with what Flex has loaded before. */
function load() {
  Object.assign(window, { React, ReactDOM, Twilio: { Flex: flex } });
  new Function(readFileSync("build/plugin-orchestrator.js", "utf8"))();
  const plugin = new flex.plugin();
  return plugin;
}

test("The built file uses Flex's own React, and does its work with a token from the Function", async () => {
  const plugin = load();
  const task = flex.give(voiceTask({ conference: conferenceOf("customer", "worker") }));
  plugin.init(flex, flex.manager({ base_url: service.url, token_url: tokenUrl }));
  assert.equal(flex.added.length, 2);

  const root = /** @type {HTMLElement} */ (document.querySelector("div"));
  const elements = flex.added.map((element) => React.cloneElement(element, { task }));
  act(() => void ReactDOM.render(<>{elements}</>, root));
  await act(async () => eventually(() => page.text.includes("Transcription on"), page.text));
  await flex.Actions.invokeAction("HoldCall", { task });
  await eventually(() => service.counted.length === 2, "the agent who was there already, and the hold");

  assert.deepEqual(service.counted.map((event) => event.type), ["agent-connected", "hold"]);
  assert.deepEqual(asked, [`Token=fake-flex-token&CallSid=${SID}`]);
  act(() => void ReactDOM.unmountComponentAtNode(root));
  plugin.listening.stop();
  plugin.desktop.close();
});

test("A task that is accepted without a click, as outbound ones are, counts too", async () => {
  const plugin = load();
  plugin.init(flex, flex.manager({ base_url: service.url, token_url: tokenUrl }));
  flex.events.emit("taskAccepted", flex.give(voiceTask({ conference: conferenceOf("customer", "worker") })));
  await eventually(() => service.counted.length === 1, "the agent is reported");
  plugin.listening.stop();
  plugin.desktop.close();
});

test("Without its configuration the plugin stays away", () => {
  const plugin = load();
  plugin.init(flex, flex.manager());
  assert.equal(flex.added.length, 0);
  assert.equal(flex.listening, 0);
});
