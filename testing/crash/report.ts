/**
 * What a failed test of the kit prints: histories, how two of them differ, and what in the code can be the cause.
 *
 * @module
 */

import type { WorkflowEvent, WorkflowState } from "../../types.ts";
import { encode } from "../../history/codec.ts";
import { toStored } from "../../history/value.ts";
import { show } from "../../util/show.ts";
import { describeEvent, type JournalRun } from "./journal.ts";
import type { Death } from "./simulated_process.ts";
import { formatTimeline } from "../../pictures/timeline.ts";

/** How long the text of a value may be in a line. */
const MAX_VALUE = 80;

/** The histories of all runs, with the deaths of processes marked. */
export function formatHistories(
  title: string,
  states: readonly WorkflowState[],
  deaths: readonly Death[] = [],
): string {
  const timelines = states.map((state) => {
    const marks = deaths.filter(({ runId }) => runId === state.runId).map(({ side, number }) => ({
      after: side === "before" ? number - 1 : number,
      text: "the process dies",
    }));
    return formatTimeline(state, { marks });
  });
  return [`${title}:`, ...timelines].join("\n");
}

/** An event as it is compared: without times, stacks, and what is random by nature. */
export function comparable(event: WorkflowEvent): string {
  const { at, ...rest } = event;
  const shown = "dueAt" in rest ? { ...rest, dueAt: Math.round((rest.dueAt - at) * 1000) / 1000 } : rest; // how long
  const hidden = ["stack", "signalId", "retryAt"];
  return JSON.stringify(encode(shown, "compare"), (key, value) => hidden.includes(key) ? undefined : value);
}

/** The events in which two runs differ, whatever their order. Heartbeats are as many as the time allows. */
export function differences(a: JournalRun | undefined, b: JournalRun | undefined): [WorkflowEvent[], WorkflowEvent[]] {
  const [left, right] = [a, b].map((run) => run?.events.filter(({ type }) => type !== "activity_heartbeat") ?? []);
  return [missing(left, right), missing(right, left)];
}

/** Those of `events` that `others` do not have, or not as often. */
function missing(events: WorkflowEvent[], others: WorkflowEvent[]): WorkflowEvent[] {
  const counts = new Map<string, number>();
  for (const text of others.map(comparable)) counts.set(text, (counts.get(text) ?? 0) + 1);
  return events.filter((event) => {
    const text = comparable(event);
    const count = counts.get(text) ?? 0;
    counts.set(text, count - 1);
    return count <= 0;
  });
}

/** An event in words, with what it holds. */
export function lineOf(event: WorkflowEvent, history: readonly WorkflowEvent[]): string {
  const { result, input, payload, value, error } = event as unknown as Record<string, unknown>;
  const held = error !== undefined ? describeError(error) : valueText(result ?? input ?? payload ?? value);
  return `${describeEvent(event, history)}${held === "" ? "" : `  ${held}`}`;
}

/** A value in a line. */
export function valueText(value: unknown): string {
  if (value === undefined) return "";
  let text: string;
  try {
    text = JSON.stringify(encode(value, "show"));
  } catch {
    text = show(value);
  }
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

/** A value as a text, to compare it. */
export function textOf(value: unknown): string {
  return JSON.stringify(encode(toStored(value, "value"), "compare"));
}

/** An error, or the record of one, in a line. */
export function describeError(error: unknown): string {
  const { name, message } = Object(error);
  return typeof message === "string" ? `${name}: ${message.split("\n")[0]}` : show(error);
}

/** All that an error says. */
export function errorText(error: unknown): string {
  return error instanceof Error ? `${error}` : `thrown ${show(error)}`;
}

/** What workflow code must not do, and what to do instead. */
const suspects: readonly (readonly [RegExp, string])[] = [
  [/\bMath\.random\b/, "take ctx.random(), which answers the same on replay"],
  [
    /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bTemporal\.Now\b/,
    "take ctx.now(), which answers the same on replay",
  ],
  [/\brandomUUID\b|\bgetRandomValues\b/, "take ctx.uuid() or ctx.random(), which answer the same on replay"],
  [/\bsetTimeout\b|\bsetInterval\b|\bdelay\(/, "wait with ctx.sleep(), which survives a restart"],
  [/\bfetch\(|\bDeno\.|\bprocess\.|\blocalStorage\b/, "put it into an activity, whose answer is recorded"],
];

/** What an error says, without what is for code that was edited, and runs that are deployed: in a test, neither is so. */
export function messageOf(error: unknown): string {
  const lines = (error as Error).message.split("\n");
  return lines.filter((line) => !/^ {2}(Likely edit:|The stored run is unchanged)/.test(line)).join("\n");
}

/** What in the text of workflows looks as if it did something else each time. A hint: a text proves nothing. */
export function sourceHints(workflows: Readonly<Record<string, unknown>>): string[] {
  const hints: string[] = [];
  for (const [name, workflow] of Object.entries(workflows)) {
    for (const [i, line] of `${workflow}`.split("\n").entries()) {
      const code = line.replace(/(^|\s)\/\/.*/, "").trim();
      for (const [pattern, advice] of suspects) {
        if (pattern.test(code)) hints.push(`Line ${i + 1} of workflow ${show(name)} has \`${code}\`: ${advice}`);
      }
    }
  }
  return hints;
}

/** What to do about code that decides differently. */
export function advice(workflows: Readonly<Record<string, unknown>>): string {
  const hints = sourceHints(workflows);
  if (hints.length > 0) return hints.join("\n");
  return "The code decided differently although it was told the same, so something outside of ctx has changed: " +
    "a module variable, a closure, the environment\n" +
    "Keep what the workflow knows in variables inside of its function, and get what can differ from an activity or " +
    "from ctx.sideEffect()";
}
