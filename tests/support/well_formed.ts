/**
 * The invariants of every history.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowState } from "@rockpool/workflow";

/**
 * Throws if no executor can have written a history: something happened twice, before it was started, or after the end.
 *
 * @param what Names the history in the message.
 */
export function assertWellFormed(what: string, { workflowId, status, history }: WorkflowState): void {
  const seen = new Set<string>();
  const dueAt = new Map<number, number>();
  const once = (key: string, message: string) => {
    assert(!seen.has(key), `${message}: ${key} twice`);
    seen.add(key);
  };
  for (const [i, event] of history.entries()) {
    const message = `${what}: event ${i + 1} of ${workflowId}, ${event.type}`;
    assertEquals(event.type === "workflow_started", i === 0, message);
    const isLast = status !== "running" && i === history.length - 1;
    assertEquals(/^workflow_(?!started)/.test(event.type), isLast, message);
    if (isLast) assertEquals(event.type, `workflow_${status}`, message);
    if (event.type === "cancel_requested") once("the cancellation", message);
    if (event.type === "signal_received") once(event.signalId, message);
    if (event.type === "patched") once(event.changeId, message);
    if (event.type === "update_requested") once(`requested ${event.updateId}`, message);
    if (event.type === "update_accepted") once(`accepted ${event.updateId}`, message);
    if (event.type === "update_rejected") {
      once(`accepted ${event.updateId}`, message);
      assert(seen.has(`requested ${event.updateId}`), `${message}: it was not requested`);
    }
    if (event.type === "update_completed") {
      once(`completed ${event.updateId}`, message);
      assert(seen.has(`accepted ${event.updateId}`), `${message}: it was not accepted`);
    }
    if (!("seq" in event)) continue;
    const { seq } = event;
    if (event.type === "timer_started") dueAt.set(seq, event.dueAt);
    if (event.type === "timer_fired") assert(event.at >= dueAt.get(seq)!, `${message}: before its time`);
    if (/^activity_(heart|attempt)/.test(event.type)) assert(!seen.has(`end of ${seq}`), `${message}: after the end`);
    if (event.type === "activity_heartbeat") continue;
    if (/_started$|^side_effect$|^labels_changed$/.test(event.type)) {
      once(`started ${seq}`, message);
      assert(seq === 0 || seen.has(`started ${seq - 1}`), `${message}: a command is missing`);
    } else {
      if (event.type === "activity_attempt_failed" || event.type === "child_attempt_failed") {
        const { attempt } = event;
        once(`attempt ${attempt} of ${seq}`, message);
        assert(attempt === 1 || seen.has(`attempt ${attempt - 1} of ${seq}`), `${message}: an attempt is missing`);
      } else once(`${event.type === "child_begun" ? "begin" : "end"} of ${seq}`, message);
      assert(seen.has(`started ${seq}`), `${message}: ${seq} was not started`);
    }
  }
}
