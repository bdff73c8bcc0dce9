/**
 * Updates: brings an update to its handler, whichever executor runs the workflow, and the answer back.
 *
 * 1. A run that is live here gets the update itself. Otherwise `update_requested` is stored. The executor that runs the workflow
 *    accepts or rejects it, and the answer is read from the store.
 * 2. The updates that wait for one workflow share a follower. It loads the state after each change and looks at the new events
 *    only, so many updates at once take linear time.
 * 3. An update belongs to the chain that ran when it was first looked at. The chain remembers its answer.
 *
 * @module
 */

import type { WorkflowEvent, WorkflowHead, WorkflowState } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { Deferred } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { firstRunOf } from "../history/history.ts";
import { type Delivery, executorClosed } from "./delivery.ts";
import { type DeliveryParts, isNotFound, type Target } from "./delivery_queue.ts";
import { type AnswerEvent, answerOf, isAnswer, updateEvent, type UpdateRequest } from "./events.ts";
import { unanswered } from "./inbox.ts";
import { type ChangeWatch, unsupported } from "./live_runs.ts";
import { repeatable } from "./remembered.ts";

const none: readonly never[] = [];

type Parts = Pick<DeliveryParts, "store" | "timing" | "liveRuns"> & { readonly delivery: Delivery };

/** Gets the answer; `undefined` if the caller must look again. */
type Waiting = Deferred<AnswerEvent | undefined>;

export class Updates {
  readonly #parts: Parts;
  /** By workflow ID, while an update waits for its answer. */
  readonly #followers = new Map<string, Follower>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Returns what the handler of an update returns.
   *
   * @param signal Ends the wait.
   */
  async send(target: Target, request: UpdateRequest, signal: AbortSignal | undefined): Promise<unknown> {
    const { delivery, liveRuns, store } = this.#parts;
    const { id } = target;
    for (let isRequested = false;;) {
      if (liveRuns.closed) throw executorClosed("update", id);
      const run = delivery.live(target);
      if (run !== undefined) {
        const answer = await run.update(request, signal);
        if (answer !== undefined) return answer.value;
        await abortable(run.ended, signal); // it may be continued by another run
        continue;
      }
      // The chain remembers the answer: the next run may have begun when it is looked for.
      const updateId = repeatable(request.updateId);
      request = { ...request, updateId };
      const follower = this.#follow(id);
      const waiting = follower.add(updateId); // before the state is read, so that no answer is missed
      try {
        const state = await delivery.load("update", target).catch((error) => {
          throw isRequested && isNotFound(error) ? unanswered(id, "it was replaced or deleted", true) : error;
        });
        let answer = answersIn(state.history, 0).find((answer) => answer.updateId === updateId);
        if (answer === undefined) {
          if (state.status !== "running") {
            const isAccepted = state.history.some((event) =>
              event.type === "update_accepted" && event.updateId === updateId
            );
            const why = isAccepted ? "it ended" : `its status is ${show(state.status)}`;
            throw unanswered(id, why, isAccepted, state.error && { cause: fromErrorRecord(state.error) });
          }
          if (!store.reportsChanges) throw unsupported("update", id);
          target = { id, firstRunId: firstRunOf(state) };
          const event = updateEvent("update_requested", request, this.#parts.timing.clock.now());
          const stored = await delivery.post("update", target, event, true);
          if (stored !== false) {
            isRequested = true;
            answer = await abortable(waiting.promise, signal);
          }
        }
        if (answer !== undefined) return answerOf(answer);
      } finally {
        follower.remove(updateId, waiting);
        if (follower.stopped && this.#followers.get(id) === follower) this.#followers.delete(id);
      }
    }
  }

  #follow(id: string): Follower {
    let follower = this.#followers.get(id);
    if (follower === undefined || follower.stopped) this.#followers.set(id, follower = new Follower(this.#parts, id));
    return follower;
  }
}

/** The answers in a history from an index on; also those that the run remembers, if that is 0. */
function answersIn(history: readonly WorkflowEvent[], from: number): AnswerEvent[] {
  const [started] = history;
  const remembered = from === 0 && started?.type === "workflow_started" ? started.remembered?.updates : none;
  return [...remembered ?? none, ...history.slice(from).filter(isAnswer)];
}

/**
 * Looks for answers in the history of a workflow, after each change.
 *
 * It stops when all waits have ended, or it ends all of them. So whoever waits for it will be told: who comes later gets another
 * follower, which reads the state first.
 */
class Follower {
  readonly #parts: Parts;
  readonly #id: string;
  /** By the ID of the update. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** What it has seen, by the ID of the update. */
  readonly #answers = new Map<string, AnswerEvent>();
  #watch: ChangeWatch | undefined;
  #runId: string | undefined;
  /** How many events of the run were looked at. */
  #length = 0;
  /** Whether it does not look any more, and nobody may wait for it. */
  stopped = false;

  constructor(parts: Parts, id: string) {
    this.#parts = parts;
    this.#id = id;
    void this.#follow();
  }

  add(updateId: string): Waiting {
    const waiting: Waiting = new Deferred();
    this.#waiting.set(updateId, (this.#waiting.get(updateId) ?? new Set()).add(waiting));
    const answer = this.#answers.get(updateId); // the update may be sent again, and the read of its caller may be old
    if (answer !== undefined) waiting.resolve(answer);
    return waiting;
  }

  remove(updateId: string, waiting: Waiting): void {
    const all = this.#waiting.get(updateId)!;
    all.delete(waiting);
    if (all.size === 0) this.#waiting.delete(updateId);
    if (this.#waiting.size === 0) this.#stop();
  }

  #stop(): void {
    this.stopped = true;
    this.#watch?.stop();
  }

  async #follow(): Promise<void> {
    try {
      for (const reads = { count: 0 }; !this.stopped;) {
        this.#watch = this.#parts.liveRuns.watch(this.#id); // before the state is read, so that no change is missed
        const { store } = this.#parts;
        const tail = this.#runId === undefined ? null : await store.loadSince(this.#id, this.#length, this.#runId);
        const state = tail === null ? await store.load(this.#id) : tail.head;
        this.#look(state, tail?.events);
        if (!this.stopped) await this.#watch.changedSince(state!, reads);
      }
    } catch (error) {
      this.#end((waiting) => waiting.reject(error));
    }
  }

  /** @param news The events from `#length` on; the whole history if they are not given. */
  #look(state: WorkflowState | WorkflowHead | null, news?: readonly WorkflowEvent[]): void {
    const { runId, status } = state ?? {};
    const history = state !== null && "history" in state ? state.history : none;
    const isNext = runId !== this.#runId;
    const answers = news === undefined ? answersIn(history, isNext ? 0 : this.#length) : news.filter(isAnswer);
    for (const answer of answers) {
      this.#answers.set(answer.updateId, answer);
      for (const waiting of this.#waiting.get(answer.updateId) ?? []) waiting.resolve(answer);
    }
    const isReplaced = isNext && this.#runId !== undefined;
    // A run that has ended may change no more, and the store does not report what a run stores that is live here.
    if (isReplaced || status !== "running" || this.#parts.liveRuns.get(this.#id)) {
      this.#end((waiting) => waiting.resolve(undefined)); // each update decides for itself
    }
    this.#runId = runId;
    this.#length = news === undefined ? history.length : this.#length + news.length;
  }

  #end(settle: (waiting: Waiting) => void): void {
    this.#stop();
    for (const all of this.#waiting.values()) for (const waiting of all) settle(waiting);
  }
}
