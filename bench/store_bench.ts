// The floors are async, as a store is:
// deno-lint-ignore-file require-await

/**
 * What does the store cost when many tasks read and write, for single operations, and for a long history?
 *
 * The floor is a bare `Map`: no lock, no copy, no check. The naive store is also a `Map`. It protects its states from its callers
 * by structured clone, on the way in and on the way out.
 *
 * A body does the number of operations that its group's name gives: divide by that.
 *
 * @module
 */

import { InMemoryStore, type WorkflowEvent, type WorkflowState, type WorkflowStatus } from "@rockpool/workflow";

const COUNT = 1_000;
const ids = Array.from({ length: COUNT }, (_, i) => `workflow-${i}`);

function stateOf(workflowId: string, n: number): WorkflowState {
  const status: WorkflowStatus = n % 2 === 0 ? "running" : "completed";
  const input = { order: n, items: ["shell", "sand"], address: { city: "Sylt" } };
  return { workflowId, runId: "1", workflowName: "order", status, input, history: [], createdAt: 0, updatedAt: n };
}

/** The common interface of the three stores. */
interface Store {
  load(id: string): Promise<WorkflowState | null>;
  save(state: WorkflowState): Promise<void>;
}

const bare = (map: Map<string, WorkflowState>): Store => ({
  load: async (id) => map.get(id) ?? null,
  save: async (state) => void map.set(state.workflowId, state),
});

const naive = (map: Map<string, WorkflowState>): Store => ({
  load: async (id) => structuredClone(map.get(id) ?? null),
  save: async (state) => void map.set(state.workflowId, structuredClone(state)),
});

/** The three stores, each with one workflow per ID. */
async function filled(): Promise<{ map: Map<string, WorkflowState>; store: InMemoryStore; stores: [string, Store][] }> {
  const map = new Map(ids.map((id, n) => [id, stateOf(id, n)]));
  const store = new InMemoryStore();
  for (const state of map.values()) await store.save(state);
  return {
    map,
    store,
    stores: [["Map", bare(map)], ["Map, structuredClone", naive(new Map(map))], ["InMemoryStore", store]],
  };
}

// Concurrent tasks: each reads or writes its own workflow. The writes are spread evenly.

for (const writes of [0, 10, 50]) {
  const { stores } = await filled();
  for (const [name, store] of stores) {
    const task = async (id: string, n: number) => {
      if (n % 100 * 7 % 100 < writes) await store.save(stateOf(id, n));
      else await store.load(id);
    };
    Deno.bench({
      name,
      group: `store: ${COUNT} concurrent tasks, ${100 - writes}/${writes} reads to writes`,
      baseline: name === "Map",
      async fn() {
        await Promise.all(ids.map(task));
      },
    });
  }
}

// One operation after the other.

{
  const { map, store, stores } = await filled();
  for (const [name, store] of stores) {
    const baseline = name === "Map";
    Deno.bench({
      name,
      group: `store: ${COUNT} times load`,
      baseline,
      async fn() {
        for (const id of ids) await store.load(id);
      },
    });
    Deno.bench({
      name,
      group: `store: ${COUNT} times save`,
      baseline,
      async fn() {
        for (const [n, id] of ids.entries()) await store.save(stateOf(id, n));
      },
    });
  }

  const lists: [name: string, list: () => Promise<unknown>][] = [
    ["Map", () => Promise.resolve([...map.values()].filter(({ status }) => status === "running"))],
    ["InMemoryStore", () => store.list({ status: "running" })],
    ["InMemoryStore, limit 10", () => store.list({ status: "running", limit: 10 })],
  ];
  for (const [name, list] of lists) {
    Deno.bench({
      name,
      group: `store: list the running half of ${COUNT}`,
      baseline: name === "Map",
      async fn() {
        await list();
      },
    });
  }
}

// A few among very many: the cost must depend on what is found, not on what is skipped.

for (const count of [1_000, 100_000]) {
  const store = new InMemoryStore();
  const map = new Map<string, WorkflowState>();
  for (let n = 0; n < count; n++) {
    const state = { ...stateOf(`workflow-${n}`, 1), status: n % (count / 10) === 7 ? "running" : "completed" } as const;
    map.set(state.workflowId, state);
    await store.save(state);
  }
  const { cursor: middle } = await store.page({ limit: count / 2 });
  const finds: [name: string, find: () => Promise<unknown>][] = [
    ["Map", () => Promise.resolve([...map.values()].filter(({ status }) => status === "running"))],
    ["list the running", () => store.list({ status: "running" })],
    ["count the running", () => store.count({ status: "running" })],
    ["page of ten from the middle", () => store.page({ limit: 10, cursor: middle })],
  ];
  for (const [name, find] of finds) {
    Deno.bench({
      name,
      group: `store: 10 running workflows among ${count}`,
      baseline: name === "Map",
      async fn() {
        await find();
      },
    });
  }
}

// One workflow whose history grows one event at a time: twice as many events should take twice as long.

const event = (n: number): WorkflowEvent => ({ type: "activity_completed", at: n, seq: n, attempt: 1, result: { n } });
const started: WorkflowEvent = { type: "workflow_started", at: 0, workflowName: "order" };

const growths: [name: string, grow: (count: number) => Promise<void>][] = [
  ["array.push", async (count) => {
    const history: WorkflowEvent[] = [started];
    for (let n = 1; n < count; n++) history.push(event(n));
  }],
  ["append", async (count) => {
    const store = new InMemoryStore();
    await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started] });
    for (let n = 1; n < count; n++) {
      await store.append({ workflowId: "a", runId: "1", expectedLength: n, events: [event(n)] });
    }
  }],
  ["load, save the whole state", async (count) => {
    const store = new InMemoryStore();
    await store.save({ workflowId: "a", status: "running", history: [started] });
    for (let n = 1; n < count; n++) {
      const state = (await store.load("a"))!;
      await store.save({ ...state, history: [...state.history, event(n)] });
    }
  }],
];
for (const count of [COUNT, 2 * COUNT]) {
  for (const [name, grow] of growths) {
    Deno.bench({
      name,
      group: `store: a history of ${count} events, one at a time`,
      baseline: name === "array.push",
      async fn() { // must be async, or the bench does not wait for it
        await grow(count);
      },
    });
  }
}
