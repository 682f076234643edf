// A Twilio Function: a short-lived token of the orchestrator for an agent who is signed in to Flex, for one call.
// The desktop key is in the Function's environment (ORCHESTRATOR_URL, ORCHESTRATOR_KEY) and never leaves it.
const { functionValidator } = require("twilio-flex-token-validator");

exports.handler = functionValidator(async (context, event, callback) => {
  const response = new Twilio.Response();
  response.appendHeader("Content-Type", "application/json");
  response.appendHeader("Cache-Control", "no-store");
  response.appendHeader("Access-Control-Allow-Origin", context.FLEX_ORIGIN || "https://flex.twilio.com");
  const { identity, worker_sid: workerSid } = event.TokenResult ?? {};
  if (!identity || !workerSid) {
    // A guest of a web chat has a valid Flex token, too.
    response.setStatusCode(403);
    response.setBody("{}");
    return callback(null, response);
  }
  try {
    const answer = await fetch(`${context.ORCHESTRATOR_URL}/api/v1/tokens`, {
      method: "POST",
      headers: { Authorization: `Bearer ${context.ORCHESTRATOR_KEY}`, "Content-Type": "application/json" },
      body: JSON.stringify({ agent_id: identity, call_sid: event.CallSid }),
      signal: AbortSignal.timeout(5000),
    });
    response.setStatusCode(answer.status);
    response.setBody(await answer.text());
  } catch (error) {
    console.error(`the orchestrator cannot be reached: ${error.name}`);
    response.setStatusCode(502);
    response.setBody("{}");
  }
  callback(null, response);
});
