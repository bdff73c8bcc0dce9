/**
 * A second run of a workflow from a point of its history.
 *
 * 1. The fork has the random numbers of its source, and other idempotency keys: services do the work again that comes after the cut.
 * 2. The source does not change. The fork is the beginning of a run, for a store: what it repeats is known before it begins.
 * 3. Nobody has two askers: an update that is answered after the cut is answered by the source alone, and a child that is open at
 *    the cut belongs to the source. The fork begins its own, or does without.
 *
 * @module
 */

import type {
  AppendBatch,
  CancelRequestedEvent,
  ChildFailedEvent,
  ChildStartedEvent,
  SignalReceivedEvent,
  UpdateAcceptedEvent,
  UpdateRequestedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
} from "../types.ts";
import { CanceledError } from "../errors.ts";
import { cannot, checkChoice, checkInteger, checkObject, checkOptions, checkText, invalid } from "../util/check.ts";
import { randomId } from "../util/prng.ts";
import { show } from "../util/show.ts";
import { toErrorRecord } from "./error_record.ts";
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
  /**
   * What becomes of children that are open at the cut: they belong to the source. `"repeat"` lets the fork begin its own, from their
   * start. `"cancel"` lets the fork see them as canceled. `"refuse"` throws.
   *
   * The ID of a repeated child is that of the old one with the IDs of the source replaced, where it begins with them, as the default ID
   * does. Another ID stays as it is: begin the fork in a store that does not have it.
   *
   * @default {"refuse"}
   */
  readonly children?: "refuse" | "repeat" | "cancel" | undefined;
}

/**
 * What the source was sent, and its fork is not.
 *
 * @category Storage
 */
export type DroppedMessage = SignalReceivedEvent | UpdateRequestedEvent | UpdateAcceptedEvent | CancelRequestedEvent;

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
  /**
   * What the source was sent after the cut, and the fork is not: signals, updates and a cancellation, each by its first event. Also an
   * update that was not accepted yet at the cut: its caller gets the answer of the source.
   */
  readonly drops: readonly DroppedMessage[];
}

/**
 * Makes a second run of a workflow from a point of its history: to try a mended activity from the failed step, or another answer.
 * The code sees the same events and random numbers up to the cut. What comes after it is done again, with idempotency keys of its own,
 * and so are activities that were in flight. Times are those of the source: a timer whose time is past fires at once.
 *
 * @param source The run, finished or not, with its whole history.
 * @param options Where to cut, and the ID.
 * @throws {TypeError | RangeError} If an argument is invalid.
 * @throws {Error} If an update is open at the cut, whose caller waits for the source, or a child, unless `children` says what
 * becomes of it.
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
  checkOptions(options, forkNames, "fork workflow", workflowId);
  const { after, id, runId = randomId(), signals = "drop", children = "refuse" } = options;
  checkText("id", id, "fork workflow", workflowId);
  checkText("runId", runId, "fork workflow", workflowId);
  checkChoice("signals", signals, ["drop", "keep"], "fork workflow", workflowId);
  checkChoice("children", children, ["refuse", "repeat", "cancel"], "fork workflow", workflowId);
  checkInteger("after", after, 1, "fork workflow", workflowId);
  if (id === workflowId) throw invalid("id", id, "another ID than that of the source", "fork workflow", workflowId);
  const [started] = history;
  if (started?.type !== "workflow_started") {
    throw new TypeError(`${cannot("fork workflow", workflowId)}: its history does not begin with workflow_started`);
  }
  if (after > history.length - 1) {
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
  const open = openAt(kept);
  refuseOpen(kept, open, children, workflowId);
  const first: WorkflowStartedEvent = {
    ...started,
    seed: started.seed ?? sourceRunId,
    forkedFrom: { workflowId, runId: sourceRunId, events: after },
  };
  const later = sent(kept, rest);
  // It is nobody's child, and a chain of its own. What came with the start may come later.
  const { parent: _1, firstRunId: _2, startEvents, ...alone } = first;
  const withStart = kept.slice(0, startEvents ?? 1).filter((event) => !later.includes(event as DroppedMessage)).length;
  const isKept = ({ type }: WorkflowEvent) => signals === "keep" && type === "signal_received";
  const begun = children === "cancel" ? [] : open.children;
  return {
    batch: {
      workflowId: id,
      runId,
      expectedLength: 0,
      events: [
        withStart > 1 ? { ...alone, startEvents: withStart } : alone,
        ...kept.slice(1).filter((event) => !later.includes(event as DroppedMessage)).map((event) =>
          begun.includes(event as ChildStartedEvent)
            ? withOwnId(event as ChildStartedEvent, fields, { id, runId })
            : event
        ),
        ...(children === "cancel" ? open.children.map((child) => canceledChild(child, kept[after - 1].at, id)) : []),
        ...later.filter(isKept),
      ],
    },
    repeats: [
      ...kept.filter((event) => open.activities.has(event) || begun.includes(event as ChildStartedEvent)),
      ...rest,
    ]
      .flatMap((event) => event.type === "activity_started" || event.type === "child_started" ? [event.name] : []),
    drops: later.filter((event) => !isKept(event)),
  };
}

const forkNames: Readonly<Record<keyof ForkOptions, true>> = {
  after: true,
  id: true,
  runId: true,
  signals: true,
  children: true,
};

/** What has no outcome yet. */
interface OpenCommands {
  readonly activities: ReadonlySet<WorkflowEvent>;
  readonly children: readonly ChildStartedEvent[];
}

