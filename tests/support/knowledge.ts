/**
 * What an executor knows: the outcomes of activities that it has stored, or that its store has told it. An activity must not
 * begin in an executor that knows its outcome. (It can begin in another one that shares the store: nobody can know what is
 * stored at this moment.)
 *
 * @module
 */

import type { ActivityContext, ReplaceActivity, WorkflowEvent, WorkflowStore } from "@rockpool/workflow";

export class Knowledge {
  readonly #now: () => number;
  readonly #graceMs: number;
  /** The activities that began although the executor knew their outcome. */
  readonly repeated: string[] = [];
  /** Since when it knows that an activity has ended. */
  readonly #outcomes = new Map<string, number>();

  /**
   * @param now The time.
   * @param graceMs How long after a load of the history the run may not have it yet: the load can be for something else.
   */
  constructor(now: () => number, graceMs = 200) {
    this.#now = now;
    this.#graceMs = graceMs;
  }

  /** Wraps the store of the executor. A list that is on its way may be old, and does not count. */
  of(inner: WorkflowStore): WorkflowStore {
    return {
      save: (state) => inner.save(state),
      load: async (id) => {
        const state = await inner.load(id);
        if (state !== null) this.#note(state.runId, state.history, this.#now() + this.#graceMs);
        return state;
      },
      list: (filter) => inner.list(filter),
      delete: (id) => inner.delete(id),
      append: async (batch) => {
        await inner.append(batch);
        this.#note(batch.runId, batch.events, -Infinity);
      },
      ...(inner.subscribe === undefined ? {} : { subscribe: (listener) => inner.subscribe!(listener) }),
    };
  }

  /** An option of the executor. */
  readonly replaceActivity: ReplaceActivity = (activity) => (input: never, context: ActivityContext) => {
    const { idempotencyKey } = context;
    if (this.#now() >= (this.#outcomes.get(idempotencyKey) ?? Infinity)) this.repeated.push(idempotencyKey);
    return activity(input, context);
  };

  #note(runId: string, events: readonly WorkflowEvent[], since: number): void {
    for (const event of events) {
      if (event.type !== "activity_completed" && event.type !== "activity_failed") continue;
      const key = `${runId}:${event.seq}`;
      this.#outcomes.set(key, Math.min(since, this.#outcomes.get(key) ?? Infinity));
    }
  }
}
