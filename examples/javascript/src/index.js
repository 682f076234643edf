// @ts-check
export { Desktop } from "./desktop.js";
export { DesktopCall } from "./call.js";
export { ServiceError } from "./errors.js";
export { isOnHold, isPausedFor, isWaiting, transcriptionOf } from "./reading.js";
