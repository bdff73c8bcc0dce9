/**
 * Crashes a workflow everywhere: once for every point where its process can die.
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

import type { AnyActivity, ExecutorOptions } from "../executor.ts";
import { InMemoryStore } from "../store.ts";
import type { Workflow, WorkflowContext, WorkflowState, WorkflowStore } from "../types.ts";
import { NonDeterminismError } from "../errors.ts";
import { checkFunction, checkInteger, checkObject } from "../_check.ts";
import { fromErrorRecord } from "../_error_record.ts";
import { handOut, show } from "../_value.ts";
import { type Fate, finalState, Lab, type Scene, textOf } from "./_lab.ts";
import type { Outside, TimedCancel, TimedQuery, TimedSignal, TimedUpdate, TimedVisit } from "./_outside.ts";
import type { ActivityCall, Death, DeathSide } from "./_process.ts";
import { replay } from "./_replaying.ts";
import { advice, differences, errorText, formatHistories, lineOf, sourceHints } from "./_report.ts";
import { seeded } from "./seeded.ts";

export type { ActivityCall, Outside, TimedCancel, TimedQuery, TimedSignal, TimedUpdate, TimedVisit };

/** What runs in place of an activity: the activity or its name, and a function that gets the same input and context. */
export type ActivityReplacement = readonly [activity: AnyActivity | string, replacement: AnyActivity];

/** Options of {@linkcode crashTest}. */
export interface CrashTestOptions<Input = unknown, Output = unknown> extends Outside {
  /** The workflow's input. */
  readonly input?: Input;
  /**
   * The workflow's ID.
   *
   * @default {"crash-test"}
   */
  readonly id?: string;
  /**
   * How long the workflow may take, in milliseconds, above 0.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
  /**
   * What runs in place of activities. One that is to fail goes by `context.attempt`, not by how often it was called: that
   * differs after a crash.
   *
   * @default {every activity runs itself}
   */
  readonly activities?: readonly ActivityReplacement[];
  /**
   * Other workflows that run as children, by name.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, (ctx: WorkflowContext, input: never) => unknown>>;
  /**
   * Makes the world new before every run: empties what the activities write to.
   *
   * @default {nothing}
   */
  readonly setUp?: () => void | Promise<void>;
  /**
   * Called when a process has died, before the next one begins. Forget here what only the memory of a process holds, such as
   * module variables: in a test they outlive the crash.
   *
   * @default {nothing}
   */
  readonly onDeath?: () => void | Promise<void>;
  /**
   * What the world looks like after a run, as a value that can be stored: must be the same whatever crashed.
   *
   * @default {nothing is compared}
   */
  readonly effects?: () => unknown;
  /**
   * Looks at every run when it is over, the undisturbed one too; may throw.
   *
   * @default {nothing}
   */
  readonly check?: (run: CrashRun<Output>) => void | Promise<void>;
  /**
   * How many processes die in a run: an integer from 1. Each first death is tried at every point; those that follow hit the
   * recovery, at points that differ from run to run and are the same in every test.
   *
   * @default {1}
   */
  readonly deaths?: number;
  /**
   * Makes the store of a run.
   *
   * @default {a new `InMemoryStore`}
   */
  readonly store?: () => WorkflowStore;
  /**
   * Further options for the executors.
   *
   * @default {none}
   */
  readonly executor?: Omit<ExecutorOptions, "store" | "clock" | "workflows" | "newRunId">;
}

/** The arguments of {@linkcode crashTest} after the workflow: to be left out where that takes no input. */
export type CrashTestArgs<Input, Output> = undefined extends Input ? [options?: CrashTestOptions<Input, Output>]
  : [options: CrashTestOptions<Input, Output> & { readonly input: Input }];

/** A run of {@linkcode crashTest}, when it is over. */
export interface CrashRun<Output = unknown> {
  /** Where its processes died, in words; none in the undisturbed run. */
  readonly crashes: readonly string[];
  /** What the workflow returned, if it completed. */
  readonly result?: Output;
  /** What the workflow threw, if it failed or was cancelled. */
  readonly error?: unknown;
  /** What is stored of the workflow. */
  readonly state: WorkflowState;
  /** What was stored of every run of every workflow, in the order in which they began. */
  readonly states: readonly WorkflowState[];
  /** Every attempt of an activity that was begun, in all processes. */
  readonly calls: readonly ActivityCall[];
}

/** What {@linkcode crashTest} found. */
export interface CrashTestReport<Output = unknown> {
  /** At how many points a process died. */
  readonly points: number;
  /** The run without any crash. */
  readonly undisturbed: CrashRun<Output>;
}

