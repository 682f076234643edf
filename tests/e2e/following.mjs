// Follows a call with the JavaScript client and writes a line for each change: what an agent would be shown.
import { Desktop, transcriptionOf } from "../../examples/javascript/src/index.js";

const { ORCHESTRATOR_URL: baseUrl, ORCHESTRATOR_KEY: key, CALL_SID: callSid } = process.env;
const desktop = new Desktop({ baseUrl, getToken: () => key, retry: { firstMs: 50, mostMs: 500 } });
let last = "";
desktop.call(callSid).subscribe((view) => {
  const line = JSON.stringify({
    connection: view.connection,
    transcription: transcriptionOf(view),
    utterances: view.utterances.length,
  });
  if (line !== last) console.log((last = line));
});
