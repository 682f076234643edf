/** The little of `@twilio/flex-ui` 2 that the plugin uses, as its published type declarations have it. */
declare module "@twilio/flex-ui" {
  export interface Participant {
    readonly callSid?: string;
    readonly participantType?: string;
    readonly isCurrentWorker: boolean;
    readonly status: "left" | "joined" | "recently_left";
  }

  export interface ITask {
    sid: string;
    taskSid: string;
    status: string;
    taskChannelUniqueName: string;
    attributes: Record<string, any>;
    conference?: { participants: Participant[] };
  }

  export interface Payload {
    task?: ITask;
    sid?: string;
    participantCallSid?: string;
    targetSid?: string;
    options?: { mode?: "COLD" | "WARM" };
  }

  export interface Content {
    add(element: JSX.Element, options?: { sortOrder?: number }): void;
  }

  export interface Manager {
    readonly user: { identity: string; token: string };
    readonly serviceConfiguration: { ui_attributes?: Record<string, any> };
    readonly events: { addListener(event: "taskAccepted", listener: (task: ITask) => void): unknown };
    readonly store: { getState(): { flex: { worker: { tasks: Map<string, ITask> } } } };
  }

  export const Actions: {
    addListener(event: string, listener: (payload: Payload, cancel?: () => void) => unknown): unknown;
    removeListener(event: string, listener: (payload: Payload, cancel?: () => void) => unknown): unknown;
  };
  export const TaskHelper: {
    isCallTask(task: ITask): boolean;
    isTaskAccepted(task: ITask): boolean;
    getTaskByTaskSid(reservationSid: string): ITask | undefined;
  };
  export const CallCanvasActions: { Content: Content };
  export const TaskCanvasHeader: { Content: Content };
  export const Plugins: { init(plugin: new () => { name: string }): void };
}
