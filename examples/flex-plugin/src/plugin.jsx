// @ts-check
import { Desktop } from "orchestrator-desktop-client";
import * as React from "react";
import { PaymentButton, StateBadge } from "./components.jsx";
import { Listening } from "./listening.js";
import { tokenSource } from "./tokens.js";

/**
 * @typedef {typeof import("@twilio/flex-ui")} Flex
 * @typedef {import("@twilio/flex-ui").Manager} Manager
 */

/**
 * Configured in Flex's `ui_attributes`:
 * `{"orchestrator": {"base_url": "https://...", "token_url": "https://....twil.io/orchestrator-token"}}`
 */
export class OrchestratorPlugin {
  name = "OrchestratorPlugin";

  /**
   * Called by Flex.
   *
   * @param {Flex} flex
   * @param {Manager} manager
   */
  init(flex, manager) {
    const { base_url: baseUrl, token_url: tokenUrl } = manager.serviceConfiguration.ui_attributes?.orchestrator ?? {};
    if (!baseUrl || !tokenUrl) {
      console.warn("orchestrator: base_url and token_url are missing in ui_attributes.orchestrator; the plugin is off");
      return;
    }
    this.desktop = new Desktop({ baseUrl, getToken: tokenSource(tokenUrl, manager) });
    this.listening = new Listening(flex, this.desktop, manager.user.identity);
    flex.TaskCanvasHeader.Content.add(<StateBadge key="orchestrator-state" desktop={this.desktop} />);
    flex.CallCanvasActions.Content.add(<PaymentButton key="orchestrator-payment" desktop={this.desktop} />);
    // An outbound call's task is accepted without a click, and after a reload of the page the calls go on. An agent who
    // is reported twice counts once.
    manager.events.addListener("taskAccepted", (task) => void this.listening?.arrives(task));
    for (const task of manager.store.getState().flex.worker.tasks.values()) {
      if (flex.TaskHelper.isTaskAccepted(task)) void this.listening.arrives(task);
    }
  }
}
