/**
 * The schedule: a workflow that starts another one as a child, whenever a rule says so.
 *
 * 1. The time of the next run is recorded before it is waited for: a rule that a deployment changes counts from the run
 *    after that.
 * 2. A run is a child whose ID names its time, so it is started once, whoever dies when. How it ends is no concern of the
 *    schedule's.
 * 3. The schedule begins anew when no run of it goes on that it would have to wait for: its history stays short, and no run is
 *    closed with it.
 *
 * @module
 */

import { defineQuery, defineSignal, type QueryDefinition, type SignalDefinition } from "../definitions.ts";
import { CanceledError, TimeoutError } from "../errors.ts";
import type { ChildHandle, ChildOptions, WorkflowContext } from "../types.ts";
import { cannot, checkChoice, checkFunction, checkInteger, checkNumber, checkObject, invalid } from "../util/check.ts";
import { show } from "../util/show.ts";
import type { ScheduleRule } from "./rule.ts";

/** Pauses a schedule: what is due meanwhile is not run, also not later. What runs goes on. */
export const pauseSchedule: SignalDefinition<undefined> = defineSignal("pause");

/** Lets a paused schedule go on with the next time from now on. */
export const resumeSchedule: SignalDefinition<undefined> = defineSignal("resume");

/** Runs the scheduled workflow now, also while the schedule is paused. While a run goes on, `overlap` decides. */
export const triggerSchedule: SignalDefinition<undefined> = defineSignal("trigger");

/** Asks a schedule how things are. */
export const scheduleInfo: QueryDefinition<ScheduleInfo, []> = defineQuery("schedule");

/** What the scheduled workflow gets as its input. */
export interface Occurrence<Input = unknown> {
  /** The ID of the schedule. */
  readonly scheduleId: string;
  /** When the run was due, in milliseconds since the epoch. It may begin later. */
  readonly dueAt: number;
  /** Whether {@linkcode triggerSchedule} asked for it, and not the rule. */
  readonly triggered: boolean;
  /** The input of the schedule. */
  readonly input: Input;
}

/** One run of a schedule. */
export interface ScheduledRun {
  /** Its workflow ID. */
  readonly id: string;
  /** When it was due, in milliseconds since the epoch. */
  readonly dueAt: number;
  /** Where it stands. `started` if the schedule does not follow it, which is so with `overlap: "allow"`. */
  readonly status: "running" | "completed" | "failed" | "canceled" | "started";
  /** The message of the error that it ended with. */
  readonly error?: string;
}

/** What {@linkcode scheduleInfo} answers, and what a schedule comes to when it is over. */
export interface ScheduleInfo {
  /** When the next run is due, in milliseconds since the epoch; `null` if that is not known, as in a pause or while one runs. */
  readonly nextAt: number | null;
  /** Whether it is paused. */
  readonly paused: boolean;
  /** How many runs it has started. */
  readonly runs: number;
  /** The last ten runs, newest first. */
  readonly recent: readonly ScheduledRun[];
}

/**
 * What a schedule does when a run is due, or triggered, while the one before goes on:
 *
 * - `"skip"`: it is not run.
 * - `"queue"`: it is run when the one before has ended.
 * - `"cancel-previous"`: the one before is cancelled; it is run when that has ended.
 * - `"allow"`: it is run beside it.
 */
export type ScheduleOverlap = "skip" | "queue" | "cancel-previous" | "allow";

/** Options of {@linkcode schedule}. `timeoutMs` and `parentClosePolicy` are those of each run. */
export interface ScheduleOptions<Input = unknown> extends Pick<ChildOptions, "timeoutMs" | "parentClosePolicy"> {
  /** When it is due, or what makes the rule of a schedule from its input. */
  readonly rule: ScheduleRule | ((input: Input) => ScheduleRule);
  /**
   * What happens to a run that is due while the one before goes on. With `"allow"`, runs are on their own: they go on when the
   * schedule ends.
   *
   * @default {"skip"}
   */
  readonly overlap?: ScheduleOverlap;
  /**
   * How late a run may begin, in milliseconds, from 0: because no process was there, or those before it took so long. What
   * would begin later is not run. Of several that are late, `"skip"` runs the first, `"cancel-previous"` lets the last go on.
   *
   * @default {3_600_000}: an hour
   */
  readonly catchUpMs?: number;
  /**
   * The last time that counts, in milliseconds since the epoch; then the schedule completes. It begins with its workflow:
   * `execute(…, { startAt })`.
   *
   * @default {when the rule has no further time}
   */
  readonly endAt?: number;
  /**
   * After how many runs it completes, triggered ones included: an integer from 1.
   *
   * @default {no limit}
   */
  readonly maxRuns?: number;
}

/** How many runs one history holds. */
const RUNS_A_HISTORY = 100;

/** How many runs are told of. */
const RECENT = 10;

/** Marks the input of a schedule that goes on with a new history. */
const CARRIED = "rockpool.schedule";

/** A run that is due. */
type Due = Pick<Occurrence, "dueAt" | "triggered">;

