/**
 * A stored run as a Mermaid diagram, for pages and issues that draw such diagrams.
 *
 * 1. The text parses, whatever the names and values are: all characters except letters, digits and a few safe marks are
 *    written as entities, and no line begins with a user's text.
 * 2. The text stays below the limit of Mermaid, 50,000 characters: of similar steps the first and the last are shown.
 *
 * @module
 */

import type { TimerStartedEvent } from "../types.ts";
import { checkChoice, checkOptions } from "../util/check.ts";
import { grouped, showError, showValue } from "../util/show_value.ts";
import { collapse } from "./collapse.ts";
import {
  type Attempt,
  describeStatus,
  type Instant,
  isSpan,
  labelOf,
  type PicturedRun,
  type ReadOptions,
  type ReadRun,
  type Span,
  type TimelineMark,
  timeOf,
} from "./model.ts";
import { checkReadOptions, READ_OPTIONS, readRun } from "./read.ts";
import { cellsOf, fit, formatDuration, nameOf } from "./text.ts";
import { describeWaits } from "./waits.ts";

/**
 * Options of {@linkcode toMermaid}.
 *
 * @category Pictures
 */
export interface MermaidOptions extends ReadOptions {
  /** A Gantt chart shows how long everything took. A sequence diagram shows calls and their results. */
  readonly kind: "gantt" | "sequence";
  /**
   * Marks between the events, in order: milestones of a Gantt chart, notes of a sequence diagram.
   *
   * @default {[]}
   */
  readonly marks?: readonly TimelineMark[] | undefined;
}

const MAX_STEPS = 100;
const MAX_TEXT = 60;
/** Without the workflow and the outside. Further names share one more participant. */
const MAX_PARTICIPANTS = 12;

/**
 * Writes a run as a Mermaid diagram.
 *
 * @param run The stored state of the run, or the parts of it that a picture needs.
 * @param options The kind of the diagram.
 * @returns Lines, without a newline after the last one.
 * @throws {TypeError} If an option is unknown, `kind` is neither `"gantt"` nor `"sequence"`, or `waitsFor` is not an array.
 * @throws {RangeError} If `now` is not a finite number.
 *
 * @example
 * ```ts
 * import { toMermaid } from "@rockpool/workflow/pictures";
 * import { assertEquals } from "@std/assert";
 *
 * const history = [
 *   { type: "workflow_started", at: 0, workflowName: "order" },
 *   { type: "activity_started", at: 0, seq: 0, name: "charge" },
 *   { type: "activity_completed", at: 900, seq: 0, attempt: 1, result: "paid" },
 * ] as const;
 * const run = { workflowId: "a", workflowName: "order", status: "running", history } as const;
 * assertEquals(toMermaid(run, { kind: "sequence" }).split("\n"), [
 *   "sequenceDiagram",
 *   "  participant w as order a",
 *   "  participant p0 as charge",
 *   "  w->>p0: starts",
 *   '  p0-->>w: "paid"',
 *   "  Note over w: running for 900 ms at the last event",
 * ]);
 * ```
 *
 * @category Pictures
 */
export function toMermaid(run: PicturedRun, options: MermaidOptions): string {
  checkOptions(options, { ...READ_OPTIONS, kind: true, marks: true }, "draw workflow", run.workflowId);
  const { kind, marks = [], now, waitsFor } = options;
  checkChoice("kind", kind ?? null, ["gantt", "sequence"], "draw workflow", run.workflowId);
  checkReadOptions(options, "draw workflow", run.workflowId);
  const read = readRun(run, { now, waitsFor });
  return (kind === "gantt" ? ganttOf(read, marks) : sequenceOf(read, marks)).join("\n");
}

/** A line of a Gantt chart. */
interface Task {
  readonly label: string;
  readonly tag: "done, " | "crit, " | "active, " | "";
  readonly from: number;
  readonly to: number;
  readonly key: string;
  readonly height: 1;
}

