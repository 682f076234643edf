// @ts-check
import { useEffect, useState } from "react";

/**
 * The view of a call, followed while the component is mounted; null for a task without a call.
 *
 * @param {import("orchestrator-desktop-client").DesktopCall | null} call
 */
export function useCall(call) {
  const [view, setView] = useState(call?.view ?? null);
  useEffect(() => {
    if (call === null) setView(null);
    return call?.subscribe(setView);
  }, [call]);
  return view;
}
