/**
 * Deterministic simulation: many runs of a workflow, each with other disturbances, all decided by a seed.
 *
 * @example
 * ```ts
 * import type { ActivityContext, WorkflowContext } from "@rockpool/workflow";
 * import { simulate } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const account = { balance: 100, seen: new Set<string>() };
 * function withdraw(amount: number, { idempotencyKey }: ActivityContext) {
 *   if (!account.seen.has(idempotencyKey)) account.balance -= amount;
 *   account.seen.add(idempotencyKey);
 * }
 * const retry = { maxAttempts: Infinity };
 *
 * await simulate({
 *   workflow: (ctx: WorkflowContext) => ctx.executeActivity(withdraw, 30, { retry }),
 *   setUp() {
 *     account.balance = 100;
 *     account.seen.clear();
 *   },
 *   atEnd: () => assertEquals(account.balance, 70),
 * }, { seeds: 50 });
 * ```
 *
 * @module
 */

import type { ExecutorOptions } from "../../executor.ts";
import { InMemoryStore } from "../../store.ts";
import type { Workflow, WorkflowContext, WorkflowState, WorkflowStore } from "../../types.ts";
import { checkFunction, checkInteger, checkNumber, checkObject, invalid } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import { checkReplacements } from "../activity_recorder.ts";
import { defaultRates, fewest, SeededFaults, type SimulationRates } from "./seeded_faults.ts";
import { finalState, hintsOn, type Scene, type Trouble, World } from "./world.ts";
import type { Deliveries } from "./deliveries.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import type { Death } from "./simulated_process.ts";
import { errorText, formatHistories, messageOf } from "./report.ts";

export type { SimulationRates };

