/**
 * The schedule: a workflow that starts another workflow as a child, at the times that a rule gives.
 *
 * 1. The time of the next run is recorded before the schedule waits for it. If a deployment changes the rule, the new rule
 *    applies from the run after that one.
 * 2. A run is a child whose ID contains its time. So it is started once, whenever a process dies. The outcome of a run does
 *    not affect the schedule.
 * 3. The schedule continues as new after every 100 runs, so that its history stays short. It does so only when no run is in
 *    flight that would be closed with it.
 *
 * @module
 */

import type { ChildHandle, ChildOptions, Workflow, WorkflowContext, WorkflowFunction } from "../context.ts";
import { defineQuery, defineSignal, type QueryDefinition, type SignalDefinition } from "../definitions.ts";
import { CanceledError, TimeoutError } from "../errors.ts";
import type { DeepReadonly } from "../types.ts";
import { cannot, checkChoice, checkFunction, checkInteger, checkNumber, checkOptions, invalid } from "../util/check.ts";
import { isStrayPromise } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import type { ScheduleRule } from "./rule.ts";

/**
 * Pauses a schedule. Runs that are due during the pause are skipped and not run later. A run in flight continues.
 *
 * @category Schedules
 */
export const pauseSchedule: SignalDefinition<undefined> = /* @__PURE__ */ defineSignal("pause");

/**
 * Resumes a paused schedule. The next run is the next one that is due from now on.
 *
 * @category Schedules
 */
export const resumeSchedule: SignalDefinition<undefined> = /* @__PURE__ */ defineSignal("resume");

/**
 * Runs the scheduled workflow now, also while the schedule is paused. If a run is in flight, `overlap` decides.
 *
 * @category Schedules
 */
export const triggerSchedule: SignalDefinition<undefined> = /* @__PURE__ */ defineSignal("trigger");

/**
 * Asks a schedule for its state.
 *
 * @category Schedules
 */
export const scheduleInfo: QueryDefinition<ScheduleInfo, []> = /* @__PURE__ */ defineQuery("schedule");

/**
 * The input of the scheduled workflow.
 *
 * @category Schedules
 */
export interface Occurrence<Input = unknown> {
  /** The ID of the schedule. */
  readonly scheduleId: string;
  /** When the run was due, in milliseconds since the epoch. It may begin later. */
  readonly dueAt: number;
  /** Whether {@linkcode triggerSchedule} started the run, and not the rule. */
  readonly triggered: boolean;
  /** The input of the schedule. */
  readonly input: Input;
}

/**
 * One run of a schedule.
 *
 * @category Schedules
 */
export interface ScheduledRun {
  /** The run's workflow ID. */
  readonly id: string;
  /** When it was due, in milliseconds since the epoch. */
  readonly dueAt: number;
  /** Its status; `started` with `overlap: "allow"`, because the schedule does not wait for the run then. */
  readonly status: "running" | "completed" | "failed" | "canceled" | "started";
  /** The message of the error that it ended with. */
  readonly error?: string;
}

/**
 * The state of a schedule: the answer to {@linkcode scheduleInfo}, and the result of a schedule that has ended.
 *
 * @category Schedules
 */
export interface ScheduleInfo {
  /** When the next run is due, in milliseconds since the epoch; `null` if unknown, as during a pause or while a run is in flight. */
  readonly nextAt: number | null;
  /** Whether it is paused. */
  readonly paused: boolean;
  /** How many runs it has started. */
  readonly runs: number;
  /**
   * How many runs did not begin although they were due: the previous run was in flight, the schedule was paused, or they were
   * too late (`catchUpMs`). At most 1,000 are counted between two runs. Each number is also written to the run's log.
   */
  readonly skipped: number;
  /** The last ten runs, newest first. */
  readonly recent: readonly ScheduledRun[];
}

/**
 * What a schedule does when a run is due or triggered while the previous run is in flight:
 *
 * - `"skip"`: the run is skipped.
 * - `"queue"`: the run begins when the previous run has ended.
 * - `"cancel-previous"`: the previous run is cancelled, and the run begins when it has ended.
 * - `"allow"`: both run at the same time.
 *
 * @category Schedules
 */
export type ScheduleOverlap = "skip" | "queue" | "cancel-previous" | "allow";

/**
 * Options of {@linkcode schedule}. `timeoutMs` and `parentClosePolicy` are those of each run.
 *
 * @category Schedules
 */
