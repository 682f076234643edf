// @ts-check
/** The table of what ASAPP heard, counted from the audio at its end. */

/** Sounds by their names in the emulator, and whether they may be transcribed. @type {[string, string, boolean][]} */
const SOUNDS = [
  ["customer-speech", "Customer", true],
  ["agent-speech", "You", true],
  ["hold-music", "Hold music", false],
  ["held-customer", "Customer on hold", false],
  ["payment", "Card number", false],
  ["survey", "Survey", false],
];

/**
 * A row for each sound: transcribed, kept out.
 *
 * @param {{ received_ms: Record<string, number>, heard_ms: Record<string, number> }} counted
 * @returns {HTMLElement[]}
 */
export function rowsOf({ received_ms: received, heard_ms: heard }) {
  return SOUNDS.map(([kind, name, isWanted]) => {
    const title = document.createElement("th");
    title.scope = "row";
    title.textContent = name;
    const transcribed = cell(heard[kind] ?? 0);
    if (!isWanted && (heard[kind] ?? 0) > 0) transcribed.className = "leak";
    const row = document.createElement("tr");
    row.append(title, transcribed, cell((received[kind] ?? 0) - (heard[kind] ?? 0)));
    return row;
  });
}

/** @param {number} ms */
function cell(ms) {
  const made = document.createElement("td");
  made.textContent = ms === 0 ? "–" : `${(ms / 1000).toFixed(ms < 100 ? 2 : 1)} s`;
  return made;
}
