/**
 * A stored run as plain text, for the message of a failed test.
 *
 * 1. No line is wider than 100 columns, whatever the names and values are.
 * 2. Lines are in the order of the events, and have their numbers. A begin and an end with nothing between are one line.
 * 3. There are never more than `maxLines` lines: of similar lines the first and the last are shown.
 *
 * @module
 */

import type { TimerStartedEvent, WorkflowEvent } from "../types.ts";
import { checkInteger, checkOptions } from "../util/check.ts";
import { grouped, printable, showError, showValue } from "../util/show_value.ts";
import { collapse } from "./collapse.ts";
import {
  describeStatus,
  type Instant,
  isSpan,
  type PicturedRun,
  type ReadOptions,
  type ReadRun,
  type Span,
  type TimelineMark,
} from "./model.ts";
import { checkReadOptions, READ_OPTIONS, readRun } from "./read.ts";
import { sharesOf } from "./shares.ts";
import { fit, formatDuration, formatSince, nameOf, pad, plural, widthOf, wrap } from "./text.ts";
import { describeWaits } from "./waits.ts";

const WIDTH = 100;
const LABEL_WIDTH = "workflow completed".length;
/** How many lines an error takes at most. */
const MAX_HEIGHT = 3;
const NAME_WIDTH = 36;
/** The maximum width of an input that is in one line with its outcome. */
const MAX_INPUT = 24;
/** How many kinds of omitted rows are named. */
const MAX_KINDS = 3;
const MIN_LINES = 10;
const MARK_WIDTH = 60;

/**
 * Options of {@linkcode formatTimeline}.
 *
 * @category Pictures
 */
export interface TimelineOptions extends ReadOptions {
  /**
   * Maximum number of lines; an integer from 10.
   *
   * @default {60}
   */
  readonly maxLines?: number | undefined;
  /**
   * Lines between the events, in order.
   *
   * @default {[]}
   */
  readonly marks?: readonly TimelineMark[] | undefined;
}

interface Row {
  readonly index: string;
  readonly time: string;
  readonly label: string;
  readonly details: string;
  /** Rows with the same key are of the same kind. */
  readonly key: string;
}

/**
 * Shows a run as text: what happened and when (relative to the start of the run), how long it took, how it ended, and where
 * the time went.
 *
 * @param run The stored state of the run, or the parts of it that a picture needs.
 * @param options All are optional.
 * @returns Lines of at most 100 columns, without a newline after the last one.
 * @throws {TypeError} If an option is unknown, or `waitsFor` is not an array.
 * @throws {RangeError} If `maxLines` is not an integer from 10, or `now` is not a finite number.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { formatTimeline } from "@rockpool/workflow/pictures";
 * import { assertEquals } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await using executor = new Executor({ store, clock: new VirtualClock() });
 * async function nap(ctx: WorkflowContext) {
 *   await ctx.sleep(1500);
 *   return "awake";
 * }
 * await (await executor.execute(nap, { id: "a" })).result();
 * assertEquals(formatTimeline((await store.load("a"))!).split("\n"), [
 *   'nap "a" completed in 1.5 s, 4 events',
 *   "  1  +00:00:00.000  workflow started",
 *   "2-3  +00:00:00.000  timer               1.5 s",
 *   '  4  +00:00:01.500  workflow completed  "awake"',
 *   "where the time went: timers 1.5 s (100 %)",
 * ]);
 * ```
 *
 * @category Pictures
 */
