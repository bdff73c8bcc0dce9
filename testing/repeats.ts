/**
 * Fakes that do what activities did in a recorded run. `toTest()` writes tests with them.
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import type { VirtualClock } from "../clock.ts";
import { NonRetryableError } from "../errors.ts";
import { abortable } from "../util/abortable.ts";
import { checkArray, checkFunction, checkNumber, checkObject } from "../util/check.ts";
import { macrotask } from "../util/macrotask.ts";
import { show } from "../util/show.ts";
import type { Fake } from "./fakes.ts";

/**
 * What one attempt of an activity did: it returned `result`, or threw `error`.
 *
 * @category Testing
 */
export interface RecordedAttempt {
  /**
   * When it ended, in milliseconds after the start of the clock, from 0; `Infinity` for never.
   *
   * @default {at once}
   */
  readonly at?: number | undefined;
  /** What it returned. */
  readonly result?: unknown;
  /** Present if it threw: what it threw. */
  readonly error?: unknown;
  /** Its heartbeats: when, in milliseconds after the start of the clock, and the details. */
  readonly heartbeats?: readonly (readonly [at: number, details?: unknown])[] | undefined;
}

/**
 * Makes a fake that repeats what an activity did in a recorded run. The calls of each workflow get their attempts in the order in
 * which they begin. An attempt that is not recorded never ends, unless it is cancelled.
 *
 * @param clock The clock of the test. It must not jump by itself: the test moves it with `advanceTo`.
 * @param calls By workflow ID: for each call, what its attempts did.
 * @throws {TypeError} If an argument is invalid.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import { VirtualClock, type WorkflowContext } from "@rockpool/workflow";
 * import { repeats, replace, TestExecutor } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const order = (ctx: WorkflowContext) =>
 *   ctx.executeActivity(() => "", undefined, { name: "charge", retry: { maxAttempts: 3 } });
 *
 * const clock = new VirtualClock({ autoAdvance: false });
 * const charge = repeats(clock, {
 *   "order-7": [[{ at: 20, error: new Error("busy") }, { at: 1500, result: "charged" }]],
 * });
 * await using executor = new TestExecutor({ clock, activities: [replace("charge", charge)] });
 * const handle = await executor.execute(order, { id: "order-7" });
 * await clock.advanceTo(1500);
 * assertEquals(await handle.result(), "charged");
 * ```
 */
export function repeats(
  clock: VirtualClock,
  calls: Readonly<Record<string, readonly (readonly RecordedAttempt[])[]>>,
): Fake {
  const action = "repeat a recorded activity";
  checkObject("clock", clock, action);
  checkFunction("clock.at", clock.at, action);
  checkObject("calls", calls, action);
  for (const [id, attempts] of Object.entries(calls)) checkArray(`calls[${show(id)}]`, attempts, action);
  const begun = new Map<string, Map<string, readonly RecordedAttempt[] | undefined>>();
  return async (_input, context) => {
    const { workflowId, idempotencyKey, attempt } = context;
    const ofWorkflow = Object.hasOwn(calls, workflowId) ? calls[workflowId] : [];
    let known = begun.get(workflowId);
    if (known === undefined) begun.set(workflowId, known = new Map());
    if (!known.has(idempotencyKey)) known.set(idempotencyKey, ofWorkflow[known.size]);
    const attempts = known.get(idempotencyKey);
    if (attempts === undefined) {
      throw new NonRetryableError(
        `The recorded run of workflow ${show(workflowId)} has ${ofWorkflow.length} calls of it`,
      );
    }
    const outcome: RecordedAttempt = attempts[attempt - 1] ?? { at: Infinity };
    for (const [at, details] of outcome.heartbeats ?? []) {
      await until(clock, at, context);
      context.heartbeat(details);
    }
    if (outcome.at !== undefined) await until(clock, outcome.at, context);
    if ("error" in outcome) throw outcome.error;
    return outcome.result;
  };
}

/** Waits for a time of the clock. What follows is done before the clock moves on. */
function until(clock: VirtualClock, at: number, { signal }: ActivityContext): Promise<void> {
  if (at !== Infinity) checkNumber("at", at, 0, "repeat a recorded activity");
  const reached = new Promise<void>((resolve) => {
    if (at === Infinity) return;
    clock.at(at, () => {
      resolve();
      return new Promise<void>(macrotask);
    });
  });
  return abortable(reached, signal);
}