export interface ScheduleOptions<Input = unknown> extends Pick<ChildOptions, "timeoutMs" | "parentClosePolicy"> {
  /** When the schedule is due: a rule, or a function that makes the rule from the schedule's input. */
  readonly rule: ScheduleRule | ((input: DeepReadonly<Input>) => ScheduleRule);
  /**
   * What happens to a run that is due while the previous run is in flight. With `"allow"` the runs are independent: they
   * continue when the schedule ends.
   *
   * @default {"skip"}
   */
  readonly overlap?: ScheduleOverlap | undefined;
  /**
   * How late a run may begin, in milliseconds, from 0. A run is late if no process was running, or if the previous runs took
   * too long. A run that is later than this is skipped. If several runs are late, `"skip"` runs the first of them, and
   * `"cancel-previous"` runs the last.
   *
   * @default {3_600_000, one hour}
   */
  readonly catchUpMs?: number | undefined;
  /**
   * The last time at which a run can be due, in milliseconds since the epoch; then the schedule completes. A schedule begins
   * with its workflow: `execute(…, { startAt })`.
   *
   * @default {when the rule has no further time}
   */
  readonly endAt?: number | undefined;
  /**
   * After how many runs the schedule completes, triggered runs included; a positive integer.
   *
   * @default {no limit}
   */
  readonly maxRuns?: number | undefined;
}

/** Maximum number of skipped runs that are counted at a time: a rule can have very many times. */
const MAX_SKIPPED = 1000;

/** Maximum number of runs in one history. */
const RUNS_PER_HISTORY = 100;

/** How many runs {@linkcode ScheduleInfo.recent} holds. */
const RECENT = 10;

/** Marks the input of a schedule that continues as new. */
const CARRIED = "rockpool.schedule";

/** A run that is due. */
type Due = Pick<Occurrence, "dueAt" | "triggered">;

/** The state that the next history takes over. `nextAt` is absent until the rule was asked. */
interface Progress {
  nextAt?: number | null;
  /** The last time of the rule that was decided: a run began, or was skipped. */
  after: number;
  /** Runs that were due until then are skipped. */
  passed: number;
  paused: boolean;
  triggers: number;
  runs: number;
  skipped: number;
  recent: readonly ScheduledRun[];
}

/** The names of the options. */
const optionNames: Readonly<Record<keyof ScheduleOptions<never>, true>> = {
  rule: true,
  overlap: true,
  catchUpMs: true,
  endAt: true,
  maxRuns: true,
  timeoutMs: true,
  parentClosePolicy: true,
};

/**
 * Makes a workflow that starts `workflow` whenever it is due. Execute it once, under an ID: it continues over restarts until
 * it is cancelled or its rule has no further time. A run gets an ID such as `nightly:2026-05-01T02:00:00.000Z`, so that
 * `list({ idPrefix: "nightly:" })` finds all runs. Pass both functions to the executor in `workflows`.
 *
 * @param workflow The workflow to run; gets an {@linkcode Occurrence}.
 * @param options When it runs; only the rule is required.
 * @returns The workflow. Its input is passed to every run.
 * @throws {TypeError} If an argument is invalid or an option is unknown.
 * @throws {RangeError} If a number among the options is out of its range. The workflow itself fails with a `RangeError` if
 * its rule returns a time that is not later.
 *
 * @category Schedules
 *
 * @example
 * ```ts
 * import { Executor, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
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
 * await using executor = new Executor({ clock, workflows: { nightly, report } });
 * const handle = await executor.execute(nightly, { id: "nightly" });
 * assertEquals((await handle.result()).runs, 365);
 * assertEquals(reports.at(-1), "report of 2026-12-31");
 * assertEquals((await executor.query("nightly", scheduleInfo)).recent[0].id, "nightly:2026-12-31T02:00:00.000Z");
 * ```
 */
export function schedule<Input>(
  workflow: WorkflowFunction<Occurrence<Input>, unknown>,
  options: ScheduleOptions<Input>,
): Workflow<Input, ScheduleInfo> {
  validate(workflow, options as ScheduleOptions);
  const scheduled = (ctx: WorkflowContext<unknown>, input: unknown) =>
    follow(ctx, workflow as unknown as Workflow<Occurrence>, options as ScheduleOptions, input);
  const value = `schedule of ${workflow.name || "anonymous"}`;
  return Object.defineProperty(scheduled, "name", { value }) as unknown as Workflow<Input, ScheduleInfo>;
}

