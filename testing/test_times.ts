/**
 * When the things of a stored run happen again in a test, on a virtual clock.
 *
 * @module
 */

import type { ActivityStartedEvent, WorkflowEvent } from "../types.ts";
import { finalStatus } from "../history/history.ts";

/** Whether an event is made by something outside of the code and of the timers. */
function isExternal(event: WorkflowEvent): boolean {
  switch (event.type) {
    case "signal_received":
    case "update_requested":
    case "update_accepted":
    case "cancel_requested":
    case "activity_heartbeat":
    case "activity_attempt_failed":
    case "activity_completed":
    case "activity_failed":
      return true;
    default:
      return event.type === "workflow_canceled" && event.error.data?.code === "terminated";
  }
}

/**
 * When each event happens in the test, in milliseconds after the start of the clock.
 *
 * In the test, code takes no time: what it asks for happens at the time of the event that it has seen. So all that follows is earlier
 * by the time that the code took. What comes from outside is moved by thousandths, so that it comes in its order: before a timer that
 * fired late, and after what was recorded at the same time.
 *
 * @param startedAt The start of the clock.
 * @param begins When the first event happens.
 */
export function schedule(history: readonly WorkflowEvent[], startedAt: number, begins: number): number[] {
  const firedAt = new Map<number, number>(); // the index of the event, by the position of the timer
  for (const [i, event] of history.entries()) if (event.type === "timer_fired") firedAt.set(event.seq, i);
  let fromOutside = 0;
  const counts = history.map((event) => isExternal(event) ? ++fromOutside : fromOutside);
  const open = new Map<number, number>(); // the timers that will fire: when they are due, by their position
  let now = begins;
  let before = -1;
  let lag = Math.max(0, history[0].at - startedAt - begins);
  const at = (event: WorkflowEvent) => event.at - startedAt - lag;
  return history.map((event, i) => {
    if (event.type === "timer_fired") {
      now = before = Math.max(now, open.get(event.seq) ?? at(event));
      open.delete(event.seq);
    } else if (isExternal(event)) {
      let time = Math.max(now, at(event));
      for (const [seq, dueAt] of open) {
        const fired = firedAt.get(seq)!;
        time = Math.min(time, dueAt - 0.001 * (counts[fired] - counts[i] + 1));
      }
      now = before = round(Math.max(time, now, before + 0.001));
    } else if (event.type === "child_completed" || event.type === "child_failed" || finalStatus(event) !== undefined) {
      now = Math.max(now, at(event));
    } else if (i > 0) {
      lag = Math.max(lag, event.at - startedAt - now);
      if (event.type === "timer_started" && firedAt.has(event.seq)) open.set(event.seq, now + event.dueAt - event.at);
    }
    return now;
  });
}

function round(ms: number): number {
  return Math.round(1000 * ms) / 1000;
}

/** Whether an activity that ends at once ends in its turn: nothing else happened meanwhile that it must wait for. */
export function isAtOnce(
  history: readonly WorkflowEvent[],
  times: readonly number[],
  began: number,
  ended: number,
): boolean {
  if (Math.floor(times[ended]) > Math.floor(times[began])) return false;
  const { seq } = history[began] as ActivityStartedEvent;
  return !history.slice(began + 1, ended).some((event) => {
    if (event.type === "timer_fired") return true;
    return isExternal(event) && !("seq" in event && event.seq < seq);
  });
}
