/**
 * A second run of a workflow from a point of its history.
 *
 * 1. The fork has the random numbers of its source, and other idempotency keys: services do the work again that comes after the cut.
 * 2. The source does not change. The fork is the beginning of a run, for a store: what it repeats is known before it begins.
 *
 * @module
 */

import type { AppendBatch, SignalReceivedEvent, WorkflowEvent, WorkflowStartedEvent, WorkflowState } from "../types.ts";
import { cannot, checkChoice, checkInteger, checkObject, checkOptions, checkText, invalid } from "../util/check.ts";
import { randomId } from "../util/prng.ts";
import { show } from "../util/show.ts";
import { isCommand, isOutcome } from "./history.ts";
import { validateState } from "./validate.ts";

/**
 * Options of {@linkcode fork}.
 *
 * @category Storage
 */
export interface ForkOptions {
  /** After how many events of the source the fork goes its own way: an integer from 1. */
  readonly after: number;
  /** The ID of the new workflow: not that of the source. */
  readonly id: string;
  /**
   * The ID of the new run.
   *
   * @default {a random UUID}
   */
  readonly runId?: string | undefined;
  /**
   * What becomes of the signals that the source got after the cut: `"drop"` leaves them out, `"keep"` adds them, all at once.
   *
   * @default {"drop"}
   */
  readonly signals?: "drop" | "keep" | undefined;
}

/**
 * The beginning of a run that {@linkcode fork} makes, and what it will do again.
 *
 * @category Storage
 */
export interface Fork {
  /** Stores the fork: pass it to the `append` of the store. An executor that recovers resumes the run. */
  readonly batch: AppendBatch;
  /** The names of activities and children that the source had called after the cut, or whose outcome came after it, in order. */
  readonly repeats: readonly string[];
  /** The signals that the source got after the cut, and that the fork does not get. */
  readonly drops: readonly SignalReceivedEvent[];
}

/**
 * Makes a second run of a workflow from a point of its history: to try a mended activity from the failed step, or another answer.
 * The code sees the same events and random numbers up to the cut. What comes after it is done again, with idempotency keys of its own,
 * and so are activities that were in flight. Times are those of the source: a timer whose time is past fires at once.
 *
 * @param source The run, finished or not, with its whole history.
 * @param options Where to cut, and the ID.
 * @throws {TypeError | RangeError} If an argument is invalid.
 * @throws {Error} If an update or a child is open at the cut: it would have two askers.
 *
 * @category Storage
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { fork } from "@rockpool/workflow/storage";
 * import { assertEquals } from "@std/assert";
 *
 * let rate = 2;
 * const price = (cents: number) => rate * cents;
 * const order = async (ctx: WorkflowContext, cents: number) => [ctx.random(), await ctx.executeActivity(price, cents)];
 *
 * const store = new InMemoryStore();
 * await using executor = new Executor({ store, workflows: { order } });
 * const [random, cents] = await (await executor.execute(order, { id: "order-7", input: 100 })).result();
 *
 * rate = 3; // the source was wrong
 * const { batch, repeats } = fork((await store.load("order-7"))!, { after: 1, id: "order-7-again" });
 * await store.append(batch);
 * const [handle] = await executor.recover();
 * assertEquals([repeats, cents, await handle.result()], [["price"], 200, [random, 300]]);
 * ```
 */
export function fork(source: WorkflowState, options: ForkOptions): Fork {
  checkObject("source", source, "fork workflow");
  const { history, ...fields } = source;
  validateState(fields, history, "fork workflow");
  const { workflowId, runId: sourceRunId } = fields;
  checkOptions(options, { after: true, id: true, runId: true, signals: true }, "fork workflow", workflowId);
  const { after, id, runId = randomId(), signals = "drop" } = options;
  checkText("id", id, "fork workflow", workflowId);
  checkText("runId", runId, "fork workflow", workflowId);
  checkChoice("signals", signals, ["drop", "keep"], "fork workflow", workflowId);
  checkInteger("after", after, 1, "fork workflow", workflowId);
  if (id === workflowId) throw invalid("id", id, "another ID than that of the source", "fork workflow", workflowId);
  const [started] = history;
  if (started?.type !== "workflow_started" || after > history.length - 1) {
    const most = Math.max(1, history.length - 1);
    throw invalid(
      "after",
      after,
      `at most ${most}: the last event is not repeated`,
      "fork workflow",
      workflowId,
      RangeError,
    );
  }
  const [kept, rest] = [history.slice(0, after), history.slice(after)];
  refuseOpen(kept, after, workflowId);
  const first: WorkflowStartedEvent = {
    ...started,
    seed: started.seed ?? sourceRunId,
    forkedFrom: { workflowId, runId: sourceRunId, events: after },
  };
  const { parent: _1, firstRunId: _2, ...alone } = first; // it is nobody's child, and a chain of its own
  const later = rest.filter((event): event is SignalReceivedEvent => event.type === "signal_received");
  return {
    batch: {
      workflowId: id,
      runId,
      expectedLength: 0,
      events: [alone, ...kept.slice(1), ...(signals === "keep" ? later : [])],
    },
    repeats: repeated(kept, rest),
    drops: signals === "keep" ? [] : later,
  };
}

/** Throws if something is open at the cut that somebody else waits for, or that belongs to the source. */
function refuseOpen(kept: readonly WorkflowEvent[], after: number, workflowId: string): void {
  const ended = new Set(kept.flatMap((event) => isOutcome(event) ? [event.seq] : []));
  const child = kept.find((event) => event.type === "child_started" && !ended.has(event.seq));
  const answered = new Set(kept.flatMap((event) => event.type === "update_completed" ? [event.updateId] : []));
  const update = kept.find((event) => event.type === "update_accepted" && !answered.has(event.updateId));
  const open = (child ?? update) as { readonly name: string } | undefined;
  if (open === undefined) return;
  const what = `${child === undefined ? "update" : "child"} ${show(open.name)}`;
  const place = kept.indexOf(open as WorkflowEvent);
  throw new Error(
    `${cannot("fork", workflowId)} after event ${after}: ${what} is open there; cut before event ${
      place + 1
    }, or after it has ended`,
  );
}

/** The names of what the fork does again. */
function repeated(kept: readonly WorkflowEvent[], rest: readonly WorkflowEvent[]): string[] {
  const ended = new Set(kept.flatMap((event) => isOutcome(event) ? [event.seq] : []));
  const open = kept.filter((event) => isCommand(event) && !ended.has(event.seq));
  return [...open, ...rest].flatMap((event) =>
    event.type === "activity_started" || event.type === "child_started" ? [event.name] : []
  );
}
