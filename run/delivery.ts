/**
 * Delivery: brings into the store what does not come from a run's own code. Signals, cancellations and terminations from
 * callers and parents; and the first event of a new run.
 *
 * 1. An event gets into the store at most once, whichever executor runs the workflow and however often the delivery is tried.
 * 2. If the run is live here, the event goes through it, so that the run knows it at once. Otherwise it is appended, together
 *    with everything else that is sent to the workflow meanwhile (`DeliveryQueue`).
 * 3. No event overtakes one that was sent before it.
 *
 * @module
 */

import { codeOf, workflowError } from "../errors.ts";
import type { RunKey } from "../hooks.ts";
import type { ExecuteOptions } from "../options.ts";
import type {
  ChildStartedEvent,
  SignalReceivedEvent,
  WorkflowEvent,
  WorkflowHead,
  WorkflowStartedEvent,
  WorkflowState,
} from "../types.ts";
import type { ActivityContext } from "../activity.ts";
import { abortable } from "../util/abortable.ts";
import { show } from "../util/show.ts";
import { firstRunOf, FrozenBatch, headOf, isOutcome } from "../history/history.ts";
import type { Message } from "./calls.ts";
import type { ChildCommand, StoredChild } from "./child.ts";
import {
  checkTarget,
  type Delivered,
  DeliveryQueue,
  executorClosed,
  isChildOf,
  isNotFound,
  isOrigin,
  mayBeOld,
  notFound,
  type Origin,
  type Target,
} from "./delivery_queue.ts";
import { cancelEvent, signalEvent, terminationEvent } from "./events.ts";
import { mergeHeaders } from "./headers.ts";
import { isRemembered } from "./remembered.ts";
import type { Lease } from "./live_run.ts";
import { isConflict } from "./retrying_store.ts";
import { isLost, loadRun } from "./writer.ts";

export { executorClosed, notFound, type Target };

/**
 * Whether an attempt of a child that is to be started is stored already. If another workflow has the ID, the first attempt
 * replaces it once it has finished.
 *
 * @param since When the command was recorded, if an earlier process did it.
 * @throws {WorkflowError} With code `conflict` if the workflow must not be replaced: it has followed a failed attempt; it is the
 * child of a run whose history was copied into that of the parent; or it may be that, because it is newer than the command.
 */
export function isStarted(state: WorkflowState, parent: Origin, since: number): boolean {
  if (isChildOf(state, parent)) return true;
  const { workflowId, status, updatedAt, history: [started] } = state;
  const owner = started?.type === "workflow_started" ? started.parent : undefined;
  let why: string | undefined;
  if (parent.attempt !== undefined) {
    if (!isChildOf(state, { ...parent, attempt: 1 })) why = "another workflow has its ID since an attempt failed";
  } else if (owner !== undefined) {
    const isCopied = owner.runId === parent.runId
      ? owner.workflowId !== parent.workflowId
      : workflowId === `${owner.runId}:${owner.seq}`; // the default ID
    const isNewer = status !== "running" && updatedAt > since;
    if (isCopied || isNewer) {
      const which = isCopied ? "whose history was copied" : "and ended after the command was recorded";
      why = `it is a child of workflow ${show(owner.workflowId)}, ${which}`;
    }
  }
  if (why === undefined) return false;
  throw workflowError("conflict", "start child workflow", workflowId, why);
}

export class Delivery extends DeliveryQueue {
  /** The stored state of a target that must exist. */
  async load(verb: string, target: Target): Promise<WorkflowState> {
    const { store } = this.parts;
    for (const reads = { count: 0 };;) {
      const state = await store.load(target.id);
      if (mayBeOld(target, state) && await store.isOld(state, reads)) continue;
      return checkTarget(verb, target, state);
    }
  }

  /** The head of a target that must exist. */
  async head(verb: string, target: Target): Promise<WorkflowHead> {
    const tail = await this.parts.store.loadSince(target.id, Infinity);
    if (tail !== null && (target.firstRunId ?? tail.head.firstRunId) === tail.head.firstRunId) return tail.head;
    return headOf(await this.load(verb, target)); // it says why not, or the read was old
  }

  /** Asks a workflow to end. */
  cancel(target: Target, reason: string | undefined, once = false): Promise<Delivered> {
    return this.post("cancel", target, cancelEvent(this.parts.timing.clock.now(), reason), once);
  }

  /** Ends a workflow, whatever its code would do. */
  terminate(target: Target, reason: string | undefined): Promise<Delivered> {
    return this.post("terminate", target, terminationEvent(this.parts.timing.clock.now(), target.id, reason));
  }

