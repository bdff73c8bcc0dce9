/**
 * What comes from outside of a run: signals, requests for a cancellation, terminations; from callers, parents and children.
 *
 * 1. An event gets into the store once, whoever runs the workflow and however often its way there is tried again.
 * 2. Through the run if that is here, which then knows of it at once; else by an append.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ChildRequest } from "./context.ts";
import { WorkflowError } from "../errors.ts";
import type { RunInfo } from "../hooks.ts";
import type { ActivityContext } from "../activity.ts";
import type { ChildStartedEvent, WorkflowEvent, WorkflowState } from "../types.ts";
import { cannot } from "../util/check.ts";
import { toErrorRecord } from "../history/error_record.ts";
import { abortable, type Handles } from "./handle.ts";
import { FrozenBatch } from "../history/history.ts";
import { type HookHost, tellOf } from "../hooks.ts";
import { isConflict, type RetryingStore } from "./retrying_store.ts";
import { show } from "../util/show.ts";

/** What it uses of the executor. */
export interface OutsideHost extends HookHost {
  readonly clock: Clock;
  readonly store: RetryingStore;
  /** @throws {WorkflowError} If the executor was closed. */
  assertOpen(verb: string, id?: string): void;
}

/** Whether a workflow was started by a certain command. */
export function isChildOf({ history: [started] }: WorkflowState, parent: RunInfo, seq: number): boolean {
  return started?.type === "workflow_started" && started.parent?.workflowId === parent.workflowId &&
    started.parent.runId === parent.runId && started.parent.seq === seq;
}

export class Outside {
  readonly #host: OutsideHost;
  readonly #handles: Handles;

  /** Children whose start is on its way into the store, by workflow ID. */
  readonly #starting = new Map<string, Promise<unknown>>();

  constructor(host: OutsideHost, handles: Handles) {
    this.#host = host;
    this.#handles = handles;
  }

  /** Whether a workflow runs here. */
  isHere(id: string): boolean {
    return this.#handles.live(id) !== undefined;
  }

  /** Asks a workflow to end. */
  cancel(id: string, reason: string | undefined, sent = false): Promise<void> {
    const event = { type: "cancel_requested", at: this.#host.clock.now() } as const;
    return this.post("cancel", id, Object.freeze(reason === undefined ? event : { ...event, reason }), sent);
  }

  /** Ends a workflow, whatever its code would do. */
  terminate(id: string, reason: string | undefined): Promise<void> {
    const error = new WorkflowError("terminated", `Terminated workflow ${show(id)}${reason ? `: ${reason}` : ""}`);
    const event = { type: "workflow_canceled", at: this.#host.clock.now(), error: toErrorRecord(error) } as const;
    return this.post("terminate", id, Object.freeze(event));
  }

  /** Lets a child be started before it is reached. */
  async whileStarting<T>(childId: string, starting: Promise<T>): Promise<T> {
    this.#starting.set(childId, starting);
    try {
      return await starting;
    } finally {
      if (this.#starting.get(childId) === starting) this.#starting.delete(childId);
    }
  }

  /**
   * Sends what a workflow asks of its child; the key of the attempt tells a repetition.
   *
   * @param isComing Whether the child is to be started, and not by this executor: then it is waited for.
   */
  async reachChild(
    { workflowId, name, payload, reason }: ChildRequest,
    { idempotencyKey: signalId, signal }: ActivityContext,
    isComing: () => boolean,
  ): Promise<void> {
    while (isComing()) {
      const watch = this.#handles.watch(workflowId);
      try {
        if (await this.#handles.find(workflowId) !== null) break;
        if (isComing()) await abortable(watch.changed(), signal);
      } finally {
        watch.stop();
      }
    }
    await this.#starting.get(workflowId)?.catch(() => {});
    // It may have been tried before: what was sent is there, then.
    if (name === undefined) return await this.cancel(workflowId, reason, true);
    const at = this.#host.clock.now();
    const event = { type: "signal_received", at, name, payload, signalId } as const;
    await this.post("signal", workflowId, Object.freeze(event), true);
  }

  /** Ends a child for which nobody waits any more, unless it is to be left alone. */
  async closeChild(parent: RunInfo, { workflowId, seq, closePolicy }: ChildStartedEvent): Promise<void> {
    if (closePolicy === "abandon") return;
    try {
      const stored = await this.#host.store.load(workflowId);
      if (stored?.status !== "running" || !isChildOf(stored, parent, seq)) return;
      const reason = `its parent ${show(parent.workflowId)} is over`;
      await (closePolicy === "terminate" ? this.terminate(workflowId, reason) : this.cancel(workflowId, reason));
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== "closed" && code !== "not_found") this.#host.report(error); // recover() tries again
    }
  }

  /** Closes a child whose parent's run was over before it could do so. */
  async closeOrphan({ workflowId, history }: WorkflowState): Promise<void> {
    const started = history[0];
    if (started?.type !== "workflow_started" || started.parent === undefined) return;
    const { parent } = started;
    const { closePolicy, seq } = parent;
    const state = await this.#host.store.load(parent.workflowId).catch(() => undefined);
    if (state === undefined || state?.status === "running" && state.runId === parent.runId) return;
    const { at, workflowName: name } = started;
    const event = { type: "child_started", at, seq, name, workflowId, closePolicy } as const;
    await this.closeChild({ ...parent, workflowName: "" }, event);
  }

  /**
   * Brings an event into the history of a running workflow.
   *
   * @param sent Whether it may be stored, although nobody said so.
   */
  async post(verb: "signal" | "cancel" | "terminate", id: string, event: WorkflowEvent, sent = false): Promise<void> {
    this.#host.assertOpen(verb, id);
    let tried: number | undefined;
    let unsure: string | undefined; // the run that may have it, although the store gave no answer
    for (let attempt = 1;;) {
      if (!this.isHere(id) || sent) {
        const { runId, workflowName, status, history } = await this.#handles.load(id, verb);
        const isStored = (stored: WorkflowEvent) =>
          event.type === "signal_received"
            ? sent && stored.type === event.type && stored.signalId === event.signalId
            : event.type === "workflow_canceled"
            ? sent && stored.type === event.type && stored.error.data?.code === "terminated"
            : stored.type === event.type && (sent || status === "running");
        const tell = () => tellOf(this.#host, event, { workflowId: id, runId, workflowName });
        if (history.some(isStored)) return tried === undefined ? undefined : tell(); // only the answer was lost
        if (unsure !== undefined && unsure !== runId && event.type === "signal_received") {
          const why = "it was continued as new or replaced before the store said whether the signal is there";
          throw new WorkflowError("conflict", `${cannot("signal workflow", id)}: ${why}`);
        }
        if (status !== "running") {
          throw new WorkflowError("not_found", `${cannot(`${verb} workflow`, id)}: it is ${status}`);
        }
        if (!this.isHere(id)) {
          sent = true;
          try {
            await this.#host.store.append(new FrozenBatch(id, runId, history.length, [event]));
            return tell();
          } catch (error) {
            // A conflict that nothing explains is a fault of the store as well.
            if (!isConflict(error)) unsure = runId;
            if (!isConflict(error) || tried === history.length) await this.#host.store.backOff(error, attempt++);
            tried = history.length;
            continue;
          }
        }
      }
      sent = true;
      const run = this.#handles.live(id)!;
      if (await run[verb === "signal" ? "post" : verb](event)) return;
      await run.ended;
    }
  }
}