function openAt(kept: readonly WorkflowEvent[]): OpenCommands {
  const ended = new Set(kept.flatMap((event) => isOutcome(event) ? [event.seq] : []));
  const open = kept.filter((event) => isCommand(event) && !ended.has(event.seq));
  return {
    activities: new Set(open.filter(({ type }) => type === "activity_started")),
    children: open.filter((event) => event.type === "child_started"),
  };
}

/** Throws if something is open at the cut that somebody else waits for, or that belongs to the source. */
function refuseOpen(
  kept: readonly WorkflowEvent[],
  { children: [child] }: OpenCommands,
  children: ForkOptions["children"],
  workflowId: string,
): void {
  const answered = new Set(kept.flatMap((event) => event.type === "update_completed" ? [event.updateId] : []));
  const update = kept.find((event) => event.type === "update_accepted" && !answered.has(event.updateId));
  const open = (children === "refuse" ? child : undefined) ?? update as { readonly name: string } | undefined;
  if (open === undefined) return;
  const isChild = open === child;
  const ways = [`cut before event ${kept.indexOf(open as WorkflowEvent) + 1}`, "after it has ended"];
  if (isChild) ways.push('or pass "repeat" or "cancel" as "children"');
  throw new Error(
    `${cannot("fork", workflowId)} after event ${kept.length}: ${isChild ? "child" : "update"} ${
      show(open.name)
    } is open there; ${isChild ? ways.join(", ") : ways.join(", or ")}`,
  );
}

/** What was sent after the cut, and updates before it that workflow code has not seen: each message by its first event. */
function sent(kept: readonly WorkflowEvent[], rest: readonly WorkflowEvent[]): DroppedMessage[] {
  const decided = new Set(
    kept.flatMap((event) =>
      event.type === "update_accepted" || event.type === "update_rejected" ? [event.updateId] : []
    ),
  );
  const waiting = kept.filter((event) => event.type === "update_requested" && !decided.has(event.updateId));
  const updates = new Set<string>(decided);
  return [...waiting, ...rest].filter((event): event is DroppedMessage => {
    if (event.type === "signal_received") return true;
    if (event.type === "cancel_requested") return event.timeoutMs === undefined; // else nobody has sent it
    if (event.type !== "update_requested" && event.type !== "update_accepted") return false;
    const isFirst = !updates.has(event.updateId);
    updates.add(event.updateId);
    return isFirst;
  });
}

/** The start of a child of the fork. Workflow code gives it the same ID, if that follows from the IDs of its workflow. */
function withOwnId(
  event: ChildStartedEvent,
  source: { readonly workflowId: string; readonly runId: string },
  fork: { readonly id: string; readonly runId: string },
): ChildStartedEvent {
  for (const [old, own] of [[source.runId, fork.runId], [source.workflowId, fork.id]]) {
    const end = event.workflowId.slice(old.length);
    if (event.workflowId.startsWith(old) && /^[^\p{L}\p{N}]/u.test(end)) {
      return { ...event, workflowId: `${own}${end}` };
    }
  }
  return event;
}

/** The end of a child that the fork does not have. */
function canceledChild({ seq, workflowId }: ChildStartedEvent, at: number, id: string): ChildFailedEvent {
  const error = new CanceledError(`Canceled workflow ${show(workflowId)}: fork ${show(id)} does not have it`);
  return { type: "child_failed", at, seq, error: toErrorRecord(error) };
}
