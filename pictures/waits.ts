/**
 * What a run waits for: found in its history, and in words.
 *
 * An executor knows the waits of its live runs. For any other run they follow from the history: spans that are open. A wait that
 * records nothing, such as one for a signal without a deadline, is known to the executor only.
 *
 * @module
 */

import type { Wait } from "../options.ts";
import type { OpenWait, Span } from "./model.ts";
import { grouped } from "../util/show_value.ts";
import { formatDuration, nameOf } from "./text.ts";

/** How many waits are named. */
const MAX_WAITS = 4;

/** What a run waits for, with each deadline. */
export function waitsOf(waitsFor: readonly Wait[], open: readonly Span[], at: number): OpenWait[] {
  if (waitsFor.some(({ type }) => type !== "dormant")) return knownWaits(waitsFor, open);
  const recorded = recordedWaits(open, at);
  // A dormant run may also wait for signals. When it wakes by itself, the recorded waits say, if there are any.
  return [...recorded, ...recorded.length === 0 ? waitsFor : waitsFor.map(({ type }) => ({ type } as OpenWait))];
}

/** The waits that follow from open spans. */
function recordedWaits(open: readonly Span[], at: number): OpenWait[] {
  return open.flatMap((span): OpenWait[] => {
    const { kind, name, dueAt, attempts, childId } = span;
    const attempt = attempts[attempts.length - 1];
    const retryAt = attempt !== undefined && attempt.number > 1 && attempt.from.at > at ? attempt.from.at : undefined;
    switch (kind) {
      case "delay":
        return [{ type: "start", startAt: dueAt! }];
      case "timer":
        return [{ type: "timer", dueAt: dueAt! }];
      case "signal":
        return [{ type: "signal", name, until: dueAt }];
      case "condition":
        return [{ type: "condition", until: dueAt }];
      case "activity": {
        const { number } = attempt ?? { number: 1 };
        if (retryAt === undefined) return [{ type: "activity", name, attempt: number, status: "running" }];
        return [{ type: "activity", name, attempt: number, status: "retrying", retryAt }];
      }
      case "child":
        return [{ type: "child", workflowId: childId!, ...(retryAt !== undefined && { retryAt }) }];
      default:
        return [];
    }
  });
}

/** The waits of an executor: each wait with its deadline, instead of a timer beside it. */
function knownWaits(waitsFor: readonly Wait[], open: readonly Span[]): OpenWait[] {
  const limited = open.filter(({ kind, dueAt }) => dueAt !== undefined && /^(signal|condition|scope)$/.test(kind));
  const limits = limited.map(({ dueAt }) => dueAt!);
  return waitsFor.flatMap((wait): OpenWait[] => {
    if (wait.type === "timer") return takeFirst(limits, (limit) => limit === wait.dueAt) === undefined ? [wait] : [];
    if (wait.type !== "signal" && wait.type !== "condition") return [wait];
    const name = wait.type === "signal" ? nameOf(wait.name) : "";
    const span = takeFirst(limited, (span) => span.kind === wait.type && span.name === name);
    return [span === undefined ? wait : { ...wait, until: span.dueAt }];
  });
}

/** Removes the first item that fits, and returns it. */
export function takeFirst<Item>(items: Item[], fits: (item: Item) => boolean): Item | undefined {
  const index = items.findIndex(fits);
  return index < 0 ? undefined : items.splice(index, 1)[0];
}

/**
 * Describes one wait: `signal approval, deadline in 6 d 23 h`, `a timer in 20 min`, `activity charge, attempt 2 in 4 s`.
 *
 * @param wait The wait: one of {@linkcode ReadRun.waits}, or of `executor.openRuns()`.
 * @param now The present, in milliseconds since the epoch.
 *
 * @category Pictures
 */
export function describeWait(wait: OpenWait, now: number): string {
  const limit = wait.until === undefined ? "" : `, deadline ${due(wait.until, now)}`;
  switch (wait.type) {
    case "signal":
      return `signal ${nameOf(wait.name)}${limit}`;
    case "condition":
      return `a condition${limit}`;
    case "timer":
      return `a timer ${due(wait.dueAt, now)}`;
    case "activity": {
      const { name, attempt, status, retryAt, canceled } = wait;
      const again = attempt > 1 ? `, attempt ${attempt}` : "";
      const when = status === "queued" ? ", queued" : retryAt === undefined ? "" : ` ${due(retryAt, now)}`;
      return `activity ${nameOf(name)}${again}${when}${canceled ? ", canceled" : ""}`;
    }
    case "child": {
      const { workflowId, retryAt, canceled } = wait;
      const again = retryAt === undefined ? "" : `, next attempt ${due(retryAt, now)}`;
      return `child ${nameOf(workflowId)}${again}${canceled ? ", canceled" : ""}`;
    }
    case "slot":
      return "a slot of maxConcurrentWorkflows";
    case "dormant":
      return wait.wakesAt === undefined ? "its next event, dormant" : `a timer ${due(wait.wakesAt, now)}, dormant`;
    case "start":
      return `its start ${due(wait.startAt, now)}`;
  }
}

/**
 * Describes waits as the end of a sentence: `waits for signal approval, deadline in 6 d 23 h`. Of many waits the first ones are
 * named.
 *
 * @param waits The waits: those of {@linkcode ReadRun.waits}, or of `executor.openRuns()`.
 * @param now The present, in milliseconds since the epoch.
 * @returns The text; empty if there is no wait.
 *
 * @example
 * ```ts
 * import { describeWaits } from "@rockpool/workflow/pictures";
 * import { assertEquals } from "@std/assert";
 *
 * const waits = [{ type: "signal", name: "approval" }, { type: "timer", dueAt: 604_800_000 }] as const;
 * assertEquals(describeWaits(waits, 3_600_000), "waits for signal approval; a timer in 6 d 23 h");
 * assertEquals(describeWaits([], 0), "");
 * ```
 *
 * @category Pictures
 */
export function describeWaits(waits: readonly OpenWait[], now: number): string {
  if (waits.length === 0) return "";
  const named = waits.slice(0, waits.length > MAX_WAITS ? MAX_WAITS - 1 : MAX_WAITS);
  const texts = named.map((wait) => describeWait(wait, now));
  if (waits.length > named.length) texts.push(`${grouped(waits.length - named.length)} more`);
  return `waits for ${texts.join("; ")}`;
}

function due(at: number, now: number): string {
  return at > now ? `in ${formatDuration(at - now)}` : "due now";
}