function ganttOf(run: ReadRun, marks: readonly TimelineMark[]): string[] {
  const timed = marks.map((mark) => ({ ...mark, at: timeOf(mark, run) }));
  const offset = timed.reduce((least, { at }) => Math.min(least, at), Math.min(0, run.from)); // Mermaid has no times below 0
  const rest = [...timed];
  const tasks = run.things.flatMap((
    thing,
  ) => [...marksBefore(rest, thing.from.index).map(markTask), ...tasksOf(thing)]);
  tasks.push(...rest.map(markTask));
  const taskText = ({ label, tag, from, to }: Task): string => {
    const [start, end] = [Math.floor(from - offset), Math.floor(to - offset)];
    return `  ${safe(label)} :${end > start ? tag : `milestone, ${tag}`}${start}, ${end}`;
  };
  return [
    "gantt",
    `  title ${safe(`${run.name} ${run.id}`)} ${safe(describeStatus(run))}`,
    "  dateFormat x",
    `  axisFormat ${axisOf(run.to - run.from)}`,
    "  todayMarker off",
    ...collapse(tasks, MAX_STEPS).map(({ from, to, shown }) => {
      if (shown) return taskText(tasks[from]);
      const left = tasks.slice(from, to);
      const end = left.reduce((end, { to }) => Math.max(end, to), left[0].from);
      return taskText({ ...left[0], label: `… ${grouped(left.length)} more`, tag: "", to: end });
    }),
  ];
}

/** Removes the marks that come before the event at a position, and returns them. */
function marksBefore<Mark extends TimelineMark>(rest: Mark[], index: number): Mark[] {
  const later = rest.findIndex(({ after }) => after > index);
  return rest.splice(0, later < 0 ? rest.length : later);
}

function markTask({ at, text }: TimelineMark & { readonly at: number }): Task {
  return { label: `mark ${nameOf(text)}`, tag: "crit, ", from: at, to: at, key: text, height: 1 };
}

const TAGS = { done: "done, ", failed: "crit, ", open: "active, ", left: "", canceled: "", expired: "done, " } as const;
const ENDS: Partial<Record<Span["outcome"], string>> = { canceled: ", canceled", expired: ", expired" };

/** A task for each attempt of an activity if it had several; else one task. */
function tasksOf(thing: Span | Instant): Task[] {
  const { kind, name, from } = thing;
  const label = kind === "activity" ? `activity ${name}` : labelOf(thing); // no line may begin with a user's text
  if (!isSpan(thing)) return [{ label, tag: "", from: from.at, to: from.at, key: label, height: 1 }];
  const task = (tag: Task["tag"], from: number, to: number, label: string): Task => {
    return { label, tag, from, to, key: label + tag, height: 1 };
  };
  const { attempts, outcome, to } = thing;
  const ended = ENDS[outcome] ?? "";
  if (attempts.length < 2) return [task(TAGS[outcome], from.at, to.at, label + ended)];
  return attempts.map(({ number, from, to: end, error }: Attempt) =>
    task(error ? "crit, " : TAGS[outcome], from.at, (end ?? to).at, `${label}, attempt ${number}${error ? "" : ended}`)
  );
}

/** The format of the axis in the letters of d3-time-format. Mermaid shows times in the reader's time zone. */
function axisOf(ms: number): string {
  if (ms < 10_000) return "%M:%S.%L";
  if (ms < 3_600_000) return "%H:%M:%S";
  return ms < 2 * 86_400_000 ? "%H:%M" : "%Y-%m-%d";
}

/** A line of a sequence diagram: a message between two participants, or a note. */
interface Step {
  /** The sender: {@linkcode WORKFLOW}, {@linkcode OUTSIDE}, or a name. */
  readonly from: string;
  readonly arrow: "->>" | "-->>" | "--x" | "-x" | "note";
  readonly to: string;
  readonly text: string;
  readonly key: string;
  readonly height: 1;
}

/** No activity and no child can have these names. */
const WORKFLOW = "";
const OUTSIDE = " ";

function sequenceOf(run: ReadRun, marks: readonly TimelineMark[]): string[] {
  const rest = [...marks];
  const markStep = ({ text }: TimelineMark): Step => {
    return { from: WORKFLOW, arrow: "note", to: WORKFLOW, text: nameOf(text), key: text, height: 1 };
  };
  const steps = run.history.flatMap((_, index) => [...marksBefore(rest, index).map(markStep), ...stepsOf(run, index)]);
  steps.push(...rest.map(markStep));
  const ids = new Map([[WORKFLOW, "w"], [OUTSIDE, "o"]]);
  const participants = [`  participant w as ${safe(`${run.name} ${run.id}`)}`];
  const idOf = (who: string): string => {
    const known = ids.get(who);
    if (known !== undefined) {
      if (known === "o" && !participants.includes("  participant o as outside")) {
        participants.unshift("  participant o as outside");
      }
      return known;
    }
    const count = ids.size - 2;
    const id = count < MAX_PARTICIPANTS ? `p${count}` : "rest";
    if (count <= MAX_PARTICIPANTS) {
      participants.push(`  participant ${id} as ${count < MAX_PARTICIPANTS ? safe(who) : "others"}`);
    }
    ids.set(who, id);
    return id;
  };
  const lines = collapse(steps, MAX_STEPS).map((piece) => {
    if (!piece.shown) return `  Note over w: … ${grouped(piece.to - piece.from)} more`;
    const { from, arrow, to, text } = steps[piece.from];
    return arrow === "note" ? `  Note over w: ${safe(text)}` : `  ${idOf(from)}${arrow}${idOf(to)}: ${safe(text)}`;
  });
  const ends = [describeStatus(run), describeWaits(run.waits, run.to)].filter((text) => text !== "");
  return ["sequenceDiagram", ...participants, ...lines, ...ends.map((text) => `  Note over w: ${safe(text)}`)];
}