function validate(workflow: unknown, options: ScheduleOptions): void {
  const action = "make a schedule";
  checkFunction("workflow", workflow, action);
  checkOptions(options, optionNames, action);
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
async function follow(
  ctx: WorkflowContext<unknown>,
  workflow: Workflow<Occurrence>,
  options: ScheduleOptions,
  given: unknown,
): Promise<ScheduleInfo> {
  const { overlap = "skip", catchUpMs = 60 * 60 * 1000, maxRuns = Infinity, timeoutMs } = options;
  const { parentClosePolicy = overlap === "allow" ? "abandon" : "cancel" } = options;
  const waits = overlap === "skip" || overlap === "queue";
  const { progress, input, due: first } = carriedOver(given);
  // A run can be due at the moment at which the schedule begins.
  const before = ctx.now() - 1;
  const now: Progress = {
    ...{ after: before, passed: before, paused: false, triggers: 0, runs: 0, skipped: 0, recent: [] },
    ...progress,
  };
  const until = now.runs + RUNS_PER_HISTORY;
  /** The run in flight that the schedule waits for. */
  let current: { readonly child: ChildHandle; readonly ended: Promise<unknown> } | undefined;

  const info = (): ScheduleInfo => {
    const { nextAt = null, paused, runs, skipped, recent } = now;
    return { nextAt, paused, runs, skipped, recent };
  };
  ctx.handleQuery(scheduleInfo, info);
  const listen = async (signal: SignalDefinition<undefined>, then: () => void) => {
    for await (const _ of ctx.receiveSignal(signal)) then();
  };
  // A cancellation rejects these too; the loop below ends with it.
  listen(pauseSchedule, () => now.paused = true).catch(() => {});
  listen(resumeSchedule, () => now.paused = false).catch(() => {});
  listen(triggerSchedule, () => now.triggers++).catch(() => {});

  /** Skips the runs that were due until now. */
  const pass = () => {
    now.passed = ctx.now();
    if ((now.nextAt ?? Infinity) <= now.passed) delete now.nextAt;
  };
  const noteSkipped = (count: number) => {
    if (count === 0) return;
    now.skipped += count;
    ctx.log.info(`Skipped ${count} of the runs that were due`, { skipped: now.skipped });
  };

  /** Waits until a run is due; returns `undefined` if there is no further run. */
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
        const passed = Math.max(now.passed, ctx.now() - catchUpMs - 1);
        const lastUntil = overlap === "cancel-previous" ? ctx.now() : passed;
        const { nextAt, skipped } = await ctx.sideEffect(() =>
          ask(ctx.workflowId, options, input, now.after, passed, lastUntil)
        );
        now.nextAt = nextAt;
        noteSkipped(skipped);
        now.after = Math.max(now.after, passed); // what was skipped is counted once
      }
      const { nextAt } = now;
      if (nextAt === null) return undefined;
      if (!await waitFor(ctx, nextAt, () => now.paused || now.triggers > 0)) continue;
      delete now.nextAt;
      now.after = nextAt;
      if (ctx.now() - nextAt <= catchUpMs) return { dueAt: nextAt, triggered: false };
      noteSkipped(1);
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
        noteSkipped(now.triggers);
        now.triggers = 0;
        pass();
      }
    }
    const due = await next();
    if (current !== undefined) {
      const { child, ended } = current;
      if (due !== undefined) await child.cancel("the next run is due").catch(() => {}); // it may have ended
      await ended;
    }
    ctx.signal.throwIfAborted();
    if (due === undefined) return info();
    if (now.runs >= until) return await ctx.continueAsNew({ [CARRIED]: { progress: now, input, due } });
    begin(due);
  }
}

/** Takes the input of a schedule apart: a new schedule has only its own input, a continued one has its progress too. */
function carriedOver(given: unknown): { readonly progress?: Progress; readonly input: unknown; readonly due?: Due } {
  const isCarried = typeof given === "object" && given !== null && CARRIED in given;
  return isCarried ? given[CARRIED] as { input: unknown } : { input: given };
}

/**
 * Asks the rule for the first time later than `passed`, or for the last time until `lastUntil` if that is later. Counts the
 * times between `after` and that time.
 */
function ask(
  id: string,
  { rule: given, endAt = Infinity }: ScheduleOptions,
  input: unknown,
  after: number,
  passed: number,
  lastUntil: number,
): { readonly nextAt: number | null; readonly skipped: number } {
  const rule = typeof given === "function" ? given(input) : given;
  if (isStrayPromise(rule)) throw invalid("rule()", rule, "an object with nextRun()", "run schedule", id);
  const nextAfter = (from: number): number | null => {
    const next = rule.nextRun(new Date(from));
    if (next === null) return null;
    isStrayPromise(next); // it is refused below
    if (!(next instanceof Date && next.getTime() > from)) {
      const time = new Date(from).toISOString();
      const got = next instanceof Date ? next.toJSON() ?? "an invalid Date" : show(next);
      throw new RangeError(
        `${cannot("run schedule", id)}: its rule was asked for a time after ${time}, got ${got}`,
      );
    }
    return next.getTime() > endAt ? null : next.getTime();
  };
  let skipped = 0;
  let nextAt = nextAfter(after);
  while (nextAt !== null && nextAt <= passed) nextAt = nextAfter(++skipped < MAX_SKIPPED ? nextAt : passed);
  for (let later = nextAt; later !== null && later <= lastUntil; later = nextAfter(later)) {
    if (later !== nextAt) skipped++;
    nextAt = later;
  }
  return { nextAt, skipped };
}

/** Waits for a point in time. Resolves to whether it was reached; `wake` ends the wait earlier. */
async function waitFor(ctx: WorkflowContext, time: number, wake: () => boolean): Promise<boolean> {
  for (;;) {
    const timeoutMs = time - ctx.now();
    if (timeoutMs <= 0) return true;
    try {
      await ctx.waitUntil(wake, { timeoutMs });
      return false;
    } catch (error) {
      if (!(error instanceof TimeoutError) || ctx.signal.aborted) throw error;
    } // the time was not reached if the clock was set back since `ctx.now()`: wait for the rest
  }
}
