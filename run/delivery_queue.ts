/**
 * Deliveries that are not known to go to a live run: one queue for each workflow, in the order of the calls.
 *
 * 1. What waits for a workflow is decided on one load, and stored by one append. So many deliveries at once take linear time,
 *    although each append moves the end of the history.
 * 2. A delivery is refused only because of a state that was loaded after its call.
 * 3. A cancellation or a termination ends its batch: what follows is decided on the state after it.
 * 4. Each delivery ends by itself. If the store refuses a batch, its halves are tried, so that one event that does not fit
 *    does not keep out the others. A message that is sent again, with the same ID, has the outcome of the first.
 * 5. If the workflow is live here by then, its run gets the deliveries. What the run does not store keeps its place. An update
 *    is not stored then: its caller gives it to the run.
 *
 * @module
 */

import { codeOf, type WorkflowError, workflowError } from "../errors.ts";
import { callHook, hookNames } from "../hooks.ts";
import type { DeliveredEvent, ParentRun, WorkflowEvent, WorkflowStartedEvent, WorkflowState } from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { Fifo } from "../util/fifo.ts";
import { show } from "../util/show.ts";
import { firstRunOf, FrozenBatch } from "../history/history.ts";
import type { Timing } from "./command.ts";
import type { RunSettings } from "./environment.ts";
import { isTermination, unsureSignal } from "./events.ts";
import type { LiveRun } from "./live_run.ts";
import type { LiveRuns } from "./live_runs.ts";
import { MADE } from "./remembered.ts";
import { isConflict, isTooLarge, type RetryingStore } from "./retrying_store.ts";

/** The command that started a child, and the attempt from which on it counts. */
export type Origin = Pick<ParentRun, "workflowId" | "runId" | "seq" | "attempt">;

/** Whether a workflow was started by a certain command, for that attempt or a later one. */
export function isChildOf({ history: [started] }: Pick<WorkflowState, "history">, origin: Origin): boolean {
  return started?.type === "workflow_started" && isOrigin(started.parent, origin);
}

export function isOrigin(parent: Origin | undefined, { workflowId, runId, seq, attempt = 1 }: Origin): boolean {
  return parent?.workflowId === workflowId && parent.runId === runId && parent.seq === seq &&
    (parent.attempt ?? 1) >= attempt;
}

/** Which workflow a call is for: any run of the ID, or the runs of one chain or of one child only. */
export interface Target {
  readonly id: string;
  /** The first run of the chain. */
  readonly firstRunId?: string | undefined;
  /** The command that started the child. */
  readonly origin?: Origin | undefined;
}

/** The parts of an executor that delivery uses. */
export interface DeliveryParts {
  readonly store: RetryingStore;
  readonly timing: Timing;
  readonly runs: Pick<RunSettings, "hooks" | "report" | "newRunId">;
  readonly liveRuns: LiveRuns;
}

export type Verb = "signal" | "update" | "cancel" | "terminate";

/** An event that is to be brought into the history of a running workflow. */
export interface Post {
  readonly verb: Verb;
  readonly target: Target;
  readonly event: WorkflowEvent;
  /** Whether the event can be sent again, or was sent before: then it is stored once. */
  readonly once: boolean;
  /** Whether an earlier try may have stored the event. */
  mayBeStored?: boolean;
  /** Whether it was tried to append it from here. */
  tried?: boolean;
  /** The run in which the event may be stored: the store gave no answer. */
  unsure?: string;
}

/** The error for a call of an executor that was closed. */
export function executorClosed(verb: string, id?: string): WorkflowError {
  return workflowError("closed", `${verb} workflow`, id, "the executor was closed");
}

/** The error for a target that does not exist or has ended. */
export function notFound(verb: string, id: string, why: string, options?: ErrorOptions): WorkflowError {
  return workflowError("not_found", `${verb} workflow`, id, why, options);
}

export function isNotFound(error: unknown): boolean {
  return codeOf(error) === "not_found";
}

