/**
 * Crashes a workflow at every point where its process can die.
 *
 * Owns which runs are made and how they are compared. The runs themselves are made by a `World`.
 *
 * @example
 * ```ts
 * import type { ActivityContext, WorkflowContext } from "@rockpool/workflow";
 * import { crashTest } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const charged = new Set<string>();
 * const charge = (_cents: number, { idempotencyKey }: ActivityContext) => void charged.add(idempotencyKey);
 *
 * async function order(ctx: WorkflowContext, cents: number) {
 *   await ctx.executeActivity(charge, cents);
 *   const { by } = await ctx.waitForSignal<{ by: string }>("approval");
 *   return `approved by ${by}`;
 * }
 *
 * const { points, undisturbed } = await crashTest(order, {
 *   input: 1995,
 *   signals: [{ atMs: 3 * 24 * 60 * 60 * 1000, name: "approval", payload: { by: "eve" } }],
 *   setUp: () => charged.clear(),
 *   effects: () => charged.size,
 * });
 * assertEquals([points > 10, undisturbed.result], [true, "approved by eve"]);
 * ```
 *
 * @module
 */

import { fromErrorRecord } from "../../history/error_record.ts";
import { isCommand } from "../../history/history.ts";
import { handOut, toStored } from "../../history/value.ts";
import type { ActivityStartedEvent, WorkflowEvent } from "../../types.ts";
import type { WorkflowFunction } from "../../context.ts";
import type { AnyWorkflow } from "../../options.ts";
import { checkBoolean, checkFunction, checkInteger, checkOptions, invalid } from "../../util/check.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { show, showPath } from "../../util/show.ts";
import { checkReplacements, complaintOf, otherFunctionRan } from "../activity_recorder.ts";
import { differ } from "../assert.ts";
import { differences, withoutStack } from "../compare_histories.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import { replay } from "../replays.ts";
import { seeded } from "../seeded.ts";
import {
  type CrashRun,
  type CrashTestArgs,
  CrashTestError,
  crashTestNames,
  type CrashTestOptions,
  type CrashTestReport,
} from "./crash_options.ts";
import type { Death, DeathSide, FaultPlan } from "./fault_plan.ts";
import { describeEvent } from "./journal.ts";
import { mistakesIn } from "./plain_run.ts";
import { adviceOn, formatHistories, hintsOn, messageOf, ranOf, showEvent, sourceHints, thrownText } from "./report.ts";
import { type ResolvedScenario, resolveScenario } from "./scenario.ts";
import { Standstills } from "./standstills.ts";
import { World } from "./world.ts";

/** How many writes a recovery makes at most before its process dies, too. */
const MAX_NEXT_WRITE = 12;

/** How many differences a report shows. */
const MAX_LINES = 12;

/**
 * Runs a workflow without a crash, in virtual time; then once for every point where its process can die: before each write
 * to the store, after the write but before the store answers, and in the turn after the answer. A new process recovers what
 * is stored. After a write that the store did not answer, it lists what was stored before that write. Every run must have the
 * same result or error, the same effects, and the same history apart from times and from the order of its events; with
 * `compare: "outcomes"`, histories may differ. No activity whose outcome was stored may run again.
 *
 * An activity can take real time. Virtual time passes without it only after it has done nothing for a while: 50 ms for a
 * fake, 3 s for any other activity. So an activity that never ends reaches its timeout. If the same activity, no fake, takes
 * that long in three runs in a row, that is an error: replace it.
 *
 * A run in which an `atMostOnce` activity was interrupted may end differently. It is not compared; `check` can judge it.
 *
 * @param workflow The workflow.
 * @param args Its input and the other options.
 * @returns How many points were tried, and the run without a crash.
 * @throws {CrashTestError} If a run ends differently, `check` throws, an activity that is not replaced holds up the runs, or the run
 * without a crash shows a mistake in the test: see `expectFailure`.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @category Testing
 */
