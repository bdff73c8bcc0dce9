// Every store is async, also if it need not be:
// deno-lint-ignore-file require-await

/**
 * Which stores are compared, and how is each used? Ours, those of npm and of the runtime, and naive ones.
 *
 * All keep workflows in memory and return promises. Each appends in its best way: one record per event where that is possible.
 * Faults were seen with the pinned version.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { emptyCheckpoint, MemorySaver } from "@langchain/langgraph-checkpoint";
import { InMemoryStore, type WorkflowEvent, type WorkflowState, type WorkflowStatus } from "@rockpool/workflow";
import { LRUCache } from "lru-cache";
import { MemoryLevel } from "memory-level";

/** The common interface. */
export interface Store {
  load(id: string): Promise<WorkflowState | null>;
  save(state: WorkflowState): Promise<void>;
  /** The first `limit` workflows, in order of creation; absent if the store does not keep that order. */
  list?(limit: number): Promise<WorkflowState[]>;
  /** All with that status; absent if that would be only a loop over `list`. */
  find?(status: WorkflowStatus): Promise<WorkflowState[]>;
  /** Adds the event of index `n` to a workflow that was never saved. */
  append(id: string, n: number, event: WorkflowEvent): Promise<void>;
  /** The appended events. */
  history(id: string): Promise<readonly WorkflowEvent[]>;
  close?(): void;
}

/** A store of the bench. */
export interface Entry {
  readonly name: string;
  readonly role?: "floor" | "ours";
  /** Whether callers cannot change stored objects. */
  readonly protects: boolean;
  readonly open: () => Store | Promise<Store>;
}

// Loops, because iterator helpers would make the maps several times slower.

function first<T>(values: Iterable<T>, limit: number): T[] {
  const found: T[] = [];
  for (const value of values) {
    if (found.length >= limit) break;
    found.push(value);
  }
  return found;
}

function withStatus<T extends { status: WorkflowStatus }>(values: Iterable<T>, status: WorkflowStatus): T[] {
  const found: T[] = [];
  for (const value of values) if (value.status === status) found.push(value);
  return found;
}

/** Stores and returns the caller's objects. */
function bareMap(): Store {
  const states = new Map<string, WorkflowState>();
  const histories = new Map<string, WorkflowEvent[]>();
  return {
    load: async (id) => states.get(id) ?? null,
    save: async (state) => void states.set(state.workflowId, state),
    list: async (limit) => first(states.values(), limit),
    find: async (status) => withStatus(states.values(), status),
    append: async (id, n, event) => void (n === 0 ? histories.set(id, [event]) : histories.get(id)!.push(event)),
    history: async (id) => histories.get(id)!,
  };
}

/** Copies on the way in and on the way out. */
function cloningMap(): Store {
  const { load, save, list, find, append, history } = bareMap();
  return {
    load: async (id) => structuredClone(await load(id)),
    save: (state) => save(structuredClone(state)),
    list: async (limit) => structuredClone(await list!(limit)),
    find: async (status) => structuredClone(await find!(status)),
    append: (id, n, event) => append(id, n, structuredClone(event)),
    history: async (id) => structuredClone(await history(id)),
  };
}

/** Stores text, and the status separately, so that a search need not parse. */
function jsonMap(): Store {
  const rows = new Map<string, { status: WorkflowStatus; json: string }>();
  const histories = new Map<string, string[]>();
  const parse = ({ json }: { json: string }) => JSON.parse(json);
  return {
    async load(id) {
      const row = rows.get(id);
      return row ? parse(row) : null;
    },
    save: async (state) => void rows.set(state.workflowId, { status: state.status, json: JSON.stringify(state) }),
    list: async (limit) => first(rows.values(), limit).map(parse),
    find: async (status) => withStatus(rows.values(), status).map(parse),
    async append(id, n, event) {
      const json = JSON.stringify(event);
      if (n === 0) histories.set(id, [json]);
      else histories.get(id)!.push(json);
    },
    history: async (id) => histories.get(id)!.map((json) => JSON.parse(json)),
  };
}

function lruCache(): Store {
  const cache = new LRUCache<string, WorkflowState>({ max: 10_000 });
  const histories = new LRUCache<string, WorkflowEvent[]>({ max: 10_000 });
  return {
    load: async (id) => cache.get(id) ?? null,
    save: async (state) => void cache.set(state.workflowId, state),
    append: async (id, n, event) => void (n === 0 ? histories.set(id, [event]) : histories.get(id)!.push(event)),
    history: async (id) => histories.get(id)!,
  };
}

