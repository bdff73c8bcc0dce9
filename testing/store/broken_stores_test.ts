/** The store contract finds deliberately broken stores, and names the sentence that is not true. */

import { assert, assertEquals, assertRejects, fail } from "@std/assert";
import {
  type AppendBatch,
  InMemoryStore,
  type StoreListener,
  type WorkflowFilter,
  type WorkflowState,
  type WorkflowStateInit,
  type WorkflowStore,
} from "@rockpool/workflow";
import { macrotasks } from "../../tests/support/executors.ts";
import { storeCases, type StoreCasesOptions } from "@rockpool/workflow/testing";

const caseOf = (wanted: string, options?: StoreCasesOptions) =>
  storeCases(options).find(({ name }) => name === wanted) ?? fail(`No case is called: ${wanted}`);

/** Stores that break one sentence, and the case that must find it. */
const broken: Record<string, [caught: string, Store: new () => WorkflowStore]> = {
  "keeps a reference to what it is given": [
    "a value in input is copied at the call: later changes do not reach the store",
    class extends InMemoryStore {
      #inputs = new Map<string, unknown>();
      override save(state: WorkflowStateInit) {
        return super.save(state).then(() => void this.#inputs.set(state.workflowId, state.input));
      }
      override async load(workflowId: string) {
        const state = await super.load(workflowId);
        return state && this.#inputs.has(workflowId) ? { ...state, input: this.#inputs.get(workflowId) } : state;
      }
    },
  ],
  "returns one copy to all callers": [
    "a returned state is a copy or frozen: changes do not reach the store",
    class extends InMemoryStore {
      #copies = new WeakMap<object, WorkflowState>();
      override async load(workflowId: string) {
        const state = await super.load(workflowId);
        if (state === null) return null;
        const key = state.history[0] ?? state;
        if (!this.#copies.has(key)) this.#copies.set(key, structuredClone(state));
        return this.#copies.get(key)!;
      }
    },
  ],
  "keeps values as JSON": [
    "values in input can be everything that structured clone can copy",
    class extends InMemoryStore {
      override save(state: WorkflowStateInit) {
        const { input } = state ?? {};
        return super.save(typeof input === "object" ? { ...state, input: JSON.parse(JSON.stringify(input)) } : state);
      }
    },
  ],
  "lists in another order every time": [
    "list() returns the order of creation, whatever the IDs and the times are",
    class extends InMemoryStore {
      #lists = 0;
      override async list(filter?: WorkflowFilter) {
        const states = await super.list(filter);
        for (let i = 0; i < ++this.#lists % 3; i++) states.push(...states.splice(0, 1));
        return states;
      }
    },
  ],
  "lists by ID": [
    "save() puts a new workflow last in the order of creation",
    class extends InMemoryStore {
      override async list(filter?: WorkflowFilter) {
        return (await super.list(filter)).sort((a, b) => a.workflowId < b.workflowId ? -1 : 1);
      }
    },
  ],
  "moves what is overwritten to the end": [
    "save() keeps the place of a stored workflow",
    class extends InMemoryStore {
      override async save(state: WorkflowStateInit) {
        const before = await super.load(state.workflowId);
        await super.save(state);
        if (before === null) return;
        const after = await super.load(state.workflowId);
        await super.delete(state.workflowId);
        await super.save(after!);
      }
    },
  ],
  "lists one more than the limit": [
    "list() returns the first states up to the limit",
    class extends InMemoryStore {
      override list(filter: WorkflowFilter = {}) {
        return super.list(filter?.limit ? { ...filter, limit: filter.limit + 1 } : filter);
      }
    },
  ],
  "takes the limit first and filters then": [
    "list() returns the first states up to the limit",
    class extends InMemoryStore {
      override async list(filter?: WorkflowFilter) {
        const matching = await super.list(filter && { ...filter, limit: undefined });
        const { limit, order } = filter ?? {};
        const first = (await super.list({ limit, order })).map(({ workflowId }) => workflowId);
        return matching.filter(({ workflowId }) => first.includes(workflowId));
      }
    },
  ],
  "keeps the first labels": [
    "append() replaces the labels of a run by those of the last labels_changed, and later events keep them",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const labels = (await super.load(batch.workflowId))?.labels ?? {};
        const events = batch.events.map((event) => event.type === "labels_changed" ? { ...event, labels } : event);
        await super.append({ ...batch, events });
      }
    },
  ],
  "returns what has one of the labels": [
    "list() returns the states that have all labels",
    class extends InMemoryStore {
      override async list(filter?: WorkflowFilter) {
        const [first] = Object.entries(filter?.labels ?? {});
        return await super.list(first && first[1] ? { ...filter, labels: { [first[0]]: first[1] } } : filter);
      }
    },
  ],
  "treats createdAfter as inclusive": [
    "list() returns the states that were created later or earlier than the times",
    class extends InMemoryStore {
      override list(filter?: WorkflowFilter) {
        const { createdAfter } = filter ?? {};
        return super.list(Number.isFinite(createdAfter) ? { ...filter, createdAfter: createdAfter! - 1 } : filter);
      }
    },
  ],
  "loses the second write": [
    "save() replaces the stored state",
    class extends InMemoryStore {
      override async save(state: WorkflowStateInit) {
        if (await super.load(state?.workflowId) === null) await super.save(state);
      }
    },
  ],
  "loses createdAt": [
    "save() preserves createdAt if it is omitted",
    class extends InMemoryStore {
      override save(state: WorkflowStateInit) {
        return super.save(state && { createdAt: Date.now(), ...state });
      }
    },
  ],
  "remembers createdAt of a deleted workflow": [
    "delete() deletes a workflow's createdAt",
    class extends InMemoryStore {
      #created = new Map<string, number>();
      override async save(state: WorkflowStateInit) {
        const createdAt = state?.createdAt ?? this.#created.get(state?.workflowId);
        await super.save(state && createdAt !== undefined ? { ...state, createdAt } : state);
        this.#created.set(state.workflowId, (await super.load(state.workflowId))!.createdAt);
      }
    },
  ],
  "merges what is saved into what is stored": [
    "save() replaces the stored state",
    class extends InMemoryStore {
      override async save(state: WorkflowStateInit) {
        await super.save(state && { ...await super.load(state.workflowId), ...state });
      }
    },
  ],
  "throws where it should reject": [
    "every method rejects, and does not throw",
    class extends InMemoryStore {
      override load(workflowId: string) {
        if (!workflowId) throw new TypeError("no ID");
        return super.load(workflowId);
      }
    },
  ],
  "cannot delete what is not stored": [
    "delete() does nothing if the workflow is not stored",
    class extends InMemoryStore {
      override async delete(workflowId: string) {
        if (await super.load(workflowId) === null) throw new Error("not found");
        await super.delete(workflowId);
      }
    },
  ],
  "treats IDs as equal that look equal": [
    "every method compares IDs as strings, whatever they contain",
    class extends InMemoryStore {
      override append(batch: AppendBatch) {
        const { workflowId } = batch ?? {};
        return super.append(typeof workflowId === "string" ? { ...batch, workflowId: workflowId.normalize() } : batch);
      }
      override load(workflowId: string) {
        return super.load(typeof workflowId === "string" ? workflowId.normalize() : workflowId);
      }
    },
  ],
  "truncates histories": [
    "append() keeps all events of a long history",
    class extends InMemoryStore {
      override async load(workflowId: string) {
        const state = await super.load(workflowId);
        return state && state.history.length > 100 ? { ...state, history: state.history.slice(-100) } : state;
      }
    },
  ],
  "appends without a compare": [
    "append() rejects with a conflict if the history has another length",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const state = await super.load(batch?.workflowId);
        const blind = state !== null && batch.expectedLength > 0 && Array.isArray(batch.events);
        await super.append(blind ? { ...batch, expectedLength: state.history.length } : batch);
      }
    },
  ],
  "refuses a batch without events": [
    "append() changes nothing by a batch without events if the run is running and has the expected length",
    class extends InMemoryStore {
      override append(batch: AppendBatch) {
        if (batch?.events?.length === 0) return Promise.reject(new TypeError("no events"));
        return super.append(batch);
      }
    },
  ],
  "takes a batch without events for done": [
    "append() rejects a batch without events with a conflict as any other batch",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        if (batch?.events?.length !== 0) await super.append(batch);
      }
    },
  ],
  "reports a batch without events": [
    "subscribe() does not report calls that change nothing",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        await super.append(batch);
        if (batch.events.length === 0) await super.save((await super.load(batch.workflowId))!);
      }
    },
  ],
  "treats a repeated batch as done": [
    "append() rejects a repeated batch with a conflict",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const last = (await super.load(batch?.workflowId))?.history.at(-1);
        const repeats = last && JSON.stringify(last) === JSON.stringify(batch.events?.at?.(-1));
        if (!repeats) await super.append(batch);
      }
    },
  ],
  "compares and appends in two steps": [
    "append() lets one of several writers with the same expected length succeed, and adds no event twice",
    class extends InMemoryStore {
      #line: Promise<unknown> = Promise.resolve();
      override async append(batch: AppendBatch) {
        const state = await super.load(batch?.workflowId);
        if (state?.history.length !== batch.expectedLength) return super.append(batch);
        const appended = this.#line.then(async () => {
          const { history } = (await super.load(batch.workflowId))!;
          await super.append({ ...batch, expectedLength: history.length });
        });
        this.#line = appended.catch(() => {});
        await appended;
      }
    },
  ],
  "appends one event after the other": [
    "append() keeps nothing of a batch that it rejects",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        if (!(batch?.expectedLength > 0) || !Array.isArray(batch.events) || batch.events.length === 0) {
          return super.append(batch);
        }
        for (const [i, event] of batch.events.entries()) {
          await super.append({ ...batch, events: [event], expectedLength: batch.expectedLength + i });
        }
      }
    },
  ],
  "shows half of a batch": [
    "every method takes effect as one atomic step",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        if (!(batch?.expectedLength > 0) || batch.events?.length !== 2) return super.append(batch);
        const [first, second] = batch.events;
        await super.append({ ...batch, events: [first] });
        await super.append({ ...batch, events: [second], expectedLength: batch.expectedLength + 1 });
      }
    },
  ],
  "does not finish failed runs": [
    "append() finishes a run with a last event workflow_failed",
    class extends InMemoryStore {
      override async load(workflowId: string) {
        const state = await super.load(workflowId);
        return state?.history.at(-1)?.type === "workflow_failed" ? { ...state, status: "running" as const } : state;
      }
    },
  ],
  "returns states from a cache that is one call behind": [
    "every method has its effect when it settles: later calls see it",
    class extends InMemoryStore {
      #cache = new Map<string, WorkflowState | null>();
      override async load(workflowId: string) {
        const state = await super.load(workflowId);
        const cached = this.#cache.get(workflowId) ?? state;
        this.#cache.set(workflowId, state);
        return cached;
      }
    },
  ],
  "reports a change before it makes it": [
    "subscribe() lets the listener call the store, and the change is visible",
    class extends InMemoryStore {
      #listeners: StoreListener[] = [];
      override subscribe(listener: StoreListener) {
        const end = super.subscribe(listener);
        this.#listeners.push(listener);
        return () => {
          end();
          this.#listeners = this.#listeners.filter((other) => other !== listener);
        };
      }
      override async append(batch: AppendBatch) {
        for (const listener of this.#listeners) listener(batch?.workflowId, batch?.events?.length ?? 0);
        await super.append(batch);
      }
    },
  ],
  "does not end subscriptions": [
    "subscribe() calls the listener until the returned function is called",
    class extends InMemoryStore {
      override subscribe(listener: StoreListener) {
        super.subscribe(listener);
        return () => {};
      }
    },
  ],
};

