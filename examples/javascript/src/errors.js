// @ts-check
/** The one error that this client throws, with the stable slugs of the service's problem details. */

const BUSY = new Set([408, 425, 429]);

/**
 * `slug` is the `type` of the service's problem details, or one of ours: `unreachable` (no answer), `no-token`
 * (`getToken` failed), `expired` (waited too long to be sent), `closed` (the client was closed).
 */
export class ServiceError extends Error {
  /**
   * @param {string} slug
   * @param {string} message
   * @param {{ status?: number, retryAfterMs?: number, cause?: unknown }} [more]
   */
  constructor(slug, message, { status = 0, retryAfterMs = 0, cause } = {}) {
    super(message, { cause });
    this.name = "ServiceError";
    this.slug = slug;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed later. A refused token may: `getToken` is asked for another. */
  get isTransient() {
    if (this.status === 0) return this.slug === "unreachable" || this.slug === "no-token";
    return this.status >= 500 || this.status === 401 || BUSY.has(this.status);
  }
}

/**
 * What an answer that is not a success says.
 *
 * @param {Response} answer
 */
export async function problemOf(answer) {
  const retryAfterMs = 1000 * (Number(answer.headers.get("Retry-After")) || 0);
  /** @type {{ type?: string, title?: string, detail?: string }} */
  let document = {};
  try {
    document = await answer.json();
  } catch {
    // an error page of something in between; its status says enough
  }
  const slug = document.type ?? `status-${answer.status}`;
  const message = document.detail ?? document.title ?? answer.statusText;
  return new ServiceError(slug, message, { status: answer.status, retryAfterMs });
}
