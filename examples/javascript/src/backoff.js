// @ts-check
/** How long to wait between tries, and waits that can be cut short. */

/**
 * Milliseconds before try number `attempt` (1 is the first repetition): doubled each time, half of it by chance,
 * so that a thousand desktops that lost the same server do not come back in the same instant.
 *
 * @param {number} attempt
 * @param {import("./types.js").Retry} retry
 * @param {() => number} [random] from 0 to 1
 */
export function backoff(attempt, { firstMs, mostMs }, random = Math.random) {
  const step = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return step / 2 + (random() * step) / 2;
}

/** A sleep that `ring` ends early. */
export class Alarm {
  /** @type {Set<() => void>} */
  #sleepers = new Set();

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  sleep(ms) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
    });
  }

  /** Wake everybody up: the network is back, or there is nothing left to wait for. */
  ring() {
    for (const wake of [...this.#sleepers]) wake();
  }
}
