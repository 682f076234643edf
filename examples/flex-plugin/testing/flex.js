// @ts-check
/**
 * Flex as far as a plugin meets it. Its Actions manager invokes an action as `@twilio/flex-ui` 2.17 does: `task` and
 * `sid` of the payload are completed, the `before` listeners are awaited and may cancel, and the `after` listeners are
 * told only if the action did not fail.
 */
import { EventEmitter } from "node:events";
import { SID } from "../../javascript/testing/fake-service.js";

export const AGENT_LEG = `CA${"a".repeat(32)}`;
export const OTHER_LEG = `CA${"b".repeat(32)}`;

/** @typedef {import("@twilio/flex-ui").ITask} ITask */

/**
 * @param {Partial<ITask>} [more]
 * @returns {ITask}
 */
export function voiceTask(more) {
  return {
    sid: `WR${"1".repeat(32)}`,
    taskSid: `WT${"1".repeat(32)}`,
    status: "accepted",
    taskChannelUniqueName: "voice",
    attributes: { call_sid: SID },
    ...more,
  };
}

/** @param {string[]} types of the participants who have joined: "customer", "worker" */
export function conferenceOf(...types) {
  return {
    participants: types.map((participantType) => ({
      participantType,
      isCurrentWorker: participantType === "worker",
      callSid: participantType === "customer" ? SID : AGENT_LEG,
      status: /** @type {const} */ ("joined"),
    })),
  };
}

export class FakeFlex {
  /** @type {Map<string, ITask>} */
  tasks = new Map();
  /** @type {JSX.Element[]} */
  added = [];
  events = new EventEmitter();
  #emitter = new EventEmitter();
  /** @type {Set<string>} actions that fail at Twilio */
  failing = new Set();

  /** @param {ITask} task */
  give(task) {
    this.tasks.set(task.sid, task);
    return task;
  }

  Actions = {
    addListener: (/** @type {string} */ event, /** @type {any} */ listener) => this.#emitter.on(event, listener),
    removeListener: (/** @type {string} */ event, /** @type {any} */ listener) => this.#emitter.off(event, listener),
    invokeAction: async (/** @type {string} */ name, /** @type {any} */ payload) => {
      const task = payload.task ?? this.tasks.get(payload.sid);
      const full = { ...payload, task, sid: task?.sid };
      let isCancelled = false;
      for (const listener of this.#emitter.listeners(`before${name}`)) await listener(full, () => (isCancelled = true));
      if (isCancelled) throw new Error(`Action ${name} cancelled by before event`);
      if (this.failing.has(name)) throw new Error(`Action ${name} failed`);
      for (const listener of this.#emitter.listeners(`after${name}`)) await listener(full);
    },
  };

  /** How many listeners there are. */
  get listening() {
    return this.#emitter.eventNames().length;
  }

  TaskHelper = {
    isCallTask: (/** @type {ITask} */ task) => task.taskChannelUniqueName === "voice",
    isTaskAccepted: (/** @type {ITask} */ task) => task.status === "accepted",
    getTaskByTaskSid: (/** @type {string} */ sid) => this.tasks.get(sid),
  };

  TaskCanvasHeader = { Content: { add: (/** @type {JSX.Element} */ element) => void this.added.push(element) } };
  CallCanvasActions = this.TaskCanvasHeader;
  Plugins = { init: (/** @type {any} */ plugin) => void (this.plugin = plugin) };
  /** @type {any} */
  plugin = null;

  /** @param {object} [orchestrator] */
  manager(orchestrator) {
    return {
      user: { identity: "amy", token: "fake-flex-token" },
      serviceConfiguration: { ui_attributes: { orchestrator } },
      events: this.events,
      store: { getState: () => ({ flex: { worker: { tasks: this.tasks } } }) },
    };
  }
}