/** What goes over into the next history. Until the rule was asked, `nextAt` is not there. */
interface Progress {
  nextAt?: number | null;
  /** The rule is asked for times later than this. */
  after: number;
  paused: boolean;
  triggers: number;
  runs: number;
  recent: readonly ScheduledRun[];
}

/**
 * Makes a workflow that starts `workflow` whenever it is due. Execute it under an ID, once: it goes on over restarts until
 * it is cancelled or its rule has no further time. A run gets an ID such as `nightly:2026-05-01T02:00:00.000Z`, so that
 * `list({ idPrefix: "nightly:" })` finds them all. Pass both functions to the executor in `workflows`.
 *
 * @param workflow What to run; gets an {@linkcode Occurrence}.
 * @param options When to run it; only the rule must be given.
 * @returns The workflow. Its input goes along to every run.
 * @throws {TypeError} If an argument is of the wrong kind.
 * @throws {RangeError} If a number among the options is out of its range. The workflow fails with one if its rule answers
 * what is no later time.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { every, type Occurrence, schedule, scheduleInfo } from "@rockpool/workflow/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const reports: string[] = [];
 * const write = (line: string) => void reports.push(line);
 *
 * async function report(ctx: WorkflowContext, { dueAt }: Occurrence) {
 *   await ctx.executeActivity(write, `report of ${new Date(dueAt).toISOString().slice(0, 10)}`);
 * }
 *
 * const DAY_MS = 24 * 60 * 60 * 1000;
 * const nightly = schedule(report, { rule: every(DAY_MS, { offsetMs: DAY_MS / 12 }), maxRuns: 365 });
 *
 * const clock = new VirtualClock({ startAt: Date.UTC(2026, 0, 1) });
 * await using executor = new Executor({ store: new InMemoryStore(), clock, workflows: { nightly, report } });
 * const handle = await executor.execute(nightly, { id: "nightly" });
 * assertEquals((await handle.result()).runs, 365);
 * assertEquals(reports.at(-1), "report of 2026-12-31");
 * assertEquals((await executor.query("nightly", scheduleInfo)).recent[0].id, "nightly:2026-12-31T02:00:00.000Z");
 * ```
 */
export function schedule<Input, Output>(
  workflow: (ctx: WorkflowContext, occurrence: Occurrence<Input>) => Output,
  options: ScheduleOptions<Input>,
): (ctx: WorkflowContext, input: Input) => Promise<ScheduleInfo> {
  validate(workflow, options);
  const scheduled = (ctx: WorkflowContext, input: Input) => follow(ctx, workflow, options, input);
  return Object.defineProperty(scheduled, "name", { value: `schedule of ${workflow.name || "anonymous"}` });
}

function validate(workflow: unknown, options: ScheduleOptions<never>): void {
  const action = "make a schedule";
  checkFunction("workflow", workflow, action);
  checkObject("options", options, action);
  const { rule, overlap, catchUpMs = 0, endAt = 0, maxRuns = 1, timeoutMs, parentClosePolicy } = options;
  if (typeof rule !== "function" && typeof rule?.nextRun !== "function") {
    throw invalid("rule", rule, "an object with nextRun() or a function that makes one", action);
  }
  checkChoice("overlap", overlap, ["skip", "queue", "cancel-previous", "allow"], action);
  checkNumber("catchUpMs", catchUpMs, 0, action);
  checkNumber("endAt", endAt, -Infinity, action);
  checkInteger("maxRuns", maxRuns, 1, action);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, Number.MIN_VALUE, action);
  checkChoice("parentClosePolicy", parentClosePolicy, ["cancel", "terminate", "abandon"], action);
  if (overlap === "allow" && parentClosePolicy !== undefined && parentClosePolicy !== "abandon") {
    throw new TypeError(
      `${cannot(action)}: with "overlap" "allow", "parentClosePolicy" can only be "abandon"`,
    );
  }
}

