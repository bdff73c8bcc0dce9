/**
 * Shows a workflow's history as plain text, event by event.
 *
 * Works on any history, not only on that of the demo. Owns the layout; prints nothing itself.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 * import { formatTimeline } from "./timeline.ts";
 *
 * await using executor = new Executor({ store: new InMemoryStore(), clock: new VirtualClock() });
 * async function nap(ctx: WorkflowContext) {
 *   await ctx.sleep(1500);
 *   return "awake";
 * }
 * await (await executor.execute(nap, { id: "a" })).result();
 * const lines = formatTimeline(await executor.query("a", "state")).split("\n");
 * assertEquals(lines, [
 *   "1  +00:00:00.000  workflow started    nap",
 *   "2  +00:00:00.000  timer started       for 1.5 s",
 *   "3  +00:00:01.500  timer fired         after 1.5 s",
 *   "4  +00:00:01.500  workflow completed  awake",
 * ]);
 * ```
 *
 * @module
 */

import type { ErrorRecord, WorkflowEvent, WorkflowState } from "@rockpool/workflow";
import { wrap } from "./wrap.ts";

/** A line that stands between two events. */
export interface TimelineMark {
  /** How many events stand before it. */
  readonly after: number;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
  /** What to say. */
  readonly text: string;
}

/** Options of {@linkcode formatTimeline}. */
export interface TimelineOptions {
  /** Lines between the events, in order. @default {none} */
  readonly marks?: readonly TimelineMark[];
  /** How many characters a line has at most, from 70. @default {100} */
  readonly width?: number;
  /** What every line begins with. @default {""} */
  readonly indent?: string;
}

interface Row {
  readonly index: string;
  readonly time: string;
  readonly label: string;
  readonly details: string;
}

const LABEL_WIDTH = "workflow completed".length;
const MIN_DETAILS_WIDTH = 10;
/** Of one event. */
const MAX_LINES = 3;

/**
 * Shows a history. Times count from the run's creation.
 *
 * @param state The workflow, as the store has it.
 * @param options Every one is optional.
 * @returns Lines without a newline after the last.
 */
export function formatTimeline(
  state: Pick<WorkflowState, "history" | "createdAt">,
  options: TimelineOptions = {},
): string {
  const { marks = [], width = 100, indent = "" } = options;
  const { history, createdAt } = state;
  const commands = new Map<number, WorkflowEvent>();
  const rows: Row[] = [];
  const since = (at: number) => formatSince(at - createdAt);
  const addMarks = (isHere: (after: number) => boolean) => {
    for (const { after, at, text } of marks) {
      if (isHere(after)) {
        rows.push({ index: "", time: since(at), label: "", details: printable(text) });
      }
    }
  };
  history.forEach((event, i) => {
    addMarks((after) => after === i);
    if (event.type === "activity_started" || event.type === "timer_started") {
      commands.set(event.seq, event);
    }
    rows.push({
      index: String(i + 1),
      time: since(event.at),
      label: event.type === "activity_attempt_failed"
        ? `attempt ${event.attempt} failed`
        : event.type.replaceAll("_", " "),
      details: describe(event, commands),
    });
  });
  addMarks((after) => after >= history.length);

  const indexWidth = String(history.length).length;
  const timeWidth = rows.reduce((width, { time }) => Math.max(width, time.length), 0);
  return rows.flatMap(({ index, time, label, details }) => {
    const head = `${indent}${index.padStart(indexWidth)}  ${time.padStart(timeWidth)}  `;
    if (index === "") return wrap(`${head}══ ${details} `, width, 1)[0].padEnd(width, "═");
    const start = `${head}${label.padEnd(LABEL_WIDTH)}  `;
    return wrap(details, Math.max(width - start.length, MIN_DETAILS_WIDTH), MAX_LINES)
      .map((line, i) => (i === 0 ? start : " ".repeat(start.length)) + line)
      .map((line) => line.trimEnd());
  }).join("\n");
}

/** Shows a time that is counted from another one: `+00:00:01.250`, `+30d 00:00:01.250`. */
export function formatSince(ms: number): string {
  const rest = Math.abs(Math.round(ms));
  const part = (unitMs: number, count: number, digits = 2) =>
    String(Math.floor(rest / unitMs) % count).padStart(digits, "0");
  const days = Math.floor(rest / 86_400_000);
  const clock = `${part(3_600_000, 24)}:${part(60_000, 60)}:${part(1000, 60)}.${part(1, 1000, 3)}`;
  return `${ms < 0 ? "-" : "+"}${days > 0 ? `${days}d ` : ""}${clock}`;
}

/** Shows a duration with its two largest units: `250 ms`, `1.5 s`, `20 min`, `30 d 2 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    `${Math.floor(seconds / 86_400)} d`,
    `${Math.floor(seconds / 3600) % 24} h`,
    `${Math.floor(seconds / 60) % 60} min`,
    `${seconds % 60} s`,
  ];
  const first = parts.findIndex((part) => !part.startsWith("0"));
  return parts.slice(first, first + 2).filter((part) => !part.startsWith("0")).join(" ");
}

/** Shows any stored value on one line. */
export function formatValue(value: unknown): string {
  if (typeof value === "string") return printable(value);
  return printable(Deno.inspect(value, {
    compact: true,
    breakLength: Infinity,
    depth: 3,
    iterableLimit: 10,
    strAbbreviateSize: 80,
  }));
}

/** Shows an error on one line, with what it was caused by. */
export function formatError({ name, message, cause }: ErrorRecord): string {
  const text = message === "" ? name : `${name}: ${message}`;
  return printable(cause === undefined ? text : `${text}, caused by ${formatError(cause)}`);
}

function describe(event: WorkflowEvent, commands: ReadonlyMap<number, WorkflowEvent>): string {
  const command = "seq" in event ? commands.get(event.seq) : undefined;
  const name = command?.type === "activity_started" ? printable(command.name) : "?";
  switch (event.type) {
    case "workflow_started": {
      const limit = event.timeoutMs === undefined ? "" : `, within ${formatDuration(event.timeoutMs)}`;
      return `${printable(event.workflowName)}${limit}`;
    }
    case "workflow_completed":
      return formatValue(event.result);
    case "workflow_failed":
    case "workflow_canceled":
      return formatError(event.error);
    case "cancel_requested":
      return event.timeoutMs === undefined
        ? printable(event.reason ?? "no reason given")
        : `not done within ${formatDuration(event.timeoutMs)}`;
    case "activity_started":
      return name;
    case "activity_attempt_failed": {
      const next = formatDuration(event.retryAt - event.at);
      return `${name}: ${formatError(event.error)}; next in ${next}`;
    }
    case "activity_heartbeat":
      return `${name}: ${formatValue(event.details)}`;
    case "activity_completed": {
      const attempt = event.attempt === 1 ? "" : `, attempt ${event.attempt}`;
      return `${name}${attempt}: ${formatValue(event.result)}`;
    }
    case "activity_failed":
      return `${name}, attempt ${event.attempt}: ${formatError(event.error)}`;
    case "timer_started":
      return `for ${formatDuration(event.dueAt - event.at)}`;
    case "timer_fired":
      return command === undefined ? "" : `after ${formatDuration(event.at - command.at)}`;
    case "signal_received": {
      const from = event.senderId === undefined ? "" : ` from ${printable(event.senderId)}`;
      return `${printable(event.name)}${from}: ${formatValue(event.payload)}`;
    }
    default: { // of a later version
      const { type: _type, at: _at, ...details } = event as WorkflowEvent;
      return formatValue(details);
    }
  }
}

/** One line, and nothing that moves a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
