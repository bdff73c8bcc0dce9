/** The soak finds faults that are planted between the executors and their store, and only those. */

import { assert } from "@std/assert";
import type { AppendBatch, WorkflowEvent, WorkflowStore } from "@rockpool/workflow";
import { playWorld } from "../tests/support/soak_world.ts";

/** Returns the message of the first world that goes wrong, of 20 worlds in virtual time. */
async function firstWrong(plant?: (store: WorkflowStore) => WorkflowStore): Promise<string | undefined> {
  for (let seed = 1; seed <= 20; seed++) {
    try {
      await playWorld(seed, { isVirtual: true, ...(plant === undefined ? {} : { plant }) });
    } catch (error) {
      return `${error}`;
    }
  }
}

/** Wraps a store whose methods are changed. */
function changed(store: WorkflowStore, methods: Partial<WorkflowStore>): WorkflowStore {
  return {
    save: (state) => store.save(state),
    load: (id) => store.load(id),
    list: (filter) => store.list(filter),
    delete: (id) => store.delete(id),
    append: (batch) => store.append(batch),
    subscribe: (listener) => store.subscribe!(listener),
    ...methods,
  };
}

const withEvents = (batch: AppendBatch, change: (event: WorkflowEvent) => WorkflowEvent[]): AppendBatch => {
  const { workflowId, runId, expectedLength, replaces, events } = batch;
  const base = { workflowId, runId, expectedLength, events: events.flatMap(change) };
  return replaces === undefined ? base : { ...base, replaces };
};

const plants: Record<string, { plant: (store: WorkflowStore) => WorkflowStore; message: RegExp }> = {
  "a signal that is stored twice": {
    message: /the signals/,
    plant: (store) =>
      changed(store, {
        append: (batch) =>
          store.append(withEvents(batch, (event) => {
            const isFirst = event.type === "signal_received" && !event.signalId.endsWith("again");
            return isFirst ? [event, { ...event, signalId: `${event.signalId} again` }] : [event];
          })),
      }),
  },
  "a signal that is lost": {
    message: /the signals|were lost/,
    plant: (store) =>
      changed(store, {
        append: (batch) =>
          store.append(withEvents(batch, (event) => {
            return [
              event.type === "signal_received" && Number(event.payload) % 7 === 0 ? { ...event, name: "other" } : event,
            ];
          })),
      }),
  },
  "an answer that changes": {
    message: /(is|was) answered/,
    plant: (store) =>
      changed(store, {
        load: async (id) => {
          const state = await store.load(id);
          const history = state?.history.map((event) =>
            event.type === "update_completed" && state.status !== "running" ? { ...event, result: "other" } : event
          );
          return state && { ...state, history: history! };
        },
      }),
  },
  "a run that changes after its end": {
    message: /after its end/,
    plant: (store) =>
      changed(store, {
        append: async (batch) => {
          await store.append(batch);
          const last = batch.events.at(-1);
          if (last?.type === "workflow_completed") await store.save((await store.load(batch.workflowId))!);
        },
      }),
  },
  "a subscription that stays": {
    message: /subscriptions/,
    plant: (store) =>
      changed(store, {
        subscribe: (listener) => {
          store.subscribe!(listener);
          return () => {};
        },
      }),
  },
};

Deno.test("playWorld() finds nothing wrong where nothing is planted", async () => {
  assert(await firstWrong() === undefined, await firstWrong());
});

for (const [what, { plant, message }] of Object.entries(plants)) {
  Deno.test(`playWorld() finds ${what}`, async () => {
    const found = await firstWrong(plant);
    assert(found !== undefined && message.test(found), found ?? "nothing was found");
  });
}
