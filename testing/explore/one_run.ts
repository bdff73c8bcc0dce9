/**
 * One run of a workflow with its choices, and how it ended.
 *
 * @module
 */

import { fromErrorRecord } from "../../history/error_record.ts";
import { handOut } from "../../history/value.ts";
import { fit } from "../../pictures/text.ts";
import { showError, showValue } from "../../util/show_value.ts";
import { otherFunctionRan } from "../activity_recorder.ts";
import type { CrashRun } from "../crash/crash_options.ts";
import type { Death } from "../crash/fault_plan.ts";
import { messageOf, thrownText } from "../crash/report.ts";
import type { ResolvedScenario } from "../crash/scenario.ts";
import { type Trouble, World } from "../crash/world.ts";
import { type ChoiceOptions, Choices } from "./choices.ts";

/** Functions of the test that see each run. */
export interface RunCallbacks {
  readonly setUp?: (() => void | Promise<void>) | undefined;
  readonly onDeath?: (() => void | Promise<void>) | undefined;
  readonly effects?: (() => unknown) | undefined;
  readonly check?: ((run: CrashRun<never>) => void | Promise<void>) | undefined;
}

/** A run that has ended. */
export interface PlayedRun {
  readonly choices: Choices;
  /** `undefined` if nothing was stored. */
  readonly run: CrashRun | undefined;
  readonly deaths: readonly Death[];
  /** How it ended, in words. */
  readonly outcome: string;
  /** What went wrong: the workflow waits forever, does not fit its history, or a function of the test threw. */
  readonly trouble: Trouble | undefined;
  /** See {@linkcode World.held}. */
  readonly held: ReadonlySet<string>;
  /** Says that another function ran in place of a replaced one of its name. */
  readonly complaint: string | undefined;
}

/** How wide a value may be in an outcome. */
const WIDTH = 60;

/** Makes a run. */
export async function play(
  scenario: ResolvedScenario,
  options: ChoiceOptions,
  { setUp, onDeath, effects, check }: RunCallbacks,
): Promise<PlayedRun> {
  await setUp?.();
  const choices = new Choices(options);
  const world = new World(scenario, choices, { onDeath });
  await world.run();
  await choices.finish();
  const { state, deaths, held, used, calls } = world;
  const run: CrashRun | undefined = state && {
    crashes: deaths.map(({ side, number, event }) => `died ${side} event ${number}, ${event}`),
    state,
    states: world.journal.states(),
    calls,
    ...(state.status === "completed" ? { result: handOut(state.result) } : {}),
    ...(state.error === undefined ? {} : { error: fromErrorRecord(state.error) }),
  };
  if (world.trouble === undefined) {
    try {
      await check?.(run as CrashRun<never>);
    } catch (error) {
      world.fail("check", error);
    }
  }
  const outcome = [outcomeOf(world.trouble, run)];
  if (effects !== undefined) outcome.push(fit(showValue(effects()), WIDTH));
  const complaint = otherFunctionRan(scenario.activities, used, calls);
  return { choices, run, deaths, outcome: outcome.join("; "), trouble: world.trouble, held, complaint };
}

function outcomeOf(trouble: Trouble | undefined, run: CrashRun | undefined): string {
  if (trouble?.kind === "endless") return "waits forever";
  if (run === undefined) return "was not stored";
  const { status, result, error } = run.state;
  return `${status}: ${fit(error === undefined ? showValue(result) : showError(error), WIDTH)}`;
}

/** What went wrong, in words. */
export function troubleText({ kind, error }: Trouble): string {
  return kind === "check" ? `A check threw: ${thrownText(error)}` : messageOf(error);
}