/** One row per workflow and one row per event, as JSON, with prepared statements. */
function sqlite(): Store {
  const db = new DatabaseSync(":memory:");
  db.exec(`
    CREATE TABLE workflows (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, status TEXT, state TEXT);
    CREATE INDEX by_status ON workflows (status);
    CREATE TABLE events (id TEXT, n INTEGER, event TEXT, PRIMARY KEY (id, n)) WITHOUT ROWID;
  `);
  const load = db.prepare("SELECT state FROM workflows WHERE id = ?");
  const save = db.prepare(`
    INSERT INTO workflows (id, status, state) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, state = excluded.state
  `);
  const list = db.prepare("SELECT state FROM workflows ORDER BY seq LIMIT ?");
  const find = db.prepare("SELECT state FROM workflows WHERE status = ? ORDER BY seq");
  const append = db.prepare("INSERT INTO events VALUES (?, ?, ?)");
  const history = db.prepare("SELECT event AS state FROM events WHERE id = ? ORDER BY n");
  const parse = (row: Record<string, unknown>) => JSON.parse(row.state as string);
  return {
    async load(id) {
      const row = load.get(id);
      return row ? parse(row) : null;
    },
    save: async (state) => void save.run(state.workflowId, state.status, JSON.stringify(state)),
    list: async (limit) => list.all(limit).map(parse),
    find: async (status) => find.all(status).map(parse),
    append: async (id, n, event) => void append.run(id, n, JSON.stringify(event)),
    history: async (id) => history.all(id).map(parse),
    close: () => db.close(),
  };
}

/** One key per workflow and one key per event, because a value is limited to 64 KiB. */
async function denoKv(): Promise<Store> {
  const kv = await Deno.openKv(":memory:");
  async function list<T>(prefix: Deno.KvKey, limit?: number): Promise<T[]> {
    const values: T[] = [];
    for await (const { value } of kv.list<T>({ prefix }, { limit })) values.push(value);
    return values;
  }
  return {
    load: async (id) => (await kv.get<WorkflowState>(["workflow", id])).value,
    save: async (state) => void await kv.set(["workflow", state.workflowId], state),
    list: (limit) => list(["workflow"], limit),
    append: async (id, n, event) => void await kv.set(["event", id, n], event),
    history: (id) => list(["event", id]),
    close: () => kv.close(),
  };
}

/** One key per workflow and one key per event. */
function memoryLevel(): Store {
  const db = new MemoryLevel<string, WorkflowState>({ valueEncoding: "json", storeEncoding: "utf8" });
  const events = db.sublevel<string, WorkflowEvent>("event", { valueEncoding: "json" });
  const workflows = db.sublevel<string, WorkflowState>("workflow", { valueEncoding: "json" });
  return {
    load: async (id) => await workflows.get(id) ?? null,
    save: (state) => workflows.put(state.workflowId, state),
    list: (limit) => workflows.values({ limit }).all(),
    append: (id, n, event) => events.put(`${id}!${String(n).padStart(9, "0")}`, event),
    history: (id) => events.values({ gt: `${id}!`, lt: `${id}"` }).all(),
  };
}

/**
 * One thread per workflow. Its state is a channel, and its status is metadata, so that `list` can filter by it. A save replaces
 * the checkpoint, because a new ID would also keep the old one. An event is a pending write. `list` reads the metadata of all
 * threads, whatever the limit is.
 */
function memorySaver(): Store {
  const saver = new MemorySaver();
  const checkpoint = emptyCheckpoint();
  const configOf = (id: string) => ({
    configurable: { thread_id: id, checkpoint_ns: "", checkpoint_id: checkpoint.id },
  });
  const put = async (id: string, status: WorkflowStatus, state: unknown) => {
    const metadata = { source: "update" as const, step: 0, parents: {}, status };
    await saver.put(configOf(id), { ...checkpoint, channel_values: { state } }, metadata);
  };
  async function list(options: { limit?: number; filter?: Record<string, unknown> }): Promise<WorkflowState[]> {
    const states: WorkflowState[] = [];
    for await (const tuple of saver.list({}, options)) {
      states.push(tuple.checkpoint.channel_values.state as WorkflowState);
    }
    return states;
  }
  return {
    async load(id) {
      const tuple = await saver.getTuple(configOf(id));
      return tuple ? tuple.checkpoint.channel_values.state as WorkflowState : null;
    },
    save: (state) => put(state.workflowId, state.status, state),
    list: (limit) => list({ limit }),
    find: (status) => list({ filter: { status } }),
    async append(id, n, event) {
      if (n === 0) await put(id, "running", null);
      await saver.putWrites(configOf(id), [["history", event]], String(n).padStart(9, "0"));
    },
    async history(id) {
      const { pendingWrites = [] } = (await saver.getTuple(configOf(id)))!;
      return pendingWrites.map(([, , event]) => event as WorkflowEvent);
    },
  };
}