/** The state of a target that must exist. */
export function checkTarget(
  verb: string,
  { id, firstRunId, origin }: Target,
  state: WorkflowState | null,
): WorkflowState {
  if (state === null) throw notFound(verb, id, "it does not exist");
  if (origin !== undefined && !isChildOf(state, origin)) throw notFound(verb, id, "another workflow has its ID");
  if (firstRunId !== undefined && firstRunOf(state) !== firstRunId) {
    throw notFound(verb, id, "another run has replaced it");
  }
  return state;
}

/** Whether a state shows another running run in the place of a target: then the read may be old. */
export function mayBeOld(target: Target, state: WorkflowState | null): state is WorkflowState {
  if (state?.status !== "running") return false;
  try {
    checkTarget("find", target, state);
    return false;
  } catch {
    return true;
  }
}

/** Keeps an append short, and what the executor of the run reads at once. */
const MAX_BATCH = 1000;

/** Identifies a message among all of a run; `undefined` for a cancellation or a termination. */
function messageId(event: WorkflowEvent): string | undefined {
  if (event.type === "signal_received") return event.signalId;
  return "updateId" in event ? `${MADE}update ${event.updateId}` : undefined; // no signal has such an ID
}

/** The IDs of those messages in a batch that a run has stored or remembers. */
function storedIds(batch: readonly Waiting[], history: readonly WorkflowEvent[]): Set<string | undefined> {
  const sent = new Set(batch.map(({ post }) => messageId(post.event)));
  const stored = new Set<string | undefined>();
  const note = (id: string | undefined) => void (sent.has(id) && stored.add(id)); // few: that is faster than a set of all
  for (let i = 0; i < history.length; i++) {
    const event = history[i];
    if (event.type === "signal_received") note(event.signalId);
    else if ("updateId" in event) note(messageId(event));
  }
  const [started] = history;
  if (started?.type !== "workflow_started" || started.remembered === undefined) return stored;
  started.remembered.signalIds.forEach(note);
  for (const answer of started.remembered.updates) note(messageId(answer));
  return stored;
}

/** How a delivery ends: it is stored; `false` if it is an update, which its caller gives to the live run. */
export type Delivered = void | false;

class Waiting extends Deferred<Delivered> {
  declare readonly post: Post;

  constructor(post: Post) {
    super();
    this.post = post;
  }
}

export class DeliveryQueue {
  declare protected readonly parts: DeliveryParts;
  /** By workflow ID, while something waits or is in flight. */
  readonly #queues = new Map<string, Fifo<Waiting>>();

  constructor(parts: DeliveryParts) {
    this.parts = parts;
  }

  /**
   * The live run of a target. A live run of another chain is older or newer than the target: the stored state decides, and an
   * older one learns from it that it was replaced.
   */
  live({ id, firstRunId, origin }: Target): LiveRun | undefined {
    const run = this.parts.liveRuns.get(id);
    const isTarget = run && (firstRunId === undefined || run.chain.firstRunId === firstRunId) &&
      (origin === undefined || isOrigin(run.parent, origin));
    if (run === undefined || isTarget) return run;
    run.changed(0);
    return undefined;
  }

  /**
   * Brings an event into the history of a running workflow: gives it to the live run of its target, unless something sent before is
   * on its way, or else puts it into the queue.
   *
   * @param once Whether the event can be sent again, or was sent before: then it is stored once.
   */
  post(verb: Verb, target: Target, event: WorkflowEvent, once = false): Promise<Delivered> {
    if (this.parts.liveRuns.closed) return Promise.reject(executorClosed(verb, target.id));
    const post: Post = { verb, target, event, once };
    if (!this.#queues.has(target.id)) {
      const run = this.live(target);
      // A signal waits in the queue for the end of a run that takes no more: the signals that follow must not overtake it.
      if (run && (verb !== "signal" || run.acceptsEvents)) return this.#give(run, post, () => this.#add(post));
    }
    return this.#add(post);
  }

