/**
 * The work of `crashTest()`: plays a workflow undisturbed and with every crash, compares, and says what is wrong.
 *
 * @module
 */

import { InMemoryStore } from "../../store.ts";
import type { ActivityStartedEvent, Workflow, WorkflowEvent } from "../../types.ts";
import { fromErrorRecord } from "../../history/error_record.ts";
import { isCommand } from "../../history/history.ts";
import { handOut } from "../../history/value.ts";
import { show } from "../../util/show.ts";
import { complaintOf } from "../activity_recorder.ts";
import type { CrashRun, CrashTestOptions } from "./crash.ts";
import { type FaultPlan, finalState, hintsOn, type Scene, World } from "./world.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import type { Death, DeathSide } from "./simulated_process.ts";
import { replay } from "../replaying.ts";
import { seeded } from "../seeded.ts";
import { advice, differences, errorText, formatHistories, lineOf, messageOf, textOf } from "./report.ts";

/** A workflow does not survive a crash. The message says where and why, and has both timelines. */
export class CrashTestError extends Error {
  /** Makes an error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CrashTestError";
  }
}

/** How many writes a recovery gets done at most before its process dies too. */
const MAX_NEXT_WRITE = 12;

/** How many differences are told. */
const MAX_LINES = 12;

/** A run that has ended, and what is compared of it. */
interface Ended {
  readonly world: World;
  readonly run: CrashRun | undefined;
  /** What the world looks like, as a text. */
  readonly effects: string;
}

export class Crasher {
  readonly #scene: Scene;
  readonly #options: CrashTestOptions;
  readonly #name: string;
  /** The replacements that have replaced nothing in any run so far. */
  readonly #unused: Set<Replacement>;
  #undisturbed: Ended | undefined;