/** The code of every schedule. */
async function follow<Input>(
  ctx: WorkflowContext,
  workflow: (ctx: WorkflowContext, occurrence: Occurrence<Input>) => unknown,
  options: ScheduleOptions<Input>,
  given: Input,
): Promise<ScheduleInfo> {
  const { overlap = "skip", catchUpMs = 60 * 60 * 1000, maxRuns = Infinity, timeoutMs } = options;
  const { parentClosePolicy = overlap === "allow" ? "abandon" : "cancel" } = options;
  const waits = overlap === "skip" || overlap === "queue";
  const { progress, input, due: first } = carriedOver(given);
  // A time at which the schedule begins counts.
  const now: Progress = { after: ctx.now() - 1, paused: false, triggers: 0, runs: 0, recent: [], ...progress };
  const until = now.runs + RUNS_A_HISTORY;
  /** The run that is followed, until it has ended. */
  let current: { readonly child: ChildHandle; readonly ended: Promise<unknown> } | undefined;

  const info = (): ScheduleInfo => {
    const { nextAt = null, paused, runs, recent } = now;
    return { nextAt, paused, runs, recent };
  };
  ctx.handleQuery(scheduleInfo, info);
  const listen = async (signal: SignalDefinition<undefined>, then: () => void) => {
    for await (const _ of ctx.receiveSignal(signal)) then();
  };
  // A cancellation ends these, too.
  listen(pauseSchedule, () => now.paused = true).catch(() => {});
  listen(resumeSchedule, () => now.paused = false).catch(() => {});
  listen(triggerSchedule, () => now.triggers++).catch(() => {});

  /** What was due until now is past. */
  const pass = () => {
    now.after = Math.max(now.after, ctx.now());
    if ((now.nextAt ?? Infinity) <= now.after) delete now.nextAt;
  };

  /** Waits for the next run; for nothing if there is none any more. */
  const next = async (): Promise<Due | undefined> => {
    while (now.runs < maxRuns) {
      if (now.triggers > 0) {
        now.triggers--;
        return { dueAt: ctx.now(), triggered: true };
      }
      if (now.paused) {
        delete now.nextAt;
        await ctx.waitUntil(() => !now.paused || now.triggers > 0);
        pass();
        continue;
      }
      if (now.nextAt === undefined) {
        const after = Math.max(now.after, ctx.now() - catchUpMs - 1);
        const lastUntil = overlap === "cancel-previous" ? ctx.now() : after;
        now.nextAt = await ctx.sideEffect(() => ask(ctx.workflowId, options, input, after, lastUntil));
      }
      const { nextAt } = now;
      if (nextAt === null) return undefined;
      if (!await waitFor(ctx, nextAt, () => now.paused || now.triggers > 0)) continue;
      delete now.nextAt;
      now.after = nextAt;
      if (ctx.now() - nextAt <= catchUpMs) return { dueAt: nextAt, triggered: false };
    }
  };

  const begin = ({ dueAt, triggered }: Due) => {
    const time = new Date(dueAt).toISOString();
    const id = `${ctx.workflowId}:${time}${triggered ? `:trigger-${now.runs}` : ""}`;
    const occurrence = { scheduleId: ctx.workflowId, dueAt, triggered, input };
    const child = ctx.startChild(workflow, occurrence, { id, timeoutMs, parentClosePolicy });
    now.runs++;
    const note = (status: ScheduledRun["status"], error?: string) => {
      const others = now.recent.filter((one) => one.id !== id);
      now.recent = [{ id, dueAt, status, ...(error === undefined ? {} : { error }) }, ...others].slice(0, RECENT);
    };
    if (overlap === "allow") return note("started");
    note("running");
    const ended = child.result().then(() => note("completed"), (error) => {
      note(
        error instanceof CanceledError ? "canceled" : "failed",
        error instanceof Error ? error.message : show(error),
      );
    });
    current = { child, ended: ended.then(() => current = undefined) };
  };

  if (first !== undefined) begin(first);
  for (;;) {
    if (waits && current !== undefined) {
      await current.ended;
      if (overlap === "skip") {
        now.triggers = 0;
        pass();
      }
    }
    const due = await next();
    if (current !== undefined) {
      const { child, ended } = current;
      if (due !== undefined) await child.cancel("the next run is due").catch(() => {}); // it has ended
      await ended;
    }
    ctx.signal.throwIfAborted();
    if (due === undefined) return info();
    if (now.runs >= until) return await ctx.continueAsNew({ [CARRIED]: { progress: now, input, due } });
    begin(due);
  }
}

/** Tells the input of a schedule that goes on from that of one that begins. */
function carriedOver<Input>(given: Input): { readonly progress?: Progress; readonly input: Input; readonly due?: Due } {
  const isCarried = typeof given === "object" && given !== null && CARRIED in given;
  return isCarried ? given[CARRIED] as { input: Input } : { input: given };
}

/** Asks the rule for the first time later than `after`, or for the last one until `lastUntil` if that is later. */
function ask<Input>(
  id: string,
  { rule: given, endAt = Infinity }: ScheduleOptions<Input>,
  input: Input,
  after: number,
  lastUntil: number,
): number | null {
  const rule = typeof given === "function" ? given(input) : given;
  const nextAfter = (from: number): number | null => {
    const next = rule.nextRun(new Date(from));
    if (next === null) return null;
    if (!(next instanceof Date && next.getTime() > from)) {
      const time = new Date(from).toISOString();
      const got = next instanceof Date ? next.toJSON() ?? "an invalid Date" : show(next);
      throw new RangeError(
        `${cannot("go on with schedule", id)}: its rule was asked for a time after ${time}, got ${got}`,
      );
    }
    return next.getTime() > endAt ? null : next.getTime();
  };
  let next = nextAfter(after);
  for (let later = next; later !== null && later <= lastUntil; later = nextAfter(later)) next = later;
  return next;
}

/** Waits until a time has come. Resolves to whether it has: `wake` can end the wait. */
async function waitFor(ctx: WorkflowContext, time: number, wake: () => boolean): Promise<boolean> {
  const timeoutMs = time - ctx.now();
  if (timeoutMs <= 0) return true;
  try {
    await ctx.waitUntil(wake, { timeoutMs });
    return false;
  } catch (error) {
    if (error instanceof TimeoutError && !ctx.signal.aborted) return true;
    throw error;
  }
}