  // New runs

  /**
   * Stores the first events of a run. A finished run of the same ID is replaced, if the options allow it. A running one that is
   * joined gets the signals among the events.
   *
   * @param isSame Whether a stored run is the one to be started: then it is joined.
   * @param canceled Returns why nothing is to be stored any more; `undefined` if it is.
   * @param lease The lease under which the run becomes live.
   * @returns The ID of the new run, or the state of the run that is joined.
   */
  async create(
    id: string,
    events: readonly WorkflowEvent[],
    { onConflict, reuse }: ExecuteOptions,
    isSame: ((state: WorkflowState) => boolean) | undefined,
    canceled?: () => unknown,
    lease?: Lease,
  ): Promise<string | WorkflowState> {
    const { store, runs, liveRuns } = this.parts;
    let runId = runs.newRunId(id);
    let replaces: string | undefined;
    let terminated = false;
    const reads = { count: 0 };
    for (let attempt = 1;; attempt++) {
      const reason = canceled?.();
      if (reason !== undefined) { // but an earlier try or process may have stored the run
        const state = await store.load(id);
        if (state?.runId === runId) return runId;
        if (state !== null && isSame?.(state)) return state;
        if (await store.isOld(state, reads, reason)) continue;
        throw reason;
      }
      let failure: unknown;
      try {
        await store.append(
          new FrozenBatch(id, runId, 0, events, replaces, store.listener, lease && { owner: lease.owner }),
        );
        return runId;
      } catch (error) {
        failure = error;
      }
      if (isConflict(failure)) {
        const state = await store.load(id);
        // It is stored, only the answer was lost. Another executor may have continued it since.
        if (state !== null && firstRunOf(state) === runId) return state.runId === runId ? runId : state;
        const running = state?.status === "running";
        if (state && ((running ? onConflict : reuse) === "join" || isSame?.(state))) {
          const left = await this.#deliverAll(events.slice(1), state);
          if (left.length === 0) return state;
          events = [events[0], ...left];
          continue; // it has ended
        }
        if (running && onConflict !== "replace") {
          if (liveRuns.get(id)?.runId !== state.runId && await store.isOld(state, reads, failure)) continue;
          const gone = liveRuns.get(id) === undefined ? ", or recover() if its process is gone" : "";
          const why = `it is running already; pass onConflict "join" for its handle${gone}`;
          throw workflowError("already_running", "execute workflow", id, why);
        }
        if (running && replaces !== state.runId) {
          if (!await this.end({ id }, "a new run replaces it")) continue; // it finished by itself: `reuse` decides
          terminated = true;
        }
        const refused = reuse === "reject" || reuse === "replace-failed" && state?.status === "completed";
        if (state && !running && !terminated && refused) {
          const why = `its status is ${show(state.status)}, and "reuse" is ${show(reuse)}`;
          throw workflowError("already_finished", "execute workflow", id, why);
        }
        if (replaces !== state?.runId) {
          replaces = state?.runId;
          runId = runs.newRunId(id); // a new ID: an append with the old one may be stored before that run
          continue;
        }
      }
      await store.backOff(failure, attempt);
    }
  }