/** A workflow does not survive a crash. The message says where and why, and has both timelines. */
export class CrashTestError extends Error {
  /** Makes an error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CrashTestError";
  }
}

/** What the code should have done that waited for something else. */
const FOREIGN_WAIT = "a wait for the context";
/** How many writes a recovery gets done at most before its process dies too. */
const MAX_NEXT_WRITE = 12;

/**
 * Runs a workflow undisturbed, in virtual time; then once for every point where its process can die: before each write to
 * the store, after it with the answer lost, and in the turn that follows the answer. A new process recovers what is stored.
 * Every run must come to the same result or the same error, and to the same history but for times; no activity may run again
 * whose outcome was stored.
 *
 * A run in which an activity was interrupted that asked for `atMostOnce` can come to something else; it is left to `check`.
 *
 * @param workflow The workflow.
 * @param args Its input and all else.
 * @returns How many points were tried, and the undisturbed run.
 * @throws {CrashTestError} If a run comes to something else, or `check` throws.
 * @throws {TypeError | RangeError} If an argument is bad.
 */
export async function crashTest<Input, Output>(
  workflow: (ctx: WorkflowContext, input: Input) => Output,
  ...args: CrashTestArgs<Input, Awaited<Output>>
): Promise<CrashTestReport<Awaited<Output>>> {
  const [options = {}] = args as [CrashTestOptions?];
  checkFunction("workflow", workflow, "crash-test");
  checkObject("options", options, "crash-test");
  const { deaths = 1 } = options;
  checkInteger("deaths", deaths, 1, "crash-test");
  const test = new CrashTest(workflow as Workflow<never>, options);
  const undisturbed = await test.runUndisturbed();
  const points = await test.crashEverywhere(deaths);
  return { points, undisturbed: undisturbed as CrashRun<Awaited<Output>> };
}

/** A run that has ended, and what is compared of it. */
interface Ended {
  readonly lab: Lab;
  readonly run: CrashRun | undefined;
  /** What the world looks like, as a text. */
  readonly effects: string;
}

class CrashTest {
  readonly #scene: Scene;
  readonly #options: CrashTestOptions;
  readonly #name: string;
  #undisturbed: Ended | undefined;

  constructor(workflow: Workflow<never>, options: CrashTestOptions) {
    const { id = "crash-test", input, timeoutMs, activities = [], workflows, executor } = options;
    this.#name = workflow.name || "workflow";
    const known = { ...workflows as Record<string, Workflow<never>>, [this.#name]: workflow };
    const rest = { outside: options, activities, workflows: known, executor, executors: 1 };
    this.#scene = { workflow, id, input, timeoutMs, ...rest };
    this.#options = options;
  }

  /** Runs it undisturbed, twice: what differs without any crash is best told so. */
  async runUndisturbed(): Promise<CrashRun> {
    const first = await this.#play({});
    this.#undisturbed = first;
    await this.#judge(first, "cannot be crash-tested");
    const again = await this.#play({});
    await this.#judge(again, "does not come to the same in two runs, without any crash");
    const { states } = first.run!;
    const { workflows } = this.#scene;
    for (const state of states) {
      const workflow = workflows[state.workflowName];
      if (workflow === undefined) {
        const way = `Nobody could recover its child: pass ${show(state.workflowName)} in "workflows"`;
        throw this.#error("cannot be crash-tested", first, [way]);
      }
      try {
        await replay(workflow, state, workflows);
      } catch (error) {
        throw this.#error("does not replay from its own history, without any crash", again, [
          (error as Error).message,
          advice(workflows),
        ], error);
      }
    }
    const effects = this.#effects();
    if (effects !== again.effects) {
      throw this.#error("changes the world when it is only replayed", again, this.#aboutEffects({ ...again, effects }));
    }
    return first.run!;
  }

  /** Has a process die at every point. Answers how many there were. */
  async crashEverywhere(deaths: number): Promise<number> {
    let points = 0;
    for (const side of ["before", "after", "between"] as const) {
      for (let nth = 1;; nth++) {
        const ended = await this.#play(crashes(nth, side, deaths));
        if (ended.lab.deaths.length === 0) break;
        points++;
        await this.#judge(ended, "does not survive a crash");
      }
    }
    return points;
  }

  async #play(fate: Fate): Promise<Ended> {
    const { setUp, onDeath, store = () => new InMemoryStore() } = this.#options;
    await setUp?.();
    const lab = new Lab(this.#scene, store(), fate);
    lab.onDeath = onDeath;
    await lab.play();
    const state = finalState(lab);
    if (state === undefined) return { lab, run: undefined, effects: "" };
    const run: CrashRun = {
      crashes: lab.deaths.map((death) => this.#describe(death)),
      state,
      states: lab.journal.states(),
      calls: lab.calls,
      ...(state.status === "completed" ? { result: handOut(state.result) } : {}),
      ...(state.error === undefined ? {} : { error: fromErrorRecord(state.error) }),
    };
    return { lab, run, effects: this.#effects() };
  }

  #effects(): string {
    const { effects } = this.#options;
    return effects === undefined ? "" : textOf(effects());
  }

  /** Throws if a run is not as it should be. */
  async #judge(ended: Ended, failure: string): Promise<void> {
    const { lab, run } = ended;
    const { trouble } = lab;
    if (trouble !== undefined) {
      const { kind, error } = trouble;
      const told = kind === "check" ? `A check threw: ${errorText(error)}` : (error as Error).message;
      throw this.#error(failure, ended, [told, ...this.#hintsOn(error)], error);
    }
    if (run!.state.status === "running") {
      throw this.#error(failure, ended, [
        "It waits for ever: nothing else comes from outside, and no timer is set",
        ...sourceHints(this.#scene.workflows),
      ]);
    }
    if (lab !== this.#undisturbed!.lab && !wasInterrupted(run!)) this.#compare(ended, failure);
    try {
      await this.#options.check?.(run!);
    } catch (error) {
      throw this.#error(failure, ended, [`A check threw: ${errorText(error)}`], error);
    }
  }