export async function crashTest<Input, Returned, Signals extends readonly unknown[]>(
  workflow: WorkflowFunction<Input, Returned>,
  ...args: CrashTestArgs<Input, Awaited<Returned>, Signals>
): Promise<CrashTestReport<Awaited<Returned>>> {
  const [options = {}] = args as [CrashTestOptions?];
  checkFunction("workflow", workflow, "crash-test");
  checkOptions(options, crashTestNames, "crash-test");
  const { deaths = 1, compare = "histories", expectFailure = false } = options;
  checkBoolean("expectFailure", expectFailure, "crash-test");
  checkInteger("deaths", deaths, 1, "crash-test");
  if (compare !== "histories" && compare !== "outcomes") {
    throw invalid("compare", compare, '"histories" or "outcomes"', "crash-test");
  }
  checkReplacements(options.activities ?? [], "crash-test");
  const test = new CrashTest(workflow, options);
  const undisturbed = await test.runUndisturbed();
  const points = await test.crashEverywhere(deaths);
  return { points, undisturbed: undisturbed as CrashRun<Awaited<Returned>> };
}

/** A run that has ended. */
interface Ended {
  readonly world: World;
  /** `undefined` if the workflow was never stored. */
  readonly run: CrashRun | undefined;
  readonly effects: unknown;
}

class CrashTest {
  readonly #scenario: ResolvedScenario;
  readonly #options: CrashTestOptions;
  /** The replacements that no run has used so far. */
  readonly #unused: Set<Replacement>;
  #undisturbed: Ended | undefined;
  readonly #standstills = new Standstills();

  constructor(workflow: AnyWorkflow, options: CrashTestOptions) {
    this.#scenario = resolveScenario(workflow, options, { id: "crash-test", executors: 1 }, "crash-test");
    this.#options = options;
    this.#unused = new Set(options.activities);
  }