/** The content of several instances, and what each of them does wrong. */
class Shared extends InMemoryStore {
  readonly inner: InMemoryStore;
  constructor(inner: InMemoryStore) {
    super();
    this.inner = inner;
  }
  override save(state: WorkflowStateInit): Promise<void> {
    return this.inner.save(state);
  }
  override load(workflowId: string): Promise<WorkflowState | null> {
    return this.inner.load(workflowId);
  }
  override list(filter?: WorkflowFilter): Promise<WorkflowState[]> {
    return this.inner.list(filter);
  }
  override delete(workflowId: string): Promise<void> {
    return this.inner.delete(workflowId);
  }
  override append(batch: AppendBatch): Promise<void> {
    return this.inner.append(batch);
  }
  override subscribe(listener: StoreListener): () => void {
    return this.inner.subscribe(listener);
  }
}

/** Stores whose instances break one sentence, and the case that must find it. */
const brokenInstances: Record<string, [caught: string, Other: new (inner: InMemoryStore) => WorkflowStore]> = {
  "has a cache in each instance": [
    "another instance sees the effect of every method once it has settled",
    class extends Shared {
      #cache = new Map<string, WorkflowState | null>();
      override async load(workflowId: string) {
        const state = this.#cache.get(workflowId) ?? await super.load(workflowId);
        this.#cache.set(workflowId, state);
        return state;
      }
    },
  ],
  "compares in each instance": [
    "another instance refuses what does not fit what was written",
    class extends Shared {
      override async append(batch: AppendBatch) {
        const length = (await this.load(batch.workflowId))?.history.length;
        await super.append(length && batch.events.length > 0 ? { ...batch, expectedLength: length } : batch);
      }
    },
  ],
  "compares and appends in two steps in one instance": [
    "append() lets one of several writers on two instances succeed, and adds no event twice",
    class extends Shared {
      override async append(batch: AppendBatch) {
        const state = await this.load(batch.workflowId);
        if (state?.history.length !== batch.expectedLength) return super.append(batch);
        await Promise.resolve();
        const { history, status } = (await this.load(batch.workflowId))!;
        if (status === "running") await super.append({ ...batch, expectedLength: history.length });
      }
    },
  ],
  "keeps an order of creation in each instance": [
    "the order of creation is the same in all instances, also for concurrent writers",
    class extends Shared {
      #own = new Set<string>();
      override save(state: WorkflowStateInit) {
        this.#own.add(state.workflowId);
        return super.save(state);
      }
      override async list(filter?: WorkflowFilter) {
        const isOwn = ({ workflowId }: WorkflowState) => Number(this.#own.has(workflowId));
        return (await super.list(filter)).sort((a, b) => isOwn(b) - isOwn(a));
      }
    },
  ],
  "lists one workflow after the other": [
    "a reader beside a writer of another instance sees whole steps only",
    class extends Shared {
      override async list(filter?: WorkflowFilter) {
        const states: WorkflowState[] = [];
        for (const { workflowId } of (await super.list(filter)).reverse()) {
          await macrotasks(3);
          states.unshift((await this.load(workflowId))!);
        }
        return states;
      }
    },
  ],
  "reports the changes of its own instance only": [
    "subscribe() calls the listener after each change of another instance, and the change is visible",
    class extends Shared {
      override subscribe() {
        return () => {};
      }
    },
  ],
  "reports no changes of others to executors": [
    "executors on two instances notice each other's signals, and the end of each other's runs",
    class extends Shared {
      override subscribe() {
        return () => {};
      }
    },
  ],
};

/** Changes the states that are loaded and listed, like a store that loses a part of them. */
function loading(change: (state: WorkflowState) => WorkflowState): new () => WorkflowStore {
  return class extends InMemoryStore {
    override async load(workflowId: string) {
      const state = await super.load(workflowId);
      return state && change(state);
    }
    override async list(filter?: WorkflowFilter) {
      return (await super.list(filter)).map(change);
    }
  };
}

/** Changes the batches that are appended, like a store that loses a part of them. */
function appending(change: (batch: AppendBatch, state: WorkflowState | null) => AppendBatch): new () => WorkflowStore {
  return class extends InMemoryStore {
    override async append(batch: AppendBatch) {
      await super.append(change(batch, await super.load(batch.workflowId)));
    }
  };
}

const asJson = (value: unknown) =>
  value === undefined
    ? undefined
    : JSON.parse(JSON.stringify(value, (_key, part) => typeof part === "bigint" ? `${part}` : part));

/** Stores that break executors, the case of the second tier that must find it, and a part of its message. */
const brokenForExecutors: Record<string, [caught: string, words: string, Store: new () => WorkflowStore]> = {
  "keeps the last events only": [
    "recover() resumes a run where it stopped, and repeats nothing that is recorded",
    "load() and list() return the whole history",
    loading((state) => state.status === "running" ? { ...state, history: state.history.slice(0, 2) } : state),
  ],
  "leaves events out": [
    "a workflow has the result of its run, and its stored state shows what happened",
    "append() adds all events in order",
    loading((state) => ({ ...state, history: state.history.filter(({ type }) => type !== "timer_fired") })),
  ],
  "keeps values as JSON": [
    "values come back from the history unchanged",
    "values can be everything that structured clone can copy",
    appending((batch) => ({ ...batch, events: asJson(batch.events) })),
  ],
  "loses everything of an error but its message": [
    "a failed workflow is stored with its error, and a later handle rejects with the same error",
    "keeps its whole error",
    loading((state) => state.error ? { ...state, error: { name: "Error", message: state.error.message } } : state),
  ],
  "keeps the first labels": [
    "runs are found by the labels that their code has set, also after a restart",
    "append() replaces the labels of a run by those of the last labels_changed",
    appending((batch, state) => ({
      ...batch,
      events: batch.events.map((event) =>
        event.type === "labels_changed" ? { ...event, labels: state?.labels ?? {} } : event
      ),
    })),
  ],
  "forgets the labels": [
    "runs are found by their current status, name and labels",
    "list() matches the state that follows from the events",
    appending((batch) => ({
      ...batch,
      events: batch.events.map((event) => event.type === "workflow_started" ? { ...event, labels: {} } : event),
    })),
  ],
  "adds events in another order": [
    "signals are received in the order in which they were sent, also before the workflow waits for them",
    "append() adds the events in order",
    appending((batch) => ({
      ...batch,
      events: batch.events.every(({ type }) => type === "signal_received") ? batch.events.toReversed() : batch.events,
    })),
  ],
  "lists finished runs as running": [
    "recover() resumes all running runs, in order of creation, and no others",
    'list({ status: "running" }) returns the running runs of one moment',
    class extends InMemoryStore {
      override list(filter?: WorkflowFilter) {
        return super.list({ ...filter, status: undefined });
      }
    },
  ],
  "creates a new workflow when a run continues another one": [
    "a workflow that continues as new keeps its place, its createdAt, and its signals",
    "replaces the old history by the new one",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        await super.append(batch);
        const state = await super.load(batch.workflowId);
        if (batch.replaces === undefined || state?.status !== "running") return;
        await super.delete(batch.workflowId);
        await super.save({ ...state, createdAt: state.history[0].at });
      }
    },
  ],
  "replaces a finished run without moving it to the end": [
    "an execution replaces a finished run, and keeps nothing of it",
    "makes the new run the last in the order of creation",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const { workflowId, runId, events } = batch;
        if (batch.replaces === undefined || batch.expectedLength > 0) return await super.append(batch);
        const state = (await super.load(workflowId))!;
        await super.save({ ...state, runId, status: "running", history: events.slice(0, 1), result: undefined });
      }
    },
  ],
  "creates a run although one exists": [
    "one of several executors that start the same ID succeeds",
    "append() rejects with a conflict if the run exists",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const deleted = batch.expectedLength === 0 ? super.delete(batch.workflowId) : undefined;
        await Promise.all([deleted, super.append(batch)]); // in one step
      }
    },
  ],
  "appends without a compare": [
    "executors that run the same workflow write one history, and get the same result",
    "append() compares the length and appends in one atomic step",
    appending((batch, state) =>
      state !== null && batch.expectedLength > 0 ? { ...batch, expectedLength: state.history.length } : batch
    ),
  ],
  "appends a repeated batch again": [
    "an executor whose store sometimes loses its answers writes nothing twice",
    "append() rejects a repeated batch with a conflict",
    appending((batch, state) =>
      state !== null && batch.expectedLength > 0 ? { ...batch, expectedLength: state.history.length } : batch
    ),
  ],
  "treats IDs as equal that begin alike": [
    "concurrent runs have separate histories",
    "IDs are compared exactly",
    class extends InMemoryStore {
      override append(batch: AppendBatch) {
        return super.append({ ...batch, workflowId: batch.workflowId.slice(0, 5) });
      }
      override load(workflowId: string) {
        return super.load(workflowId.slice(0, 5));
      }
    },
  ],
  "never calls a listener": [
    "an executor notices signals that another one sent, and the end of runs of another one",
    "subscribe() calls every listener after each change",
    class extends InMemoryStore {
      override subscribe() {
        return () => {};
      }
    },
  ],
};

