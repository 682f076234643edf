// @ts-check
/**
 * What happens in Flex, told to the orchestrator.
 *
 * Only `after` events are listened to. They fire when Twilio has carried the action out; a `before` event may still be
 * cancelled by another plugin, or its action fail, and nothing would take the report back.
 */
import { agentLegOf, callSidOf } from "./task.js";

/**
 * @typedef {import("@twilio/flex-ui").ITask} ITask
 * @typedef {import("@twilio/flex-ui").Payload} Payload
 * @typedef {import("orchestrator-desktop-client").DesktopCall} DesktopCall
 */

export const CONNECTED_WITHIN_MS = 60_000;
const LOOK_MS = 250;

export class Listening {
  #flex;
  #desktop;
  #agentId;
  /** @type {Map<string, (payload: Payload) => void>} */
  #listeners;
  /** @type {Set<string>} reservations whose agent is on the way into the conference */
  #arriving = new Set();
  #isStopped = false;

  /**
   * @param {Pick<typeof import("@twilio/flex-ui"), "Actions" | "TaskHelper">} flex
   * @param {import("orchestrator-desktop-client").Desktop} desktop
   * @param {string} agentId
   */
  constructor(flex, desktop, agentId) {
    this.#flex = flex;
    this.#desktop = desktop;
    this.#agentId = agentId;
    this.#listeners = new Map([
      ["afterAcceptTask", ({ task }) => void this.arrives(task)],
      ["afterHoldCall", (payload) => this.#ofCustomer(payload, (call) => call.hold())],
      ["afterUnholdCall", (payload) => this.#ofCustomer(payload, (call) => call.unhold())],
      ["afterTransferTask", ({ task, options }) => options?.mode === "COLD" && this.#leaves(task)],
      ["afterHangupCall", ({ task }) => this.#leaves(task)],
    ]);
    for (const [event, listener] of this.#listeners) flex.Actions.addListener(event, listener);
  }

  stop() {
    this.#isStopped = true;
    for (const [event, listener] of this.#listeners) this.#flex.Actions.removeListener(event, listener);
  }

  /**
   * Report the agent once Flex shows the agent's leg in the conference. What is not seen in time is not reported:
   * nothing is transcribed for an agent of whom nobody knows.
   *
   * @param {ITask | undefined} task
   */
  async arrives(task) {
    if (task === undefined || !this.#flex.TaskHelper.isCallTask(task) || this.#arriving.has(task.sid)) return;
    this.#arriving.add(task.sid);
    const deadline = Date.now() + CONNECTED_WITHIN_MS;
    while (!this.#isStopped && this.#arriving.has(task.sid) && Date.now() < deadline) {
      const current = this.#flex.TaskHelper.getTaskByTaskSid(task.sid) ?? task;
      const leg = agentLegOf(current);
      if (leg !== undefined && callSidOf(current) !== undefined) {
        this.#report(current, (call) => call.agentConnected(this.#agentId, leg));
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.#arriving.delete(task.sid);
  }

  /** @param {ITask | undefined} task */
  #leaves(task) {
    if (task !== undefined) this.#arriving.delete(task.sid);
    this.#report(task, (call) => call.agentDisconnected(this.#agentId));
  }

  /**
   * Flex names the participant when there are several; a hold of anybody else is not the customer's.
   *
   * @param {Payload} payload
   * @param {(call: DesktopCall) => Promise<unknown>} report
   */
  #ofCustomer({ task, participantCallSid }, report) {
    if (participantCallSid === undefined || participantCallSid === callSidOf(task)) this.#report(task, report);
  }

  /**
   * @param {ITask | undefined} task
   * @param {(call: DesktopCall) => Promise<unknown>} report
   */
  #report(task, report) {
    const callSid = callSidOf(task);
    if (task === undefined || callSid === undefined || !this.#flex.TaskHelper.isCallTask(task)) return;
    report(this.#desktop.call(callSid)).catch((error) => {
      console.warn(`orchestrator: a report was not accepted (${error.slug ?? error.name})`);
    });
  }
}