function ours(): Store {
  const store = new InMemoryStore();
  return {
    load: (id) => store.load(id),
    save: (state) => store.save(state),
    list: (limit) => store.list({ limit }),
    find: (status) => store.list({ status }),
    append: (id, n, event) => store.append({ workflowId: id, runId: "1", expectedLength: n, events: [event] }),
    history: async (id) => (await store.load(id))!.history,
  };
}

export const entries: readonly Entry[] = [
  { name: "`Map`, no copy", role: "floor", protects: false, open: bareMap },
  { name: "InMemoryStore", role: "ours", protects: true, open: ours },
  { name: "`Map`, `structuredClone`", protects: true, open: cloningMap },
  { name: "`Map`, JSON", protects: true, open: jsonMap },
  { name: "lru-cache, no copy", protects: false, open: lruCache },
  { name: "node:sqlite, JSON", protects: true, open: sqlite },
  { name: "Deno KV", protects: true, open: denoKv },
  { name: "memory-level, JSON", protects: true, open: memoryLevel },
  { name: "LangGraph `MemorySaver`", protects: true, open: memorySaver },
];

/** A history of an even length: an order that is paid, packed and sent, step by step. */
export function historyOf(length: number): WorkflowEvent[] {
  const at = 1_700_000_000_000;
  const history: WorkflowEvent[] = [
    { type: "workflow_started", at, workflowName: "order", input: { order: 7, items: ["shell", "sand"] } },
  ];
  for (let seq = 0; history.length < length - 1; seq++) {
    const input = { order: 7, step: seq, address: { city: "Sylt", zip: "25980" } };
    history.push({ type: "activity_started", at: at + seq, seq, name: `step-${seq % 5}`, input });
    const result = { ok: true, receipt: `receipt-${seq}`, amount: 12.5 * seq };
    history.push({ type: "activity_completed", at: at + seq, seq, attempt: 1, result });
  }
  history.push({ type: "signal_received", at, name: "paid", payload: { by: "card" }, signalId: "signal-1" });
  return history;
}

export function stateOf(workflowId: string, status: WorkflowStatus, events: number): WorkflowState {
  const input = { order: 7, items: ["shell", "sand"] };
  const history = historyOf(events);
  return { workflowId, runId: "1", workflowName: "order", status, input, history, createdAt: 1, updatedAt: 1 };
}

/** Checks that a store returns what was stored, and whether callers can change it. */
export async function check({ name, protects, open }: Entry): Promise<void> {
  const store = await open();
  const same = (what: string, actual: unknown, expected: unknown) => {
    const [a, b] = [actual, expected].map((value) => JSON.stringify(value, (_, v) => sorted(v)));
    if (a !== b) throw new Error(`Cannot compare ${name}: ${what} is ${a?.slice(0, 200)}, want ${b?.slice(0, 200)}`);
  };
  const expected = ["a", "b", "c"].map((id, n) => stateOf(id, n === 1 ? "running" : "completed", 50));
  for (const state of expected) await store.save(structuredClone(state));
  same("load", await store.load("b"), expected[1]);
  same("load of nothing", await store.load("d"), null);
  if (store.list) same("list", await store.list(2), expected.slice(0, 2));
  if (store.find) same("find", await store.find("running"), [expected[1]]);
  await store.save({ ...(await store.load("a"))!, updatedAt: 2 });
  same("load after a save", await store.load("a"), { ...expected[0], updatedAt: 2 });

  const history = historyOf(20);
  for (const [n, event] of history.entries()) await store.append("e", n, structuredClone(event));
  same("history", await store.history("e"), history);

  const given = structuredClone(expected[2]);
  await store.save(given);
  for (const state of [given, await store.load("c")]) {
    try {
      Object.assign(state!.history[0], { at: 0 });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // frozen
    }
  }
  same("whether it protects", (await store.load("c"))!.history[0].at !== 0, protects);
  store.close?.();
}

/** An object with its keys in order; any other value as it is. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}