  /** Brings an event into the store, after everything that was added before. */
  #add(post: Post): Promise<Delivered> {
    const { id } = post.target;
    const waiting = new Waiting(post);
    let queue = this.#queues.get(id);
    if (queue === undefined) {
      this.#queues.set(id, queue = new Fifo());
      this.#empty(id, queue);
    }
    queue.push(waiting);
    return waiting.promise;
  }

  async #empty(id: string, queue: Fifo<Waiting>): Promise<void> {
    do {
      await this.parts.timing.turns.room(); // at least a microtask: what is sent together is stored together
      const batch: Waiting[] = [];
      do batch.push(queue.shift()); while (
        queue.size > 0 && batch.length < MAX_BATCH && messageId(batch.at(-1)!.post.event)
      );
      await this.#deliver(id, batch);
    } while (queue.size > 0);
    this.#queues.delete(id);
  }

  /** Resolves or rejects all of a batch. */
  async #deliver(id: string, batch: readonly Waiting[]): Promise<void> {
    const left = await this.#deliverAtOnce(id, batch);
    if (left.length > 0) await this.#decideAndAppend(id, left);
  }

  /**
   * Delivers a batch without a read, if the store can do that. Whatever the store says against it is decided by what is stored.
   *
   * @returns What is left.
   */
  async #deliverAtOnce(id: string, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    const { store, liveRuns, runs } = this.parts;
    const [{ post: { target: { firstRunId } } }] = batch;
    const isSimple = ({ post: { target, verb } }: Waiting) =>
      target.origin === undefined && target.firstRunId === firstRunId && verb !== "update" && !this.live(target);
    if (!store.delivers || runs.hooks !== undefined || !batch.every(isSimple)) return batch; // hooks get the run
    try {
      const events = batch.map(({ post }) => post.event as DeliveredEvent);
      const { historyLength, added } = await store.deliver({ workflowId: id, firstRunId, events });
      liveRuns.get(id)?.changed(historyLength); // it can have become live meanwhile
      return batch.filter(({ post: { once }, resolve }, i) => {
        const isDone = added[i] || once;
        if (isDone) resolve();
        return !isDone; // a cancellation, and the run had one: it may have ended
      });
    } catch (error) {
      if (!isNotFound(error) && !isTooLarge(error)) {
        for (const { post } of batch) post.mayBeStored = post.tried = true;
      }
      return batch;
    }
  }

  /** Decides what becomes of a batch by what is stored, and appends what is to be stored. */
  async #decideAndAppend(id: string, batch: readonly Waiting[], attempt = 1): Promise<void> {
    const { store, liveRuns } = this.parts;
    let open = batch;
    let triedAt: number | undefined; // the length of the history at the last append
    let refused = false; // whether the store refused an append for good
    let isFirst = true;
    const reads = { count: 0 };
    try {
      for (;;) {
        refused = false;
        const state = await store.load(id);
        if (open.some(({ post }) => mayBeOld(post.target, state)) && await store.isOld(state, reads)) continue;
        open = this.#decide(open, state);
        // A live run may have what was tried before, although the read does not show it.
        const isHidden = ({ post }: Waiting) => {
          const run = post.verb === "signal" && post.mayBeStored && !post.once ? this.live(post.target) : undefined;
          return run && (state?.runId !== run.runId || state.history.length < run.historyLength);
        };
        if (open.some(isHidden)) {
          const why = state?.status === "running" ? undefined : notFound("signal", id, "it does not run");
          if (isFirst || await store.isOld(state, reads, why)) {
            isFirst = false;
            continue;
          }
        }
        const given = open.map(({ post }) => {
          const run = this.live(post.target);
          return run ? this.#give(run, post, () => true) : true;
        });
        if (given.some((one) => one !== true)) {
          // Errors are of runs that were suspended. What a run does not store keeps its place.
          const left = await Promise.all(
            open.map((waiting, i) =>
              Promise.resolve(given[i]).then(
                (left) => left || waiting.resolve(left),
                (error) => waiting.reject(error),
              )
            ),
          );
          open = open.filter((_, i) => left[i]);
          continue;
        }
        if (open.length === 0) return;
        if (state === null) continue; // the run that was live is not any more
        const { runId, history } = state;
        try {
          for (const { post } of open) post.tried = post.mayBeStored = true;
          // No author: the store reports it to this executor as well, for handles that wait for a change.
          await store.append(new FrozenBatch(id, runId, history.length, open.map(({ post }) => post.event)));
          for (const waiting of open) this.#stored(waiting, state);
          liveRuns.get(id)?.changed(history.length + open.length); // it can have become live meanwhile
          return;
        } catch (error) {
          const conflict = isConflict(error);
          if (!conflict && !isTooLarge(error)) { for (const { post } of open) post.unsure = runId; }
          refused = true;
          // A conflict without new events is a failure of the store.
          if (!conflict || triedAt === history.length) await store.backOff(error, attempt++);
          triedAt = history.length;
        }
      }
    } catch (error) {
      if (open.length === 1 || !refused || liveRuns.closed) {
        for (const waiting of open) waiting.reject(error);
        return;
      }
      const half = open.length >> 1;
      await this.#decideAndAppend(id, open.slice(0, half), attempt);
      await this.#decideAndAppend(id, open.slice(half), attempt);
    }
  }

  /** Ends the deliveries that are stored or that are refused. Returns the others. */
  #decide(batch: readonly Waiting[], loaded: WorkflowState | null): readonly Waiting[] {
    let stored: Set<string | undefined> | undefined;
    /** The first of each message that can be sent again. */
    const firsts = new Map<string, Waiting>();
    const isStored = (event: WorkflowEvent, history: readonly WorkflowEvent[]) => {
      const id = messageId(event);
      if (id !== undefined) return (stored ??= storedIds(batch, history)).has(id);
      return history.some((stored) =>
        stored.type === event.type && (stored.type !== "workflow_canceled" || isTermination(stored))
      );
    };
    return batch.filter((waiting) => {
      const { verb, target, event, once, mayBeStored, unsure } = waiting.post;
      const { id } = target;
      try {
        const state = checkTarget(verb, target, loaded);
        const { runId, status, history } = state;
        // A cancellation is a no-op on a run that has one already.
        const isRepeated = once || mayBeStored || verb === "cancel" && status === "running";
        if (isRepeated && isStored(event, history)) {
          this.#stored(waiting, state);
          return false;
        }
        if (unsure !== undefined && unsure !== runId && verb === "signal" && !once) throw unsureSignal(id);
        if (status !== "running") throw notFound(verb, id, `its status is ${show(status)}`);
        const message = once ? messageId(event) : undefined;
        if (message === undefined) return true;
        const first = firsts.get(message);
        if (first === undefined) firsts.set(message, waiting);
        else first.promise.then(waiting.resolve, (error) => waiting.reject(error));
        return first === undefined;
      } catch (error) {
        if (isNotFound(error) && this.live(target)?.acceptsEvents) return true; // the read is old
        waiting.reject(error);
        return false;
      }
    });
  }

  /** Resolves once the run has stored an event; to what `leave` returns once the run has left without it. */
  #give<T>(run: LiveRun, post: Post, leave: () => T | Promise<T>): Promise<T | Delivered> {
    const { verb, event, once } = post;
    if (verb === "update") return Promise.resolve(false);
    return run.post(event, once).then((stored) => {
      if (stored) return;
      post.mayBeStored = true;
      return run.ended.then(leave);
    });
  }

  #stored({ post: { event, tried }, resolve }: Waiting, state: WorkflowState): void {
    // If it was not tried, an earlier process stored it. A state can be saved without events.
    const started = (state.history[0] ?? { at: state.createdAt }) as WorkflowStartedEvent;
    if (tried) callHook(this.parts.runs, hookNames[event.type], event, state, started);
    resolve();
  }
}