export function formatTimeline(run: PicturedRun, options: TimelineOptions = {}): string {
  const action = "format the timeline of workflow";
  checkOptions(options, { ...READ_OPTIONS, maxLines: true, marks: true }, action, run.workflowId);
  checkReadOptions(options, action, run.workflowId);
  const { maxLines = 60, marks = [], now, waitsFor } = options;
  checkInteger("maxLines", maxLines, MIN_LINES, action, run.workflowId);
  const read = readRun(run, { now, waitsFor });
  const { name, id, history } = read;
  const rows = rowsOf(read, marks);
  const widest = (column: "index" | "time") => rows.reduce((width, row) => Math.max(width, row[column].length), 0);
  const [indexWidth, timeWidth] = [widest("index"), widest("time")];
  const indent = indexWidth + timeWidth + 4;
  const detailsAt = indent + LABEL_WIDTH + 2;

  const [shortName, status] = [fit(name, NAME_WIDTH), `${describeStatus(read)}, ${plural(history.length, "event")}`];
  const shortId = fit(id, Math.max(10, WIDTH - widthOf(`${shortName}  "" ${status}`)));
  // Without the present or the waits of the executor, the lines of what is not over yet say all.
  const waits = now === undefined && waitsFor === undefined ? "" : describeWaits(read.waits, read.to);
  const tail = [...wrap(waits, WIDTH, 2), ...wrap(summaryOf(read), WIDTH, 2)].filter((line) => line !== "");
  const blocks = rows.map(({ index, time, label, details }) => {
    const start = `${index.padStart(indexWidth)}  ${time.padStart(timeWidth)}  `;
    if (index === "") {
      const text = `══ ${fit(details, WIDTH - indent - 6)} `;
      return [start + text + "═".repeat(Math.max(2, MARK_WIDTH - widthOf(text)))];
    }
    return wrap(details, WIDTH - detailsAt, /failed|canceled/.test(label) ? MAX_HEIGHT : 1)
      .map((line, i) => `${i === 0 ? start + pad(label, LABEL_WIDTH) : " ".repeat(detailsAt - 2)}  ${line}`.trimEnd());
  });
  const items = rows.map(({ key }, i) => ({ key, height: blocks[i].length }));
  const body = collapse(items, maxLines - 1 - tail.length).flatMap(({ from, to, shown }) =>
    shown ? blocks[from] : fit(`${" ".repeat(indent)}… ${describeGap(rows.slice(from, to))}`, WIDTH)
  );
  return [fit(`${shortName} "${shortId}" ${status}`, WIDTH), ...body, ...tail].join("\n");
}

function rowsOf(run: ReadRun, marks: readonly TimelineMark[]): Row[] {
  const rows: Row[] = [];
  const since = (at: number) => formatSince(at - run.startedAt);
  const addMarks = (isHere: (after: number) => boolean) => {
    for (const { after, at, text } of marks) {
      if (!isHere(after)) continue;
      rows.push({ index: "", time: at === undefined ? "" : since(at), label: "", details: printable(text), key: text });
    }
  };
  for (let i = 0; i < run.history.length; i++) {
    addMarks((after) => after === i);
    const event = run.history[i];
    const owner = run.owners[i];
    const { name = "" } = owner ?? {};
    // A begin and an end with nothing between are one line.
    const folded = owner !== undefined && isSpan(owner) && !/open|left/.test(owner.outcome) &&
      owner.from.index === i && owner.to.index === i + 1 && run.owners[i + 1] === owner &&
      !marks.some(({ after }) => after === i + 1);
    const index = folded ? `${i + 1}-${i + 2}` : `${i + 1}`;
    const shown = folded ? run.history[++i] : event;
    const label = folded && event.type === "timer_started" ? "timer" : labelOf(shown);
    const details = detailsOf(run, shown, owner, folded ? event : undefined);
    rows.push({ index, time: since(event.at), label, details, key: `${label} ${name}` });
  }
  addMarks((after) => after >= run.history.length);
  return rows;
}

function labelOf(event: WorkflowEvent): string {
  if (event.type === "compensation_started") return "compensation";
  if (event.type === "activity_attempt_failed" || event.type === "child_attempt_failed") {
    return `attempt ${event.attempt} failed`;
  }
  return fit(nameOf(event.type).replaceAll("_", " "), LABEL_WIDTH);
}

