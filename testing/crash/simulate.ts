/**
 * Deterministic simulation: many runs of a workflow, each with other faults, all decided by a seed.
 *
 * Owns which runs are made and how a failing one is shrunk. The runs themselves are made by a `World`.
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

import type { WorkflowState } from "../../types.ts";
import { checkFunction, checkInteger, checkNumber, checkOptions, invalid } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import { checkReplacements, otherFunctionRan } from "../activity_recorder.ts";
import type { Death } from "./fault_plan.ts";
import { formatHistories, hintsOn, messageOf, ranOf, thrownText } from "./report.ts";
import { resolveScenario } from "./scenario.ts";
import { SeededFaults } from "./seeded_faults.ts";
import {
  defaultRates,
  type Scenario,
  type SimulateOptions,
  SimulationError,
  simulationNames,
  type SimulationRates,
  type SimulationReport,
  type SimulationView,
} from "./simulate_options.ts";
import { Standstills } from "./standstills.ts";
import { type Trouble, World } from "./world.ts";

const ACTION = "simulate";

/**
 * Simulates a workflow with faults, in virtual time: processes die, the store fails, reads are slow or old, activities fail or
 * take time, deliveries come late, and executors interfere with each other. A seed decides the same faults each time, as long as the
 * workflow and its activities use no randomness of their own.
 *
 * An activity can take real time. Virtual time passes without it only after it has done nothing for a while: 50 ms for a
 * fake, 3 s for any other activity. So an activity that never ends reaches its timeout. If the same activity, no fake, takes
 * that long with three seeds in a row, that is an error: replace it.
 *
 * A failing seed is shrunk: faults are left out as long as the run still goes wrong in the same way.
 *
 * @param scenario What to simulate, and what must hold.
 * @param options The seeds.
 * @throws {SimulationError} If an invariant does not hold, the workflow waits forever, its code is not deterministic, or an
 * activity that is not replaced holds up the runs.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @category Testing
 */
export async function simulate<Input, Signals extends readonly unknown[]>(
  scenario: Scenario<Input, Signals>,
  options: SimulateOptions = {},
): Promise<SimulationReport> {
  checkOptions(scenario, simulationNames, ACTION, undefined, "scenario");
  checkFunction("workflow", scenario.workflow, ACTION);
  checkOptions(options, { seeds: true }, ACTION);
  checkInteger("executors", scenario.executors ?? 1, 1, ACTION);
  if (scenario.leaseMs !== undefined) checkNumber("leaseMs", scenario.leaseMs, 1, ACTION);
  checkNumber("maxDelayMs", scenario.maxDelayMs ?? 1000, 1, ACTION);
  checkReplacements(scenario.activities ?? [], ACTION);
  ratesOf(scenario.rates); // refuses what is no rate
  const seeds = seedsOf(options);
  const standstills = new Standstills();
  let faults = 0;
  for (const seed of seeds) {
    const run = await play(scenario, seed);
    if (run.complaint !== undefined) throw refusal(scenario, seed, run.complaint);
    if (run.trouble !== undefined) throw await shrink(scenario, seed, run, run.trouble);
    const standstill = standstills.note(run.held);
    if (standstill !== undefined) throw refusal(scenario, seed, standstill);
    faults += run.happened.size;
  }
  return { runs: seeds.length, faults };
}

/** What is wrong with the test itself. */
function refusal(
  { workflow }: { readonly workflow: { readonly name: string } },
  seed: number,
  why: string,
): SimulationError {
  return new SimulationError(`Workflow ${show(workflow.name || "workflow")} cannot be simulated\n${why}`, seed, []);
}

type Rates = Readonly<Record<keyof SimulationRates, number>>;

/** The rates of a seed: with every fourth one, several attempts of one activity fail, unless the test has its own rate. */
const ratesWith = (seed: number, given: SimulationRates = {}): Rates => {
  const rates = ratesOf(given);
  return seed % 4 === 0 && given.activityFailure === undefined ? { ...rates, activityFailure: 0.5 } : rates;
};

function ratesOf(given: SimulationRates = {}): Rates {
  const names = Object.fromEntries(Object.keys(defaultRates).map((name) => [name, true as const]));
  checkOptions(given, names, ACTION, undefined, "rates");
  const rates = { ...defaultRates };
  for (const [name, rate] of Object.entries(given)) {
    if (rate === undefined) continue;
    checkNumber(`rates.${name}`, rate, 0, ACTION);
    rates[name as keyof SimulationRates] = rate;
  }
  return rates;
}

function seedsOf({ seeds = 100 }: SimulateOptions): readonly number[] {
  if (typeof seeds === "number") {
    checkInteger("seeds", seeds, 1, ACTION);
    return Array.from({ length: seeds }, (_, i) => i + 1);
  }
  if (!Array.isArray(seeds) || seeds.length === 0) throw invalid("seeds", seeds, "a number or an array", ACTION);
  for (const [i, seed] of seeds.entries()) checkInteger(`seeds[${i}]`, seed, -Infinity, ACTION);
  return seeds;
}