  /** Makes two runs without a crash, and replays: what differs without a crash is reported as such. */
  async runUndisturbed(): Promise<CrashRun> {
    const first = await this.#run({});
    this.#undisturbed = first;
    const { used, calls } = first.world;
    const complaint = otherFunctionRan(this.#options.activities, used, calls);
    if (complaint !== undefined) throw this.#error("was tested without one of the replacements", first, [complaint]);
    const mistakes = mistakesIn(first.run, this.#options.expectFailure);
    if (mistakes.length > 0) throw this.#error("cannot be crash-tested", first, mistakes, first.run!.error);
    await this.#judge(first, "cannot be crash-tested");
    const again = await this.#run({});
    await this.#judge(again, "ends differently in two runs without a crash");
    const { workflows } = this.#scenario;
    for (const state of first.run!.states) {
      const workflow = workflows[state.workflowName];
      if (workflow === undefined) {
        const name = show(state.workflowName);
        const lines = [`A recovery does not know its child: pass ${name} in "workflows"`];
        throw this.#error("cannot be crash-tested", first, lines);
      }
      try {
        await replay(workflow, state, workflows);
      } catch (error) {
        const lines = [messageOf(error), adviceOn(ranOf(workflows, first.run!.states))];
        throw this.#error("does not replay its own history, without a crash", first, lines, error);
      }
    }
    const replayed = { ...again, effects: this.#effects() };
    const lines = this.#compareEffects(replayed, again);
    if (lines.length > 0) throw this.#error("has effects when it is only replayed", first, lines);
    return first.run!;
  }

  /** Lets a process die at every point. Returns how many points there were. */
  async crashEverywhere(deaths: number): Promise<number> {
    let points = 0;
    for (const side of ["before", "after", "between"] as const) {
      for (let nth = 1;; nth++) {
        const ended = await this.#run(crashAt(nth, side, deaths));
        if (ended.world.deaths.length === 0) break;
        points++;
        await this.#judge(ended, "does not survive a crash");
      }
    }
    const complaint = complaintOf(this.#unused, this.#undisturbed!.world.calls);
    if (complaint !== undefined) {
      throw this.#error("was tested without one of the replacements", this.#undisturbed!, [complaint]);
    }
    return points;
  }

  async #run(faults: FaultPlan): Promise<Ended> {
    const { setUp, onDeath } = this.#options;
    await setUp?.();
    const world = new World(this.#scenario, faults, { onDeath });
    await world.run();
    for (const replacement of world.used) this.#unused.delete(replacement);
    const { state } = world;
    if (state === undefined) return { world, run: undefined, effects: undefined };
    const run: CrashRun = {
      crashes: world.deaths.map((death) => this.#describe(death)),
      state,
      states: world.journal.states(),
      calls: world.calls,
      ...(state.status === "completed" ? { result: handOut(state.result) } : {}),
      ...(state.error === undefined ? {} : { error: fromErrorRecord(state.error) }),
    };
    return { world, run, effects: this.#effects() };
  }

  /** A copy of the effects, which later runs do not change. */
  #effects(): unknown {
    const effects = this.#options.effects?.();
    isStrayPromise(effects); // it is refused
    return toStored(effects, "effects");
  }

  /** Throws if a run is not as it should be. */
  async #judge(ended: Ended, failure: string): Promise<void> {
    const { world: { trouble }, run } = ended;
    const undisturbed = this.#undisturbed!;
    if (trouble !== undefined) {
      const { kind, error } = trouble;
      const text = kind === "check" ? `A check threw: ${thrownText(error)}` : messageOf(error);
      throw this.#error(failure, ended, [text, ...hintsOn(trouble, this.#ran(ended))], error);
    }
    const standstill = this.#standstills.note(ended.world.held);
    if (standstill !== undefined) throw this.#error("cannot be crash-tested", undisturbed, [standstill]);
    if (ended !== undisturbed && !wasInterrupted(run!)) {
      const lines = this.#options.compare === "outcomes" ? this.#compareOutcomes(ended) : this.#compareHistories(ended);
      if (lines.length === 0) lines.push(...this.#compareEffects(ended, undisturbed));
      if (lines.length > 0) throw this.#error(failure, ended, lines);
    }
    try {
      await this.#options.check?.(run!);
    } catch (error) {
      throw this.#error(failure, ended, [`A check threw: ${thrownText(error)}`], error);
    }
  }

  /** Says how the end of a run differs from the undisturbed one; empty if it does not. */
  #compareOutcomes({ run }: Ended): string[] {
    const [now, undisturbed] = [run!, this.#undisturbed!.run!].map(({ state: { status, result, error } }) =>
      error === undefined ? { status, result } : { status, error: withoutStack(error) }
    );
    const difference = differ(now, undisturbed);
    if (difference === undefined) return [];
    const { path, expected, actual } = difference;
    return [
      `The outcomes differ at ${showPath(path)}:`,
      `  undisturbed  ${expected}`,
      `  now          ${actual}`,
      "If both are right, leave out of the result what may differ",
    ];
  }

  /** Says how the histories of a run differ from the undisturbed ones, and why; empty if they do not. */
  #compareHistories(ended: Ended): string[] {
    const [undisturbed, now] = [this.#undisturbed!.world.journal.runs, ended.world.journal.runs];
    const lines: string[] = [];
    /** Activities that returned something else for the same input: names by idempotency key. */
    const culprits = new Map<string, string>();
    let onlyMessages = true;
    let changedOrder: string | undefined;
    for (const workflowId of new Set([...undisturbed, ...now].map((run) => run.workflowId))) {
      const [left, right] = [undisturbed, now].map((runs) => runs.filter((run) => run.workflowId === workflowId));
      for (let i = 0; i < Math.max(left.length, right.length); i++) {
        const [before, after] = [left[i]?.events ?? [], right[i]?.events ?? []];
        const [missing, extra] = differences(before, after);
        if (missing.length + extra.length > 0) changedOrder ??= changeOfOrder(before, after);
        onlyMessages &&= [...missing, ...extra].every(({ type }) => type === "signal_received");
        lines.push(...missing.map((event) => `  undisturbed  ${showEvent(event, before)}`));
        lines.push(...extra.map((event) => `  now          ${showEvent(event, after)}`));
        for (const [seq, name] of otherOutcomes([...missing, ...extra], before, after)) {
          culprits.set(`${right[i].runId}:${seq}`, name);
        }
      }
    }
    if (lines.length === 0) return [];
    return [
      "The histories differ:",
      ...lines.slice(0, MAX_LINES),
      this.#whyHistoriesDiffer(ended, culprits, onlyMessages, changedOrder),
    ];
  }

  /**
   * @param culprits Activities that returned something else for the same input: names by idempotency key.
   * @param onlyMessages Whether only signals differ.
   * @param changedOrder Where something comes in another order first, if that is where they begin to differ.
   */
  #whyHistoriesDiffer(
    ended: Ended,
    culprits: ReadonlyMap<string, string>,
    onlyMessages: boolean,
    changedOrder: string | undefined,
  ): string {
    const again = repeated(ended.world.calls);
    if (onlyMessages && again.size > 0) {
      return `${
        namesOf(again)
      } ran again, because its outcome was not stored when the process died: it may have sent a signal ` +
        "twice\nUse the idempotencyKey to send it once";
    }
    if (culprits.size === 0) {
      const workflows = this.#ran(ended);
      if (changedOrder === undefined || sourceHints(workflows).length > 0) return adviceOn(workflows);
      return `${changedOrder}: something came in another order, and the code may decide by that\n` +
        'If both orders are right, pass compare: "outcomes", which compares results and effects alone; explore() tries all orders';
    }
    const names = namesOf(culprits);
    if ([...culprits.keys()].some((key) => again.has(key))) {
      return `${names} ran again, because its outcome was not stored when the process died, and returned something else\n` +
        "Return the same for the same idempotencyKey; a fake must decide by context.attempt, not by the number of its calls";
    }
    return `${names} returned something else for the same input: return the same in every run, and let setUp() reset ` +
      "everything that it reads";
  }

  /** Says how the effects of a run differ, and why; empty if they do not. */
  #compareEffects({ world, effects }: Ended, expected: Ended): string[] {
    const difference = differ(effects, expected.effects);
    if (difference === undefined) return [];
    const { path } = difference;
    const again = namesOf(repeated(world.calls));
    return [
      path.length === 0 ? "The effects differ:" : `The effects differ at ${showPath(path)}:`,
      `  undisturbed  ${difference.expected}`,
      `  now          ${difference.actual}`,
      again === ""
        ? "No activity ran again, so the workflow code itself has the effect, and repeats it on every replay: move it into " +
          "an activity"
        : `${again} ran again, because its outcome was not stored when the process died: an activity can run more than ` +
          "once\nUse the idempotencyKey to do nothing the second time",
    ];
  }

  #ran({ world }: Ended): Readonly<Record<string, unknown>> {
    return ranOf(this.#scenario.workflows, world.journal.states());
  }

  #error(failure: string, { world, run }: Ended, lines: readonly string[], cause?: unknown): CrashTestError {
    const timelines = [formatHistories("Undisturbed", this.#undisturbed!.run?.states ?? [])];
    if (world !== this.#undisturbed!.world) {
      const title = world.deaths.length > 0 ? "Crashed and recovered" : "Now";
      timelines.push(formatHistories(title, run?.states ?? [], world.deaths));
    }
    const crashes = world.deaths.map((death) => `  ${this.#describe(death)}`);
    const message = [`Workflow ${show(this.#scenario.name)} ${failure}`, ...crashes, ...lines, "", ...timelines];
    return new CrashTestError(message.join("\n"), cause === undefined ? undefined : { cause });
  }

  /** Says where a process died. */
  #describe({ side, workflowId, number, event, oldRead }: Death): string {
    const whose = workflowId === this.#scenario.id ? "" : ` of workflow ${show(workflowId)}`;
    const place = `event ${number}${whose}, ${event}, was stored`;
    if (side === "before") return `died before ${place}`;
    const when = side === "after" ? "before the store answered" : "in the next turn";
    return `died after ${place}, ${when}${oldRead ? "; the next process listed what was stored before it" : ""}`;
  }
}

/**
 * Lets the first process die at its n-th write, and each one that follows at some write of its own. After a death whose write
 * was not answered, the next process lists the runs as they were before that write.
 */
function crashAt(nth: number, side: DeathSide, deaths: number): FaultPlan {
  const random = seeded(nth);
  const sides = ["before", "after", "between"] as const;
  let next = nth;
  let life = 0;
  let died: DeathSide | undefined;
  return {
    read: ({ proc, nth, differs }) =>
      proc.life > 0 && nth === 1 && died === "after" && differs(1) ? { lag: 1 } : undefined,
    write(write) {
      if (write.proc.life > life) {
        life = write.proc.life;
        next = 1 + Math.floor(random() ** 2 * MAX_NEXT_WRITE); // more often early: there can be few writes
      }
      if (life >= deaths || write.nth !== next) return undefined;
      died = life === 0 ? side : sides[Math.floor(random() * 3)];
      return { die: died };
    },
  };
}

/**
 * The activities among different events whose outcome differs although their input does not: names by position. An activity that has
 * ended in one of the histories only was not waited for.
 */
function otherOutcomes(
  events: readonly WorkflowEvent[],
  ...[before, history]: readonly [readonly WorkflowEvent[], readonly WorkflowEvent[]]
): Map<number, string> {
  const hasEnded = (history: readonly WorkflowEvent[], seq: number | undefined) =>
    history.some((event) =>
      /^activity_(completed|failed)$/.test(event.type) && (event as { seq?: number }).seq === seq
    );
  const commands = new Set(events.map((event) => isCommand(event) ? event.seq : undefined));
  const names = new Map<number, string>();
  for (const { type, seq } of events as readonly { readonly type: string; readonly seq?: number }[]) {
    if (!/^activity_(completed|failed|attempt_failed)$/.test(type) || commands.has(seq)) continue;
    if (!hasEnded(before, seq) || !hasEnded(history, seq)) continue;
    const command = history.find((event) => event.type === "activity_started" && event.seq === seq);
    if (command !== undefined) names.set(seq!, (command as ActivityStartedEvent).name);
  }
  return names;
}

/**
 * Says where two histories begin to differ, if something comes there that the code did not decide: an answer, a timer, a message;
 * `undefined` if they begin to differ at what the code did.
 */
function changeOfOrder(before: readonly WorkflowEvent[], after: readonly WorkflowEvent[]): string | undefined {
  const at = before.findIndex((event, i) => after[i] === undefined || differences([event], [after[i]])[0].length > 0);
  if (at < 0 || after[at] === undefined) return undefined;
  const [one, other] = [before[at], after[at]];
  const isDecided = (event: WorkflowEvent) => isCommand(event) || /^workflow_|^patched$/.test(event.type);
  if (isDecided(one) && isDecided(other)) return undefined;
  return `Event ${at + 1} was ${describeEvent(one, before)}, and is now ${describeEvent(other, after)}`;
}

/** The names of activities, in words. */
function namesOf(activities: ReadonlyMap<unknown, string>): string {
  return [...new Set(activities.values())].map(show).join(", ");
}

/** The activities of which an attempt began more than once: names by idempotency key. */
function repeated(calls: readonly ActivityCall[]): Map<string, string> {
  const seen = new Set<string>();
  const again = new Map<string, string>();
  for (const { idempotencyKey, attempt, name } of calls) {
    const key = `${idempotencyKey} ${attempt}`;
    if (seen.has(key)) again.set(idempotencyKey, name);
    seen.add(key);
  }
  return again;
}

/** Whether a crash has interrupted an activity that must not run twice. */
function wasInterrupted({ states }: CrashRun): boolean {
  return states.some(({ history }) =>
    history.some((event) => event.type === "activity_failed" && event.error.data?.code === "activity_interrupted")
  );
}
