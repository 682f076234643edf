// @ts-check
/** What a voice task says about the legs of its call. */

/** @typedef {import("@twilio/flex-ui").ITask} ITask */

/**
 * The customer's Call SID, which is what the orchestrator knows the call by; undefined while Flex does not know it.
 * An outbound task has it only once the customer's leg is in the conference.
 *
 * @param {ITask | undefined} task
 * @returns {string | undefined}
 */
export function callSidOf(task) {
  const customer = joined(task).find((each) => each.participantType === "customer");
  const named = task?.attributes.conference?.participants?.customer ?? task?.attributes.call_sid;
  return customer?.callSid ?? (typeof named === "string" ? named : undefined);
}

/**
 * The Call SID of this agent's own leg once it is in the conference: accepting a task is not yet being connected.
 *
 * @param {ITask | undefined} task
 * @returns {string | undefined}
 */
export function agentLegOf(task) {
  return joined(task).find((each) => each.isCurrentWorker)?.callSid;
}

/** @param {ITask | undefined} task */
function joined(task) {
  return (task?.conference?.participants ?? []).filter((each) => each.status === "joined");
}