/** @param begin The event that began what `event` ends, if both are in one line. */
function detailsOf(
  run: ReadRun,
  event: WorkflowEvent,
  owner: Span | Instant | undefined,
  begin: WorkflowEvent | undefined,
): string {
  const name = owner ? fit(owner.name, NAME_WIDTH) : "?";
  const tookMs = owner && isSpan(owner) ? owner.to.at - owner.from.at : 0;
  const took = formatDuration(tookMs);
  const ended = tookMs > 0 ? `${name} in ${took}` : name;
  const input = begin && "input" in begin && begin.input !== undefined ? showValue(begin.input) : "";
  const outcome = (value: unknown) =>
    // with the input, if that leaves room for the outcome
    input === "" || widthOf(input) > MAX_INPUT ? given(": ", value) : `: ${input}${given(" → ", value)}`;
  const given = (what: string, value: unknown) => value === undefined ? "" : `${what}${showValue(value)}`;
  switch (event.type) {
    case "workflow_started": {
      const { input, timeoutMs, startAt, firstRunId, forkedFrom, parent, at } = event;
      return [
        given("input ", input),
        timeoutMs === undefined ? "" : `within ${formatDuration(timeoutMs)}`,
        startAt === undefined ? "" : `begins in ${formatDuration(startAt - at)}`,
        firstRunId === undefined ? "" : "continues an earlier run",
        forkedFrom === undefined ? "" : `fork of ${showValue(forkedFrom.workflowId)} after event ${forkedFrom.events}`,
        parent === undefined ? "" : `child of ${showValue(parent.workflowId)}`,
      ].filter((part) => part !== "").join(", ");
    }
    case "workflow_completed":
      return given("", event.result);
    case "workflow_failed":
    case "workflow_canceled":
      return showError(event.error);
    case "cancel_requested":
      return event.timeoutMs === undefined
        ? printable(event.reason ?? "no reason given")
        : `not done within ${formatDuration(event.timeoutMs)}`;
    case "activity_started":
    case "child_started":
    case "update_requested":
    case "update_accepted":
    case "compensation_started": {
      const id = event.type === "child_started" ? ` ${showValue(event.workflowId)}` : "";
      return `${name}${id}${given(": ", "input" in event ? event.input : undefined)}${endOf(run, owner)}`;
    }
    case "activity_attempt_failed":
    case "child_attempt_failed":
      return `${name}: ${showError(event.error)}; next in ${formatDuration(event.retryAt - event.at)}`;
    case "activity_heartbeat":
      return `${name}${given(": ", event.details)}`;
    case "child_begun":
    case "patched":
      return name;
    case "activity_completed":
      return `${ended}${event.attempt === 1 ? "" : `, attempt ${event.attempt}`}${outcome(event.result)}`;
    case "activity_failed":
      return `${ended}, attempt ${event.attempt}: ${showError(event.error)}`;
    case "timer_started": {
      return `${limited(event)} ${formatDuration(event.dueAt - event.at)}${endOf(run, owner)}`;
    }
    case "timer_fired":
      if (begin?.type === "timer_started") {
        return begin.waitsFor === undefined ? took : `${limited(begin)} ${took}, expired`;
      }
      return !owner || !isSpan(owner)
        ? ""
        : owner.outcome === "done"
        ? `after ${took}`
        : `${nounOf(owner)} expired after ${took}`;
    case "child_completed":
      return `${ended}${outcome(event.result)}`;
    case "child_failed":
    case "update_rejected":
      return `${ended}: ${showError(event.error)}`;
    case "update_completed":
      return `${ended}: ${event.error ? showError(event.error) : showValue(event.result)}`;
    case "signal_received": {
      const from = event.senderId === undefined ? "" : ` from ${printable(event.senderId)}`;
      return `${name}${from}${given(": ", event.payload)}`;
    }
    case "side_effect":
      return event.error ? showError(event.error) : showValue(event.value);
    case "labels_changed":
      return showValue(event.labels);
    default: { // an event of a later version
      const { type: _type, at: _at, ...details } = event as WorkflowEvent;
      return showValue(details);
    }
  }
}

/** What a timer limits: `for`, or `signal approval within`. */
function limited({ waitsFor }: TimerStartedEvent): string {
  if (waitsFor === undefined) return "for";
  return `${typeof waitsFor === "object" ? `signal ${fit(nameOf(waitsFor.signal), NAME_WIDTH)}` : waitsFor} within`;
}

/** The name of a wait with a deadline. */
function nounOf({ kind, name }: Span): string {
  return kind === "signal" ? `signal ${fit(name, NAME_WIDTH)}` : kind;
}

/** How a span ended, if no later line of its own says so. */
function endOf({ to: present, owners, now }: ReadRun, owner: Span | Instant | undefined): string {
  if (owner === undefined || !isSpan(owner) || owner.kind === "compensation") return "";
  const { kind, outcome, from, to, dueAt } = owner;
  const took = formatDuration(to.at - from.at);
  switch (outcome) {
    case "open":
      if (now === undefined) return "; not over yet";
      if (dueAt === undefined) return `; not over yet, ${took} so far`;
      return `; not over yet, due ${dueAt > present ? `in ${formatDuration(dueAt - present)}` : "now"}`;
    case "left":
      return kind === "scope" || kind === "condition" ? "; not expired" : "; never ended";
    case "canceled":
      return owners[to.index] === owner ? "" : `; canceled after ${took}`;
    case "done":
      return kind === "signal" ? `; came after ${took}` : "";
    default:
      return "";
  }
}

/** Describes omitted rows: `1,950 more: 975 × timer, 975 × activity completed`. */
function describeGap(rows: readonly Row[]): string {
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  const kinds = [...counts].sort(([, a], [, b]) => b - a).map(([label, count]) => `${grouped(count)} × ${label}`);
  return `${grouped(rows.length)} more: ${kinds.slice(0, MAX_KINDS).join(", ")}${
    kinds.length > MAX_KINDS ? ", …" : ""
  }`;
}

function summaryOf(run: ReadRun): string {
  const shares = sharesOf(run).map(({ what, ms, percent }) =>
    `${what} ${formatDuration(ms)}${percent === "" ? "" : ` (${percent})`}`
  );
  return shares.length === 0 ? "" : `where the time went: ${shares.join(", ")}`;
}