/** What is simulated. */
// deno-lint-ignore no-explicit-any -- signals of any payload
export interface Scenario<Input = unknown, Signals extends readonly unknown[] = readonly any[]>
  extends Deliveries<Signals> {
  /** The workflow. */
  readonly workflow: (ctx: WorkflowContext, input: Input) => unknown;
  /** The workflow's input. */
  readonly input?: NoInfer<Input>;
  /**
   * The workflow's ID.
   *
   * @default {"simulation"}
   */
  readonly id?: string;
  /**
   * How long the workflow may take, in milliseconds, above 0.
   *
   * @default {forever}
   */
  readonly timeoutMs?: number;
  /**
   * What runs in place of activities, as `replace()` answers it.
   *
   * @default {every activity runs itself}
   */
  readonly activities?: readonly Replacement[];
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
   * What must always hold: called after every write to the store and at the end; throws if it does not hold.
   *
   * @default {nothing}
   */
  readonly always?: (view: SimulationView) => void | Promise<void>;
  /**
   * What must hold when everything has come to an end; throws if it does not.
   *
   * @default {nothing}
   */
  readonly atEnd?: (view: SimulationView) => void | Promise<void>;
  /**
   * How many executors share the store: an integer from 1.
   *
   * @default {1}
   */
  readonly executors?: number;
  /**
   * How often what goes wrong. What is not given has its default.
   *
   * @default {a little of everything}
   */
  readonly rates?: SimulationRates;
  /**
   * How long a delay is at most, in milliseconds, from 1.
   *
   * @default {1000}
   */
  readonly maxDelayMs?: number;
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

/** What the invariants of a simulation look at. */
export interface SimulationView {
  /** The time, in milliseconds after the start. */
  readonly nowMs: number;
  /** What is stored of the workflow; nothing before its start is stored. */
  readonly state: WorkflowState | undefined;
  /** What was stored of every run of every workflow, in the order in which they began. */
  readonly states: readonly WorkflowState[];
  /** Every attempt of an activity that was begun so far. */
  readonly calls: readonly ActivityCall[];
}

/** Options of {@linkcode simulate}. */
export interface SimulateOptions {
  /**
   * The seeds, one a run; or how many, from 1 on.
   *
   * @default {100}
   */
  readonly seeds?: number | readonly number[];
}

/** What {@linkcode simulate} did. */
export interface SimulationReport {
  /** How many runs there were. */
  readonly runs: number;
  /** How many disturbances there were in all of them. */
  readonly disturbances: number;
}

/** A seed whose run breaks an invariant. The message says by which disturbances, and has the timeline. */
export class SimulationError extends Error {
  /** The seed. */
  readonly seed: number;
  /** The fewest disturbances that break it, in words, in the order in which they happened. */
  readonly disturbances: readonly string[];

  /** Makes an error. */
  constructor(message: string, seed: number, disturbances: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.name = "SimulationError";
    this.seed = seed;
    this.disturbances = disturbances;
  }
}

/**
 * Simulates a workflow under disturbances, in virtual time: processes die, the store fails, activities fail or take time,
 * what comes from outside comes late, executors get into each other's way. Whatever a seed decides is the same each time, as
 * long as the workflow and its activities leave nothing to chance themselves.
 *
 * An activity can take real time. Only when nothing has gone on for a while does virtual time go on without it, to its
 * timeout, say: after 50 ms for one that is replaced, after 3 s for any other.
 *
 * A failing seed is shrunk: disturbances are left out as long as the same goes wrong without them.
 *
 * @param scenario What to simulate, and what must hold.
 * @param options Which seeds.
 * @throws {SimulationError} If an invariant does not hold, the workflow waits for ever, or its code is not deterministic.
 * @throws {TypeError | RangeError} If an argument is bad.
 */
export async function simulate<Input, Signals extends readonly unknown[]>(
  scenario: Scenario<Input, Signals>,
  options: SimulateOptions = {},
): Promise<SimulationReport> {
  const action = "simulate";
  checkObject("scenario", scenario, action);
  checkFunction("workflow", scenario.workflow, action);
  checkObject("options", options, action);
  const { executors = 1, maxDelayMs = 1000 } = scenario;
  checkInteger("executors", executors, 1, action);
  checkNumber("maxDelayMs", maxDelayMs, 1, action);
  checkReplacements(scenario.activities ?? [], action);
  for (const [name, rate] of Object.entries(scenario.rates ?? {})) checkNumber(`rates.${name}`, rate, 0, action);
  const seeds = seedsOf(options);
  let disturbances = 0;
  for (const seed of seeds) {
    const run = await play(scenario, seed);
    if (run.trouble !== undefined) throw await shrink(scenario, seed, run, run.trouble);
    disturbances += run.happened.size;
  }
  return { runs: seeds.length, disturbances };
}

function seedsOf({ seeds = 100 }: SimulateOptions): readonly number[] {
  if (typeof seeds === "number") {
    checkInteger("seeds", seeds, 1, "simulate");
    return Array.from({ length: seeds }, (_, i) => i + 1);
  }
  if (!Array.isArray(seeds) || seeds.length === 0) throw invalid("seeds", seeds, "a number or an array", "simulate");
  seeds.forEach((seed, i) => checkInteger(`seeds[${i}]`, seed, -Infinity, "simulate"));
  return seeds;
}

/** A run that is over. */
interface Played {
  readonly trouble: Trouble | undefined;
  /** What went wrong on purpose: keys, and words. */
  readonly happened: ReadonlyMap<string, string>;
  readonly states: readonly WorkflowState[];
  readonly deaths: readonly Death[];
  /** What in the code can be the cause of what went wrong by itself. */
  readonly hints: readonly string[];
}

/** Plays the run of a seed, with all disturbances or those that are allowed. */
async function play<Input>(
  scenario: Scenario<Input>,
  seed: number,
  allowed?: ReadonlySet<string>,
): Promise<Played> {
  const { workflow, id = "simulation", input, timeoutMs, activities = [], workflows = {}, executors = 1 } = scenario;
  const { always, atEnd, setUp, store = () => new InMemoryStore(), rates, maxDelayMs = 1000 } = scenario;
  await setUp?.();
  const name = workflow.name || "workflow";
  const known = { ...workflows, [name]: workflow } as Record<string, Workflow<never>>;
  const executor = { storeRetry: { maxAttempts: Infinity, initialIntervalMs: 5 }, ...scenario.executor };
  const scene: Scene = {
    ...{ workflow: known[name], id, input, timeoutMs, workflows: known },
    ...{ outside: scenario, activities, executor, executors },
  };
  const chance = new SeededFaults(seed, { ...defaultRates, ...rates }, maxDelayMs, allowed);
  const world = chance.world = new World(scene, store(), chance);
  const view = (): SimulationView => ({
    nowMs: world.clock.now(),
    calls: world.calls,
    get states() {
      return world.journal.states();
    },
    get state() {
      return finalState(world);
    },
  });
  world.look = () => always?.(view());
  await world.play();
  try {
    if (world.trouble === undefined) await atEnd?.(view());
  } catch (error) {
    world.fail("at end", error);
  }
  const happenings = { happened: chance.happened, deaths: world.deaths };
  return { trouble: world.trouble, ...happenings, states: world.journal.states(), hints: hintsOn(world) };
}

/** Finds the fewest disturbances by which the same goes wrong, and says what that is. */
async function shrink<Input>(
  scenario: Scenario<Input>,
  seed: number,
  full: Played,
  { kind }: Trouble,
): Promise<SimulationError> {
  let shrunk = full;
  await fewest([...full.happened.keys()], async (keys) => {
    const run = await play(scenario, seed, new Set(keys));
    if (run.trouble?.kind !== kind) return false;
    shrunk = run;
    return true;
  });
  const disturbances = [...shrunk.happened.values()];
  const { error } = shrunk.trouble!;
  const count = full.happened.size;
  const told = kind === "invariant" || kind === "at end" || kind === "check"
    ? `${kind === "at end" ? "At the end" : kind === "check" ? "In a check" : "On the way"}: ${errorText(error)}`
    : messageOf(error);
  const message = [
    `Workflow ${show(scenario.workflow.name || "workflow")} goes wrong with seed ${seed}`,
    told,
    ...shrunk.hints,
    disturbances.length === 0
      ? "It takes no disturbance at all"
      : `It takes these disturbances, of ${count} that the seed makes:`,
    ...disturbances.map((text, i) => `  ${i + 1}. ${text}`),
    `To see exactly this again: simulate(scenario, { seeds: [${seed}] })`,
    "",
    formatHistories(
      disturbances.length === 0 ? "Undisturbed" : "With these disturbances only",
      shrunk.states,
      shrunk.deaths,
    ),
  ].join("\n");
  return new SimulationError(message, seed, disturbances, { cause: error });
}