/** A run that has ended. */
interface Ended {
  readonly trouble: Trouble | undefined;
  /** The faults that happened: their keys, and what they are in words. */
  readonly happened: ReadonlyMap<string, string>;
  readonly states: readonly WorkflowState[];
  readonly deaths: readonly Death[];
  /** See {@linkcode World.held}. */
  readonly held: ReadonlySet<string>;
  /** Says that another function ran in place of a replaced one of its name. */
  readonly complaint: string | undefined;
  /** Hints at the code that may have caused the trouble. */
  readonly hints: readonly string[];
}

/** Makes the run of a seed, with all of its faults or with those whose keys are allowed. */
async function play<Input>(
  scenario: Scenario<Input>,
  seed: number,
  allowed?: ReadonlySet<string>,
): Promise<Ended> {
  const { always, atEnd, setUp, executors = 1, leaseMs, maxDelayMs = 1000 } = scenario;
  await setUp?.();
  const executorOptions = { storeRetry: { maxAttempts: Infinity, initialIntervalMs: 5 } };
  const resolved = resolveScenario(
    scenario.workflow,
    scenario,
    { id: "simulation", executors, leaseMs, executorOptions },
    ACTION,
  );
  const rates = ratesWith(seed, scenario.rates);
  const faults = new SeededFaults({ seed, rates, maxDelayMs, executors, leaseMs, allowed });
  const world: World = new World(resolved, faults, { always: () => always?.(view()) });
  const view = (): SimulationView => ({
    nowMs: world.clock.now(),
    calls: world.calls,
    get states() {
      return world.journal.states();
    },
    get state() {
      return world.state;
    },
  });
  await world.run();
  try {
    if (world.trouble === undefined) await atEnd?.(view());
  } catch (error) {
    world.fail("atEnd", error);
  }
  const { trouble, deaths, held, journal, used, calls } = world;
  const complaint = otherFunctionRan(resolved.activities, used, calls);
  const hints = trouble === undefined ? [] : hintsOn(trouble, ranOf(resolved.workflows, journal.states()));
  return { trouble, happened: faults.happened, states: journal.states(), deaths, held, complaint, hints };
}

/** Finds the fewest faults with which a run goes wrong in the same way, and makes the error. */
async function shrink<Input>(
  scenario: Scenario<Input>,
  seed: number,
  full: Ended,
  { kind }: Trouble,
): Promise<SimulationError> {
  let shrunk = full;
  await fewest([...full.happened.keys()], async (keys) => {
    const run = await play(scenario, seed, new Set(keys));
    if (run.trouble?.kind !== kind) return false;
    shrunk = run;
    return true;
  });
  const faults = [...shrunk.happened.values()];
  const { error } = shrunk.trouble!;
  const message = [
    `Workflow ${show(scenario.workflow.name || "workflow")} goes wrong with seed ${seed}`,
    THROWERS[kind] === undefined ? messageOf(error) : `${THROWERS[kind]} threw: ${thrownText(error)}`,
    ...shrunk.hints,
    faults.length === 0 ? "It needs no fault" : `It needs these of the ${full.happened.size} faults of the seed:`,
    ...faults.map((text, i) => `  ${i + 1}. ${text}`),
    `Repeat this run with simulate(scenario, { seeds: [${seed}] })`,
    "",
    formatHistories(faults.length === 0 ? "Without faults" : "With these faults only", shrunk.states, shrunk.deaths),
  ].join("\n");
  return new SimulationError(message, seed, faults, { cause: error });
}

/** The functions of the test whose error is a trouble. */
const THROWERS: Partial<Record<Trouble["kind"], string>> = { always: "always", atEnd: "atEnd", check: "A check" };

/**
 * Finds a small part of a list with which a run still goes wrong: none of its items can be left out alone. This is delta
 * debugging.
 *
 * @param fails Resolves with true for the whole list.
 */
async function fewest(
  items: readonly string[],
  fails: (items: readonly string[]) => Promise<boolean>,
): Promise<readonly string[]> {
  let rest = items;
  if (rest.length === 0 || await fails([])) return [];
  for (let parts = 2; rest.length > 1;) {
    const size = Math.ceil(rest.length / parts);
    let smaller: readonly string[] | undefined;
    for (let from = 0; from < rest.length && smaller === undefined; from += size) {
      const without = [...rest.slice(0, from), ...rest.slice(from + size)];
      if (await fails(without)) smaller = without;
    }
    if (smaller !== undefined) {
      rest = smaller;
      parts = Math.max(parts - 1, 2);
    } else if (size === 1) break;
    else parts = Math.min(parts * 2, rest.length);
  }
  return rest;
}
