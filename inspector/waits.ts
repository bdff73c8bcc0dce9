/**
 * What a run waits for, in words.
 *
 * An executor knows it for its live runs. For any other run it follows from the history: commands without an outcome. A wait that
 * records nothing, such as one for a signal without a deadline, is seen by an executor only.
 *
 * @module
 */

import type { OpenRun, Wait } from "../options.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { type Content, type Html, markup } from "./html.ts";
import { link } from "./links.ts";
import { duration } from "./times.ts";

/** A wait, and when it ends at the latest. */
export type KnownWait = Wait & { readonly until?: number | undefined };

/** What a run waits for. `open`: what the executor says about the workflow, if it is live there. */
export function waitsOf(
  { runId, status, history }: Pick<WorkflowState, "runId" | "status" | "history">,
  open: OpenRun | undefined,
): KnownWait[] {
  if (status !== "running") return [];
  const recorded = recordedWaits(history);
  if (open === undefined || open.runId !== runId) return recorded;
  const deadlines = new Map<string, number>();
  for (const wait of recorded) {
    if (wait.type === "signal" && wait.until !== undefined) deadlines.set(wait.name, wait.until);
  }
  const limits = new Set(deadlines.values());
  return open.waitsFor.flatMap((wait): KnownWait[] => {
    if (wait.type === "signal" && deadlines.has(wait.name)) return [{ ...wait, until: deadlines.get(wait.name) }];
    return wait.type === "timer" && limits.has(wait.dueAt) ? [] : [wait];
  });
}

/** The commands of a history that have no outcome. */
function recordedWaits(history: readonly WorkflowEvent[]): KnownWait[] {
  const open = new Map<number | string, KnownWait>();
  for (const event of history) {
    switch (event.type) {
      case "workflow_started":
        if (event.startAt !== undefined) open.set("start", { type: "start", startAt: event.startAt });
        continue;
      case "activity_started":
        open.set(event.seq, { type: "activity", name: event.name, attempt: 1, status: "running" });
        break;
      case "activity_attempt_failed": {
        const wait = open.get(event.seq);
        if (wait?.type !== "activity") break;
        open.set(event.seq, { ...wait, attempt: event.attempt + 1, status: "retrying", retryAt: event.retryAt });
        break;
      }
      case "timer_started": {
        const { waitsFor } = event as { waitsFor?: { readonly signal: string } | "condition" | "scope" };
        const until = event.dueAt;
        if (waitsFor === undefined) open.set(event.seq, { type: "timer", dueAt: until });
        else if (typeof waitsFor === "object") open.set(event.seq, { type: "signal", name: waitsFor.signal, until });
        else if (waitsFor === "condition") open.set(event.seq, { type: "condition", until });
        break;
      }
      case "child_started":
        open.set(event.seq, { type: "child", workflowId: event.workflowId });
        break;
      case "child_attempt_failed": {
        const wait = open.get(event.seq);
        if (wait?.type === "child") open.set(event.seq, { ...wait, retryAt: event.retryAt });
        break;
      }
      case "signal_received": // ends the wait for it, if there is one
        for (const [key, wait] of open) {
          if (wait.type !== "signal" || wait.name !== event.name) continue;
          open.delete(key);
          break;
        }
        continue;
      case "activity_completed":
      case "activity_failed":
      case "timer_fired":
      case "child_completed":
      case "child_failed":
        open.delete(event.seq);
    }
    if ("seq" in event) open.delete("start");
  }
  return [...open.values()];
}

/** What a run waits for, as the end of a sentence. `isShort`: for a row of the list, without links. */
export function describeWaits(waits: readonly KnownWait[], now: number, isShort: boolean): Html | undefined {
  const children = waits.filter(({ type }) => type === "child");
  const isMany = isShort && children.length > 1 || children.length > 8;
  const parts: Content[] = waits.filter((wait) => !(isMany && wait.type === "child")).slice(0, isShort ? 3 : 12)
    .map((wait) => describe(wait, now, isShort));
  if (isMany) parts.push(markup`<b>${children.length}</b> children`);
  if (parts.length === 0) return undefined;
  const joined = parts.map((part, i) => [i === 0 ? "" : i === parts.length - 1 && !isShort ? " and " : ", ", part]);
  return markup`${isShort ? "waits for " : "Waits for "}${joined}`;
}

function describe(wait: KnownWait, now: number, isShort: boolean): Html {
  const limit = wait.until !== undefined && markup`, at most <b>${duration(wait.until - now)}</b> more`;
  switch (wait.type) {
    case "signal":
      return markup`signal <b>${wait.name}</b>${limit}`;
    case "timer":
      return markup`a timer ${due(wait.dueAt, now)}`;
    case "activity": {
      const { name, attempt, status, retryAt } = wait;
      const when = status === "retrying" && retryAt !== undefined
        ? markup` ${due(retryAt, now)}`
        : status === "queued" && " in a queue";
      return markup`activity <b>${name}</b>${attempt > 1 && `, attempt ${attempt}`}${when}${
        wait.canceled && ", canceled"
      }`;
    }
    case "child": {
      const { workflowId, retryAt } = wait;
      const id = isShort ? workflowId : markup`<a href="${link({ id: workflowId })}">${workflowId}</a>`;
      return markup`child <b>${id}</b>${retryAt !== undefined && markup`, again ${due(retryAt, now)}`}`;
    }
    case "condition":
      return markup`a condition${limit}`;
    case "slot":
      return markup`a slot of <b>maxConcurrentWorkflows</b>`;
    case "dormant":
      return markup`its next event, dormant${wait.wakesAt !== undefined && markup`, wakes ${due(wait.wakesAt, now)}`}`;
    case "start":
      return markup`its start ${due(wait.startAt, now)}`;
  }
}

function due(at: number, now: number): Html {
  return at > now ? markup`<b>in ${duration(at - now)}</b>` : markup`<b>due</b>`;
}
