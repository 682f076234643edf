// @ts-check

/**
 * Short-lived tokens from the Twilio Function in `serverless/`, which knows the desktop key; the browser never does.
 * The Function is shown who asks by Flex's own token.
 *
 * @param {string} url
 * @param {import("@twilio/flex-ui").Manager} manager
 * @returns {(callSid: string) => Promise<{ token: string, expires_at: string }>}
 */
export function tokenSource(url, manager) {
  return async (callSid) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ Token: manager.user.token, CallSid: callSid }),
    });
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    return await answer.json();
  };
}
