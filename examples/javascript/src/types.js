// @ts-check
/** The shapes that the service sends and that this client takes; `docs/api.md` of the service explains each. */

/**
 * @typedef {"waiting" | "starting" | "transcribing" | "pausing" | "paused" | "interrupted" | "survey"
 *   | "not-transcribed" | "ended"} State
 * @typedef {"off" | "starting" | "on" | "stopping" | "unknown"} TranscriptionState
 *
 * @typedef {object} Call
 * @property {string} call_sid
 * @property {State} state
 * @property {{ state: TranscriptionState, agent_id: string | null, since: string }} transcription
 * @property {{ name: string | null, state: string }} media_stream
 * @property {{ reason: string, since: string, source: string }[]} pauses
 * @property {{ id: string, leg: string | null, since: string, is_held: boolean } | null} agent
 * @property {{ id: string, is_connected: boolean, is_held: boolean }} customer
 * @property {{ agent_id: string, start: string, end: string | null }[]} segments
 * @property {{ id: string, since: string, detail: string, gave_up: boolean } | null} problem
 * @property {number} version
 *
 * @typedef {object} Utterance
 * @property {string} text
 * @property {"customer" | "agent"} role
 * @property {string | null} agent_id
 * @property {string} start
 * @property {string} end
 * @property {number | null} segment its place in the call's `segments`, counted from 0
 */

/**
 * @typedef {"agent-connected" | "agent-disconnected" | "hold" | "unhold" | "pause" | "resume" | "consent-given"
 *   | "consent-withdrawn" | "call-ended" | "survey-transfer" | "retry"} EventType
 *
 * @typedef {object} DesktopEvent
 * @property {EventType} type
 * @property {string} event_id
 * @property {number} sequence
 * @property {string} occurred_at
 * @property {string} [agent_id]
 * @property {string} [agent_leg]
 * @property {string} [reason]
 *
 * @typedef {object} Waiting an event that the service has not answered for yet
 * @property {string} callSid
 * @property {DesktopEvent} event
 * @property {number} until milliseconds since 1970; it is not sent later
 */

/**
 * @typedef {"connecting" | "live" | "offline" | "refused" | "closed"} Connection
 *
 * @typedef {object} View what is known of a call; never what is only hoped for
 * @property {string} callSid
 * @property {Call | null} call as the service last confirmed it
 * @property {Connection} connection `call` is up to date only while this is `live`
 * @property {readonly DesktopEvent[]} waiting reported here, not yet answered for by the service
 * @property {readonly Utterance[]} utterances in spoken order
 * @property {import("./errors.js").ServiceError | null} trouble why it is offline, or the last event that was refused
 */

/**
 * @typedef {string | { token: string, expires_at?: string }} Token
 * @typedef {Token | Promise<Token>} Given
 * @typedef {{ firstMs: number, mostMs: number }} Retry
 *
 * @typedef {object} Options
 * @property {string} baseUrl of the service, such as `https://calls.example.com`
 * @property {(callSid: string) => Given} getToken asked for a token that opens this call when one is needed: at first,
 *   shortly before `expires_at`, and after one was refused
 * @property {Storage | null} [storage] where events wait across a reload; default: `sessionStorage`
 * @property {Retry} [retry] between tries; default 0.25 s, doubled up to 15 s
 * @property {number} [silenceMs] a stream that is silent for so long is dead; default 30 s
 * @property {number} [timeoutMs] of one request; default 8 s
 * @property {typeof globalThis.fetch} [fetch]
 */

export {};
