/**
 * A replacement that answers activities from a history.
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import { NonRetryableError } from "../errors.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { handOut } from "../history/value.ts";
import type { AnyActivity } from "../options.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { checkObject } from "../util/check.ts";
import { show } from "../util/show.ts";
import { showValue } from "../util/show_value.ts";
import { equals } from "./assert.ts";
import type { Replacement } from "./fakes.ts";
import { historyFromText } from "./history_text.ts";

interface Recorded {
  readonly name: string;
  readonly input: unknown;
  /** The attempts that failed, and the outcome. */
  readonly answers: readonly WorkflowEvent[];
}

/** Forgets the runs that a replacement has answered. */
const forget = /* @__PURE__ */ new WeakMap<Replacement, () => void>();

/** What a replacement has thrown because the history has no answer. */
const unanswered = /* @__PURE__ */ new WeakSet<object>();

/** Whether an activity failed because a recorded history has no answer for it. */
export function isUnanswered(error: unknown): boolean {
  return typeof error === "object" && error !== null && unanswered.has(error);
}

/** Begins a new world: its runs have the IDs of those in an earlier one, and may call other activities in their places. */
export function forgetRuns(replacements: readonly Replacement[]): void {
  for (const replacement of replacements) forget.get(replacement)?.();
}

/**
 * Answers every activity as a history says: with the recorded result, or with the recorded errors of its attempts and then the
 * result. The activity is found by its name and its input. One that the history does not show, or that has no outcome there, fails with
 * a `NonRetryableError` that names it: nothing real runs.
 *
 * @param history A stored state, or a text made by `historyToText()`.
 * @returns A replacement of all activities. Put it after those of your own in `activities`.
 * @throws {TypeError} If it is not a history.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { recorded, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const rate = (currency: string): number => currency === "EUR" ? 1.1 : 0.9; // asks a service
 * const convert = (ctx: WorkflowContext, cents: number) => ctx.executeActivity(rate, "EUR").then((rate) => rate * cents);
 *
 * await using first = new TestExecutor();
 * await (await first.execute(convert, { id: "a", input: 100 })).result();
 *
 * await using again = new TestExecutor({ activities: [recorded((await first.store.load("a"))!)] });
 * assertEquals(await (await again.execute(convert, { input: 200 })).result(), 220.00000000000003);
 * ```
 */
export function recorded(history: string | WorkflowState): Replacement {
  if (typeof history !== "string") checkObject("history", history, "answer from a history");
  const { workflowId, history: events } = typeof history === "string" ? historyFromText(history) : history;
  const known = events.flatMap((event): Recorded[] => {
    if (event.type !== "activity_started") return [];
    const isAnswer = (other: WorkflowEvent) => /^activity_(completed|failed|attempt_failed)$/.test(other.type);
    const answers = events.filter((other) => isAnswer(other) && (other as { readonly seq: number }).seq === event.seq);
    return [{ name: event.name, input: event.input, answers }];
  });
  /** Which of them answers each activity of a run, by its idempotency key: the same in all attempts, and after a crash. */
  const runs = new Map<string, Map<string, Recorded>>();
  const fake = (input: unknown, { idempotencyKey, runId, attempt }: ActivityContext, name: string) => {
    let taken = runs.get(runId);
    if (taken === undefined) runs.set(runId, taken = new Map());
    let found = taken.get(idempotencyKey);
    if (found === undefined) {
      const used = new Set(taken.values());
      const alike = known.filter((one) => one.name === name && equals(one.input, input));
      found = alike.find((one) => !used.has(one)) ?? alike.at(-1);
      if (found !== undefined) taken.set(idempotencyKey, found);
    }
    const answer = found?.answers[Math.min(attempt, found.answers.length) - 1];
    if (answer === undefined) {
      const why = found === undefined ? "has no such activity" : "does not say how it ended";
      const error = new NonRetryableError(
        `Cannot answer activity ${show(name)} with the input ${showValue(input)}: the history of workflow ${
          show(workflowId)
        } ${why}`,
      );
      unanswered.add(error);
      throw error;
    }
    if (answer.type === "activity_completed") return handOut(answer.result);
    throw fromErrorRecord((answer as { readonly error: Parameters<typeof fromErrorRecord>[0] }).error);
  };
  const replacement = { activity: undefined, fake: fake as unknown as AnyActivity };
  forget.set(replacement, () => runs.clear());
  return replacement;
}