for (const [what, [caught, Store]] of Object.entries(broken)) {
  Deno.test(`storeCases() catches a store that ${what}`, async () => {
    const { message } = await assertRejects(() => caseOf(caught).run(() => new Store()), Error);
    assert(!message.includes("did not end"), message);
  });
}

for (const [what, [caught, Other]] of Object.entries(brokenInstances)) {
  Deno.test(`storeCases() catches a store that ${what}`, async () => {
    const silent = what.startsWith("reports");
    const connect = (store: WorkflowStore) => new Other(store as InMemoryStore);
    const { run } = caseOf(caught, { connect, timeoutMs: silent ? 50 : undefined });
    const { message } = await assertRejects(() => run(() => new InMemoryStore()), Error);
    assertEquals(message.includes("did not end"), silent, message);
  });
}

Deno.test("storeCases() names the bad input that a store accepts", async () => {
  const lax = class extends InMemoryStore {
    override save(state: WorkflowStateInit) {
      return Number.isNaN(state?.createdAt) ? Promise.resolve() : super.save(state);
    }
    override append(batch: AppendBatch) {
      return batch?.replaces === null ? Promise.resolve() : super.append(batch);
    }
    override load(workflowId: string) {
      return workflowId as unknown === 1 ? Promise.resolve(null) : super.load(workflowId);
    }
  };
  const named: Record<string, string> = {
    "save() rejects a malformed state with a TypeError, and changes nothing": "createdAt: NaN",
    "append() rejects a malformed batch with a TypeError, and changes nothing": "replaces: null",
    "every method rejects an ID that is empty or not a string with a TypeError": "load() of the ID 1",
  };
  for (const [name, words] of Object.entries(named)) {
    const { message } = await assertRejects(() => caseOf(name).run(() => new lax()), Error);
    assert(message.includes(words), message);
  }
});

for (const [what, [caught, words, Store]] of Object.entries(brokenForExecutors)) {
  Deno.test(`storeCases() catches a store under executors that ${what}`, async () => {
    const timeoutMs = what === "never calls a listener" ? 50 : undefined;
    const { run, tier } = caseOf(caught, { timeoutMs });
    assertEquals(tier, "executor");
    const { message } = await assertRejects(() => run(() => new Store()), Error, "Probably broken: ");
    assert(message.includes(words), message);
    assertEquals(message.includes("did not end"), timeoutMs !== undefined, message);
  });
}