function stepsOf({ history, owners }: ReadRun, index: number): Step[] {
  const event = history[index];
  const owner = owners[index];
  const name = owner?.name ?? "?";
  const who = owner?.kind === "child" ? `child ${name}` : name;
  const step = (from: string, arrow: Step["arrow"], to: string, text: string): Step[] => {
    return [{ from, arrow, to, text, key: `${from} ${arrow} ${to} ${event.type}`, height: 1 }];
  };
  const note = (text: string) => step(WORKFLOW, "note", WORKFLOW, text);
  const answer = (value: unknown) => value === undefined ? "done" : showValue(value);
  switch (event.type) {
    case "activity_started":
    case "child_started":
      return step(
        WORKFLOW,
        "->>",
        who,
        event.input === undefined ? "starts" : `starts with ${showValue(event.input)}`,
      );
    case "activity_attempt_failed":
    case "child_attempt_failed": {
      const next = formatDuration(event.retryAt - event.at);
      return step(
        who,
        "--x",
        WORKFLOW,
        `attempt ${event.attempt} failed, next in ${next}, ${showError(event.error)}`,
      );
    }
    case "activity_completed":
    case "child_completed":
      return step(who, "-->>", WORKFLOW, answer(event.result));
    case "activity_failed":
    case "child_failed":
      return step(who, "--x", WORKFLOW, showError(event.error));
    case "timer_started":
      return note(timerText(event));
    case "timer_fired":
      if (owner && isSpan(owner) && owner.kind !== "timer") return note(`${labelOf(owner)} expired`);
      // Right after its start, the note of the start says enough.
      return owner && isSpan(owner) && owner.from.index === index - 1 ? [] : note("timer fired");
    case "signal_received":
      return step(OUTSIDE, "->>", WORKFLOW, `signal ${name}`);
    case "update_requested":
    case "update_accepted": // right after its request, if it has one
      return owner && isSpan(owner) && owner.from.index < index ? [] : step(OUTSIDE, "->>", WORKFLOW, `update ${name}`);
    case "update_rejected":
      return step(WORKFLOW, "--x", OUTSIDE, showError(event.error));
    case "update_completed":
      if (event.error) return step(WORKFLOW, "--x", OUTSIDE, showError(event.error));
      return step(WORKFLOW, "-->>", OUTSIDE, answer(event.result));
    case "cancel_requested":
      if (event.timeoutMs !== undefined) return note(`not done within ${formatDuration(event.timeoutMs)}`);
      return step(OUTSIDE, "-x", WORKFLOW, `cancel${event.reason ? `, ${event.reason}` : ""}`);
    case "side_effect":
      return note(`side effect ${event.error ? showError(event.error) : showValue(event.value)}`);
    case "compensation_started":
      return note(`compensation ${name}`);
    case "labels_changed":
      return note(`labels ${showValue(event.labels)}`);
    case "patched":
      return note(`patched ${name}`);
    case "workflow_failed":
    case "workflow_canceled":
      return note(showError(event.error));
    case "workflow_completed":
      return event.result === undefined ? [] : note(answer(event.result));
    case "workflow_started":
    case "activity_heartbeat":
    case "child_begun":
      return [];
    default: // an event of a later version
      return note(nameOf((event as { type: string }).type));
  }
}

function timerText({ at, dueAt, waitsFor }: TimerStartedEvent): string {
  const limit = formatDuration(dueAt - at);
  if (waitsFor === undefined) return `timer for ${limit}`;
  const what = typeof waitsFor === "object" ? `wait for signal ${nameOf(waitsFor.signal)}` : waitsFor;
  return `${what === "condition" ? "wait for a condition" : what} within ${limit}`;
}

/** Writes a text so that nothing in it has a meaning for Mermaid. */
function safe(text: string): string {
  const short = fit(text, MAX_TEXT, (char) => Math.max(1, cellsOf(char)));
  return short.replace(/[^\p{L}\p{M}\p{N} .,()+…×"'/_?!=-]/gu, (char) => `#${char.codePointAt(0)};`);
}