  /** Sends signals to a workflow that is joined. Returns those that it does not take because it has ended meanwhile. */
  async #deliverAll(signals: readonly WorkflowEvent[], state: WorkflowState): Promise<readonly WorkflowEvent[]> {
    const target = { id: state.workflowId, firstRunId: firstRunOf(state) };
    const sent = await Promise.allSettled(
      signals.map((event) => this.post("signal", target, event, isRemembered((event as SignalReceivedEvent).signalId))),
    );
    return signals.filter((_, i) => {
      const outcome = sent[i];
      if (outcome.status === "fulfilled") return false;
      if (state.status === "running" && isNotFound(outcome.reason)) return true;
      throw outcome.reason;
    });
  }

  /** Terminates a run that may have ended. Returns whether it was still running. */
  async end(target: Target, reason: string): Promise<boolean> {
    try {
      await this.terminate(target, reason);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Ends a child whose code was not called. Returns whether it was still running. */
  endUnbegun(id: string, firstRunId: string): Promise<boolean> {
    return this.end({ id, firstRunId }, "it was cancelled before it began");
  }

  // Children

  /**
   * Delivers a message of a workflow. The idempotency key of the attempt identifies a repetition.
   *
   * @param child The child that has the receiver's ID or will get it: if no run of it is stored, the call waits.
   * @param only Whether the message is for that child, and not for another workflow of the ID.
   */
  async deliver(
    { workflowId: id, name, payload, headers: own, reason }: Message,
    { idempotencyKey: signalId, workflowId: senderId, runId, headers, signal }: ActivityContext,
    child: ChildCommand | undefined,
    only: boolean,
  ): Promise<void> {
    const origin = child && { workflowId: senderId, runId, seq: child.seq };
    const target = { id, origin: only ? origin : undefined };
    for (;;) {
      if (child?.pending) await this.#untilStored(id, child, origin!, signal);
      const failed = child?.failedAttempt;
      try {
        if (name === undefined) return void await this.cancel(target, reason, true);
        const content = { name, payload, senderId, headers: mergeHeaders(headers, own), signalId };
        return void await this.post("signal", target, signalEvent(content, this.parts.timing.clock.now()), true);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        if (child?.failedAttempt === undefined) {
          if (name === undefined && only && child?.wasCanceled) return; // before it began
          throw error;
        }
        // An attempt has just failed: another one may follow.
        if (child.failedAttempt === failed) await abortable(child.change, signal);
      }
    }
  }

  /** Waits until a run of a child is stored, or there will be none. */
  async #untilStored(id: string, child: ChildCommand, origin: Origin, signal: AbortSignal): Promise<void> {
    const { store, liveRuns } = this.parts;
    while (child.pending) {
      if (child.performed) {
        await abortable(child.change, signal);
        continue;
      }
      const watch = liveRuns.watch(id);
      try {
        const state = await store.load(id);
        const attempt = (child.failedAttempt ?? 0) + 1;
        if (state !== null && (state.status === "running" || isChildOf(state, { ...origin, attempt }))) return;
        await abortable(Promise.race([watch.changed(), child.change]), signal);
      } finally {
        watch.stop();
      }
    }
  }

  /**
   * Says what is stored of the child of a command.
   *
   * @param ended The number of an attempt that is known to have ended: a read that shows it running is old.
   */
  async look(
    { workflowId, runId }: RunKey,
    { workflowId: id, seq }: ChildStartedEvent,
    ended: number | undefined,
  ): Promise<StoredChild | undefined> {
    const { store } = this.parts;
    for (const reads = { count: 0 };;) {
      const state = await store.load(id);
      if (state === null || !isChildOf(state, { workflowId, runId, seq })) return undefined;
      const { status, history } = state;
      const { attempt = 1 } = (history[0] as WorkflowStartedEvent).parent!;
      if (status === "running" && attempt === ended && await store.isOld(state, reads)) continue;
      // Not because its time was up.
      const isCanceled = history.some((event) => event.type === "cancel_requested" && event.timeoutMs === undefined);
      return { attempt, isCanceled };
    }
  }

  /** Whether the store says that a command of a run waits for its outcome. */
  async #isOpen(run: Pick<RunKey, "workflowId" | "runId">, seq: number): Promise<boolean> {
    try {
      const { status, history } = await loadRun(this.parts.store, run, 0);
      return status === "running" && !history.some((event) => isOutcome(event) && event.seq === seq);
    } catch (error) {
      if (isLost(error)) return false;
      throw error;
    }
  }

  /** Ends a child for which nobody waits any more, by its policy. */
  async closeChild(
    { workflowId, runId }: RunKey,
    { workflowId: id, seq, closePolicy }: ChildStartedEvent,
  ): Promise<void> {
    if (closePolicy === "abandon") return;
    const { store, liveRuns } = this.parts;
    try {
      const target = { id, origin: { workflowId, runId, seq } };
      if (!isOrigin(liveRuns.get(id)?.parent, target.origin)) {
        const stored = await store.load(id);
        if (stored?.status !== "running" || !isChildOf(stored, target.origin)) return;
      }
      const reason = `its parent ${show(workflowId)} does not need it any more`;
      await (closePolicy === "terminate" ? this.terminate(target, reason) : this.cancel(target, reason));
    } catch (error) {
      if (isNotFound(error) || codeOf(error) === "closed") return;
      this.parts.runs.report(error); // recover() tries again
    }
  }

  /** Closes a child whose parent's run has ended or has its outcome, and that the parent's executor did not close. */
  async closeOrphan({ workflowId, workflowName: name, parent }: WorkflowHead): Promise<void> {
    if (parent === undefined) return;
    await this.parts.timing.turns.room();
    if (await this.#isOpen(parent, parent.seq).catch(() => true)) return; // also if a stored parent is none
    const { seq, closePolicy } = parent;
    await this.closeChild({ ...parent, workflowName: "" }, {
      type: "child_started",
      at: 0,
      seq,
      name,
      workflowId,
      closePolicy,
    });
  }
}
