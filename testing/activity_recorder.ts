/**
 * The activities of a test: finds the replacement of an activity, and records the attempts.
 *
 * @module
 */

import type { AnyActivity, ReplaceActivity } from "../options.ts";
import type { ActivityContext } from "../activity.ts";
import { invalid } from "../util/check.ts";
import { isThenable } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { type ActivityCall, type ActivityOutcome, type Replacement, TimedAnswer } from "./fakes.ts";
import { mutatedAs, originalOf } from "./mutated_activity.ts";

/** Records the attempts of all activities of one executor. */
export class ActivityRecorder {
  readonly #replacements: readonly Replacement[];
  readonly #unused: Set<Replacement>;
  readonly #now: () => number;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Each attempt, with the function that the workflow passed to `executeActivity`. */
  readonly #recorded: { readonly activity: AnyActivity; readonly call: ActivityCall }[] = [];

  /** @param wait Waits for virtual time. Rejects when the signal is aborted. */
  constructor(
    replacements: readonly Replacement[],
    now: () => number,
    wait: (ms: number, signal: AbortSignal) => Promise<void>,
  ) {
    checkReplacements(replacements, "create an executor");
    this.#replacements = replacements;
    this.#unused = new Set(replacements);
    this.#now = now;
    this.#wait = wait;
  }

  get calls(): ActivityCall[] {
    return this.#recorded.map(({ call }) => call);
  }

  callsOf(activity: AnyActivity | string): ActivityCall[] {
    return this.#recorded.filter((one) => one.activity === activity || one.call.name === activity)
      .map(({ call }) => call);
  }

  /** See {@linkcode complaintOf}. */
  complaint(): string | undefined {
    return complaintOf(this.#unused, this.calls);
  }

  readonly replaceActivity: ReplaceActivity = (activity, name) => {
    const replacement = replacementOf(this.#replacements, activity, name);
    if (replacement !== undefined) this.#unused.delete(replacement);
    const fake = fakeOf(replacement, name);
    const run = fake === undefined ? activity : mutatedAs(activity, fake);
    return recording({ name, replaced: replacement !== undefined, now: this.#now }, (input, context, call) => {
      this.#recorded.push({ activity: originalOf(activity), call });
      return whenTimed(run(input, context), (ms) => this.#wait(ms, context.signal));
    });
  };
}

/** Waits for an answer that takes virtual time. Another one is returned as it is. */
export function whenTimed(answer: unknown, wait: (ms: number) => Promise<void>): unknown {
  if (isThenable(answer)) return answer.then((inner) => inner instanceof TimedAnswer ? whenTimed(inner, wait) : inner);
  return answer instanceof TimedAnswer ? wait(answer.ms).then(() => whenTimed(answer.answer, wait)) : answer;
}

/** The function that runs in place of an activity. That of a replacement of every activity gets the name, too. */
export function fakeOf(replacement: Replacement | undefined, name: string): AnyActivity | undefined {
  if (replacement === undefined || replacement.activity !== undefined) return replacement?.fake;
  const fake = replacement.fake as unknown as (input: unknown, context: ActivityContext, name: string) => unknown;
  return (input: unknown, context: ActivityContext) => fake(input, context, name);
}

/** Finds the replacement of an activity. */
export function replacementOf(
  replacements: readonly Replacement[],
  activity: AnyActivity,
  name: string,
): Replacement | undefined {
  const original = originalOf(activity);
  return replacements.find((one) => one.activity === undefined || one.activity === original || one.activity === name);
}

/**
 * Makes an activity that records its own attempts.
 *
 * @param run Runs an attempt. Gets the record of it, whose outcome is set when the attempt ends.
 */
export function recording(
  { name, replaced, now }: { readonly name: string; readonly replaced: boolean; readonly now: () => number },
  run: (input: never, context: ActivityContext, call: ActivityCall) => unknown,
): AnyActivity {
  return (input, context) => {
    const { attempt, workflowId, idempotencyKey } = context;
    const call: ActivityCall & { outcome: ActivityOutcome | undefined } = {
      ...{ name, input, attempt, workflowId, idempotencyKey, at: now(), replaced },
      outcome: undefined,
    };
    const succeed = (result: unknown) => (call.outcome = { status: "completed", result }, result);
    const fail = (error: unknown) => {
      call.outcome = { status: "failed", error };
      throw error;
    };
    let answer: unknown;
    try {
      answer = run(input, context, call);
    } catch (error) {
      fail(error);
    }
    return isThenable(answer) ? answer.then(succeed, fail) : succeed(answer);
  };
}

/**
 * Says which unused replacement is probably a mistake, if any. One by name is, if activities ran that were not replaced. One
 * by function is, if another function of the same name ran.
 */
export function complaintOf(unused: Iterable<Replacement>, calls: readonly ActivityCall[]): string | undefined {
  const real = new Set(calls.filter(({ replaced }) => !replaced).map(({ name }) => name));
  for (const { activity } of unused) {
    if (typeof activity === "string" && real.size > 0) {
      return `No activity ${show(activity)} ran; without a replacement ran ${Array.from(real, show).join(", ")}`;
    }
    if (typeof activity === "function" && real.has(activity.name)) {
      return `The replacement of the function ${
        show(activity.name)
      } was never called, but another function of that name ` +
        "ran: replace the function that the workflow passes to executeActivity, or replace by name";
    }
  }
}

/**
 * Says which unused replacement by function is a mistake: another function of that name ran in its place, with real side effects. One
 * run is enough to know it, so it is said before there are more.
 */
export function otherFunctionRan(
  replacements: readonly Replacement[] = [],
  used: ReadonlySet<Replacement>,
  calls: readonly ActivityCall[],
): string | undefined {
  return complaintOf(replacements.filter((one) => typeof one.activity === "function" && !used.has(one)), calls);
}

/** Checks the option `activities`. */
export function checkReplacements(replacements: unknown, action: string): void {
  const isReplacement = (one: Partial<Replacement> | null) => typeof one?.fake === "function";
  if (Array.isArray(replacements) && Array.from(replacements).every(isReplacement)) return; // without holes
  throw invalid("activities", replacements, "an array of replacements made by replace()", action);
}