  #hintsOn(error: unknown): string[] {
    if (!(error instanceof NonDeterminismError)) return [];
    const { workflows } = this.#scene;
    return error.expected === FOREIGN_WAIT ? sourceHints(workflows) : [advice(workflows)];
  }

  #compare(ended: Ended, failure: string): void {
    const [was, is] = [this.#undisturbed!.lab.journal, ended.lab.journal];
    const lines: string[] = [];
    const again = repeated(ended.run!.calls);
    let differently = false;
    for (const workflowId of new Set([...was.runs, ...is.runs].map((run) => run.workflowId))) {
      const [left, right] = [was, is].map(({ runs }) => runs.filter((run) => run.workflowId === workflowId));
      for (let i = 0; i < Math.max(left.length, right.length); i++) {
        const [missing, extra] = differences(left[i], right[i]);
        differently ||= [...missing, ...extra].some((event) =>
          (event.type === "activity_completed" || event.type === "activity_failed" ||
            event.type === "activity_attempt_failed") && again.has(`${right[i]?.runId}:${event.seq}`)
        );
        lines.push(...missing.map((event) => `  undisturbed  ${lineOf(event, left[i].events)}`));
        lines.push(...extra.map((event) => `  now          ${lineOf(event, right[i].events)}`));
      }
    }
    if (lines.length > 0) {
      const names = [...new Set(again.values())].map(show).join(", ");
      const why = differently
        ? `The activity ${names} ran again, since its outcome was not stored when the process died, and answered ` +
          "otherwise\nMake it answer the same for the same idempotencyKey; let a fake go by context.attempt, not by how " +
          "often it was called"
        : advice(this.#scene.workflows);
      throw this.#error(failure, ended, ["It came to something else:", ...lines.slice(0, 12), why]);
    }
    if (ended.effects !== this.#undisturbed!.effects) throw this.#error(failure, ended, this.#aboutEffects(ended));
  }

  /** Why the world looks otherwise. */
  #aboutEffects({ lab, effects }: Ended): string[] {
    const again = [...new Set(repeated(lab.calls).values())];
    const why = again.length === 0
      ? "No activity ran again, so workflow code itself changes the world, and does so again on every replay: put that " +
        "into an activity"
      : `${
        again.map(show).join(", ")
      } ran again, since the outcome was not stored when the process died: an activity can ` +
        "run more than once\nHave it do nothing the second time, by its idempotencyKey";
    return [
      "The world looks otherwise:",
      `  undisturbed  ${this.#undisturbed!.effects}`,
      `  now          ${effects}`,
      why,
    ];
  }

  #error(failure: string, { lab, run }: Ended, told: readonly string[], cause?: unknown): CrashTestError {
    const timelines = [formatHistories("Undisturbed", this.#undisturbed!.run?.states ?? [])];
    if (lab !== this.#undisturbed!.lab) {
      timelines.push(formatHistories(lab.deaths.length > 0 ? "Crashed and recovered" : "Now", run?.states ?? []));
    }
    const crashes = lab.deaths.map((death) => `  ${this.#describe(death)}`);
    const lines = [`Workflow ${show(this.#name)} ${failure}`, ...crashes, ...told, "", ...timelines];
    return new CrashTestError(lines.join("\n"), { cause });
  }

  /** Where a process died. */
  #describe({ side, workflowId, number, event }: Death): string {
    const whose = workflowId === this.#scene.id ? "" : ` of workflow ${show(workflowId)}`;
    if (side === "before") return `died before event ${number}${whose}, ${event}, was stored`;
    return `died after event ${number}${whose}, ${event}${side === "after" ? ", before it learned of that" : ""}`;
  }
}

/** Has the first process die at its n-th write, and those that follow it at some write of theirs. */
function crashes(nth: number, side: DeathSide, deaths: number): Fate {
  const random = seeded(nth);
  const sides = ["before", "after", "between"] as const;
  let next = nth;
  let life = 0;
  return {
    write(write) {
      if (write.process.life > life) {
        life = write.process.life;
        next = 1 + Math.floor(random() ** 2 * MAX_NEXT_WRITE); // more often early: there can be few
      }
      if (life >= deaths || write.nth !== next) return undefined;
      return { die: life === 0 ? side : sides[Math.floor(random() * 3)] };
    },
  };
}

/** The activities that were begun more often than their attempts: their names by idempotency key. */
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

/** Whether a crash has cost a run an activity that must not run twice. */
function wasInterrupted({ states }: CrashRun): boolean {
  return states.some(({ history }) =>
    history.some((event) => event.type === "activity_failed" && event.error.data?.code === "activity_interrupted")
  );
}