  constructor(workflow: Workflow<never>, options: CrashTestOptions) {
    const { id = "crash-test", input, timeoutMs, activities = [], workflows, executor } = options;
    this.#name = workflow.name || "workflow";
    const known = { ...workflows as Record<string, Workflow<never>>, [this.#name]: workflow };
    const rest = { outside: options, activities, workflows: known, executor, executors: 1 };
    this.#scene = { workflow, id, input, timeoutMs, ...rest };
    this.#options = options;
    this.#unused = new Set(activities);
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
        throw this.#error("does not replay from its own history, without any crash", first, [
          messageOf(error),
          advice(workflows),
        ], error);
      }
    }
    const effects = this.#effects();
    if (effects !== again.effects) {
      throw this.#error("changes the world when it is only replayed", first, this.#aboutEffects({ ...again, effects }));
    }
    return first.run!;
  }

  /** Has a process die at every point. Answers how many there were. */
  async crashEverywhere(deaths: number): Promise<number> {
    let points = 0;
    for (const side of ["before", "after", "between"] as const) {
      for (let nth = 1;; nth++) {
        const ended = await this.#play(crashes(nth, side, deaths));
        if (ended.world.deaths.length === 0) break;
        points++;
        await this.#judge(ended, "does not survive a crash");
      }
    }
    const misspelt = complaintOf(this.#unused, this.#undisturbed!.world.calls);
    if (misspelt !== undefined) {
      throw this.#error("was tested with other activities than it should", this.#undisturbed!, [misspelt]);
    }
    return points;
  }

  async #play(fate: FaultPlan): Promise<Ended> {
    const { setUp, onDeath, store = () => new InMemoryStore() } = this.#options;
    await setUp?.();
    const world = new World(this.#scene, store(), fate);
    world.onDeath = onDeath;
    await world.play();
    for (const replacement of world.used) this.#unused.delete(replacement);
    const state = finalState(world);
    if (state === undefined) return { world, run: undefined, effects: "" };
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

  #effects(): string {
    const { effects } = this.#options;
    return effects === undefined ? "" : textOf(effects());
  }

  /** Throws if a run is not as it should be. */
  async #judge(ended: Ended, failure: string): Promise<void> {
    const { world, run } = ended;
    const { trouble } = world;
    if (trouble !== undefined) {
      const { kind, error } = trouble;
      const told = kind === "check" ? `A check threw: ${errorText(error)}` : messageOf(error);
      throw this.#error(failure, ended, [told, ...hintsOn(world)], error);
    }
    if (world !== this.#undisturbed!.world && !wasInterrupted(run!)) this.#compare(ended, failure);
    try {
      await this.#options.check?.(run!);
    } catch (error) {
      throw this.#error(failure, ended, [`A check threw: ${errorText(error)}`], error);
    }
  }

  #compare(ended: Ended, failure: string): void {
    const [was, is] = [this.#undisturbed!.world.journal, ended.world.journal];
    const lines: string[] = [];
    const culprits = new Map<string, string>();
    for (const workflowId of new Set([...was.runs, ...is.runs].map((run) => run.workflowId))) {
      const [left, right] = [was, is].map(({ runs }) => runs.filter((run) => run.workflowId === workflowId));
      for (let i = 0; i < Math.max(left.length, right.length); i++) {
        const [missing, extra] = differences(left[i], right[i]);
        lines.push(...missing.map((event) => `  undisturbed  ${lineOf(event, left[i].events)}`));
        lines.push(...extra.map((event) => `  now          ${lineOf(event, right[i].events)}`));
        for (const [seq, name] of answeredOtherwise([...missing, ...extra], right[i]?.events ?? [])) {
          culprits.set(`${right[i].runId}:${seq}`, name);
        }
      }
    }
    if (lines.length > 0) {
      const told = ["It came to something else:", ...lines.slice(0, MAX_LINES), this.#aboutHistory(ended, culprits)];
      throw this.#error(failure, ended, told);
    }
    if (ended.effects !== this.#undisturbed!.effects) throw this.#error(failure, ended, this.#aboutEffects(ended));
  }

  /**
   * Why the history is another.
   *
   * @param culprits Activities that answered otherwise although they were asked the same: names by idempotency key.
   */
  #aboutHistory({ run }: Ended, culprits: ReadonlyMap<string, string>): string {
    if (culprits.size === 0) return advice(this.#scene.workflows);
    const names = [...new Set(culprits.values())].map(show).join(", ");
    const again = repeated(run!.calls);
    if ([...culprits.keys()].some((key) => again.has(key))) {
      return `${names} ran again, since the outcome was not stored when the process died, and answered otherwise\n` +
        "Make it answer the same for the same idempotencyKey; let a fake go by context.attempt, not by how often it was called";
    }
    return `${names} answered otherwise although it was asked the same: let it answer the same in every run, and have setUp() ` +
      "make new whatever it reads";
  }

  /** Why the world looks otherwise. */
  #aboutEffects({ world, effects }: Ended): string[] {
    const again = [...new Set(repeated(world.calls).values())];
    const why = again.length === 0
      ? "No activity ran again, so workflow code itself changes the world, and does so again on every replay: put that " +
        "into an activity"
      : `${
        again.map(show).join(", ")
      } ran again, since the outcome was not stored when the process died: an activity ` +
        "can run more than once\nHave it do nothing the second time, by its idempotencyKey";
    return [
      "The world looks otherwise:",
      `  undisturbed  ${this.#undisturbed!.effects}`,
      `  now          ${effects}`,
      why,
    ];
  }

  #error(failure: string, { world, run }: Ended, told: readonly string[], cause?: unknown): CrashTestError {
    const timelines = [formatHistories("Undisturbed", this.#undisturbed!.run?.states ?? [])];
    if (world !== this.#undisturbed!.world) {
      const title = world.deaths.length > 0 ? "Crashed and recovered" : "Now";
      timelines.push(formatHistories(title, run?.states ?? [], world.deaths));
    }
    const crashes = world.deaths.map((death) => `  ${this.#describe(death)}`);
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
function crashes(nth: number, side: DeathSide, deaths: number): FaultPlan {
  const random = seeded(nth);
  const sides = ["before", "after", "between"] as const;
  let next = nth;
  let life = 0;
  return {
    write(write) {
      if (write.proc.life > life) {
        life = write.proc.life;
        next = 1 + Math.floor(random() ** 2 * MAX_NEXT_WRITE); // more often early: there can be few
      }
      if (life >= deaths || write.nth !== next) return undefined;
      return { die: life === 0 ? side : sides[Math.floor(random() * 3)] };
    },
  };
}

/** The activities among `events` whose outcome differs and whose call does not: names by position. */
function answeredOtherwise(events: readonly WorkflowEvent[], history: readonly WorkflowEvent[]): Map<number, string> {
  const called = new Set(events.map((event) => isCommand(event) ? event.seq : undefined));
  const names = new Map<number, string>();
  for (const { type, seq } of events as readonly { readonly type: string; readonly seq?: number }[]) {
    if (!/^activity_(completed|failed|attempt_failed)$/.test(type) || called.has(seq)) continue;
    const command = history.find((event) => event.type === "activity_started" && event.seq === seq);
    if (command !== undefined) names.set(seq!, (command as ActivityStartedEvent).name);
  }
  return names;
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
