/**
 * A workflow under test with everything that a simulated world needs to run it: the options that `crashTest()` and
 * `simulate()` share.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import type { ExecutorOptions } from "../../options.ts";
import { InMemoryStore } from "../../store.ts";
import type { WorkflowStore } from "../../types.ts";
import type { Workflow } from "../../context.ts";
import type { AnyWorkflow } from "../../options.ts";
import type { Replacement } from "../fakes.ts";
import { invalid } from "../../util/check.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { type Deliveries, deliveryNames } from "./deliveries.ts";

/**
 * Options that {@linkcode crashTest} and {@linkcode simulate} share.
 *
 * @category Testing
 */
// deno-lint-ignore no-explicit-any -- signals of any payload
export interface ScenarioOptions<Signals extends readonly unknown[] = readonly any[]> extends Deliveries<Signals> {
  /**
   * The workflow's ID.
   *
   * @default {"crash-test" or "simulation"}
   */
  readonly id?: string | undefined;
  /**
   * How long the workflow may take, in milliseconds, above 0.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Replacements of activities, made by `replace()`. A fake that fails on purpose must decide by `context.attempt`, not by
   * the number of its calls, which is another one after a crash.
   *
   * @default {none}
   */
  readonly activities?: readonly Replacement[] | undefined;
  /**
   * Other workflows that run as children, by name.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, AnyWorkflow>> | undefined;
  /**
   * Called before every run. Resets everything that the activities write to.
   *
   * @default {nothing}
   */
  readonly setUp?: (() => void | Promise<void>) | undefined;
  /**
   * Makes the store of a run. It gets the clock of the run, by which leases must end.
   *
   * @default {a new `InMemoryStore`, with that clock}
   */
  readonly store?: ((clock: Clock) => WorkflowStore) | undefined;
  /**
   * Further options of the executors.
   *
   * @default {none}
   */
  readonly executor?: Omit<ExecutorOptions, "store" | "clock" | "workflows" | "newRunId" | "leaseMs"> | undefined;
}

/** The names of all options in {@linkcode ScenarioOptions}. */
export const scenarioNames: Readonly<Record<keyof ScenarioOptions, true>> = /* @__PURE__ */ Object.assign(
  {},
  deliveryNames,
  { id: true, timeoutMs: true, activities: true, workflows: true, setUp: true, store: true, executor: true } as const,
);

type ScenarioExecutorOptions = NonNullable<ScenarioOptions["executor"]>;

/** A scenario with its defaults. */
export interface ResolvedScenario {
  readonly workflow: Workflow<never>;
  /** The name under which the workflow is registered. */
  readonly name: string;
  readonly id: string;
  readonly input: unknown;
  readonly timeoutMs: number | undefined;
  /** All workflows by name, including the one under test. */
  readonly workflows: Readonly<Record<string, Workflow<never>>>;
  readonly deliveries: Deliveries;
  readonly activities: readonly Replacement[];
  readonly executorOptions: ScenarioExecutorOptions;
  /** How many executors share the store. */
  readonly executors: number;
  /** `undefined`: without leases. */
  readonly leaseMs: number | undefined;
  readonly makeStore: (clock: Clock) => WorkflowStore;
}

/** Adds the defaults to a scenario, and checks what its functions return. */
export function resolveScenario(
  workflow: AnyWorkflow,
  options: ScenarioOptions & { readonly input?: unknown },
  defaults: {
    readonly id: string;
    readonly executors: number;
    readonly leaseMs?: number | undefined;
    readonly executorOptions?: ScenarioExecutorOptions;
  },
  action: string,
): ResolvedScenario {
  const { id = defaults.id, input, timeoutMs, activities = [] } = options;
  const { store = (clock: Clock) => new InMemoryStore({ clock }) } = options;
  const name = workflow.name || "workflow";
  return {
    workflow: workflow as Workflow<never>,
    name,
    id,
    input,
    timeoutMs,
    workflows: { ...options.workflows, [name]: workflow } as Record<string, Workflow<never>>,
    deliveries: options,
    activities,
    executorOptions: { ...defaults.executorOptions, ...options.executor },
    executors: defaults.executors,
    leaseMs: defaults.leaseMs,
    makeStore(clock) {
      const made = store(clock);
      if (isStrayPromise(made) || typeof made?.append !== "function" || typeof made.load !== "function") {
        throw invalid("store()", made, "a WorkflowStore", action);
      }
      return made;
    },
  };
}
