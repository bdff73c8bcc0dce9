/** The contract of `WorkflowStore`: whoever breaks a sentence of it is told which one. */

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
import { storeCases, type StoreCasesOptions } from "@rockpool/workflow/testing";

const caseOf = (wanted: string, options?: StoreCasesOptions) =>
  storeCases(options).find(({ name }) => name === wanted) ?? fail(`No case is called: ${wanted}`);

/** Stores that break one sentence, and the case that must say so. */
const broken: Record<string, [caught: string, Store: new () => WorkflowStore]> = {
  "keeps a reference to what it is given": [
    "what is given in input is copied at the call: later changes do not reach the store",
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
  "hands out a copy that everybody shares": [
    "what is answered can be changed by nobody: changes do not reach the store",
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
    "values in input are what structured clone takes",
    class extends InMemoryStore {
      override save(state: WorkflowStateInit) {
        const { input } = state ?? {};
        return super.save(typeof input === "object" ? { ...state, input: JSON.parse(JSON.stringify(input)) } : state);
      }
    },
  ],
  "lists in another order every time": [
    "list() answers in order of creation, whatever the IDs and the times",
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
    "save() keeps the place of a workflow that is stored",
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
    "list() answers the first of what matches, as many as the limit says",
    class extends InMemoryStore {
      override list(filter: WorkflowFilter = {}) {
        return super.list(filter?.limit ? { ...filter, limit: filter.limit + 1 } : filter);
      }
    },
  ],
  "takes the limit first and filters then": [
    "list() answers the first of what matches, as many as the limit says",
    class extends InMemoryStore {
      override async list(filter?: WorkflowFilter) {
        const matching = await super.list(filter && { ...filter, limit: undefined });
        const { limit, order } = filter ?? {};
        const first = (await super.list({ limit, order })).map(({ workflowId }) => workflowId);
        return matching.filter(({ workflowId }) => first.includes(workflowId));
      }
    },
  ],
  "answers what has one of the labels": [
    "list() answers the states that have all labels",
    class extends InMemoryStore {
      override async list(filter?: WorkflowFilter) {
        const [first] = Object.entries(filter?.labels ?? {});
        return await super.list(first && first[1] ? { ...filter, labels: { [first[0]]: first[1] } } : filter);
      }
    },
  ],
  "counts a time that is given as later than itself": [
    "list() answers the states that were created later and earlier than the times",
    class extends InMemoryStore {
      override list(filter?: WorkflowFilter) {
        const { createdAfter } = filter ?? {};
        return super.list(Number.isFinite(createdAfter) ? { ...filter, createdAfter: createdAfter! - 1 } : filter);
      }
    },
  ],
  "loses the second write": [
    "save() replaces what is stored",
    class extends InMemoryStore {
      override async save(state: WorkflowStateInit) {
        if (await super.load(state?.workflowId) === null) await super.save(state);
      }
    },
  ],
  "loses createdAt": [
    "save() lets createdAt survive when the argument leaves it out",
    class extends InMemoryStore {
      override save(state: WorkflowStateInit) {
        return super.save(state && { createdAt: Date.now(), ...state });
      }
    },
  ],
  "remembers createdAt when the workflow is forgotten": [
    "delete() forgets a workflow's createdAt",
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
    "save() replaces what is stored",
    class extends InMemoryStore {
      override async save(state: WorkflowStateInit) {
        await super.save(state && { ...await super.load(state.workflowId), ...state });
      }
    },
  ],
  "throws where it should reject": [
    "every method rejects and does not throw",
    class extends InMemoryStore {
      override load(workflowId: string) {
        if (!workflowId) throw new TypeError("no ID");
        return super.load(workflowId);
      }
    },
  ],
  "cannot delete the absent": [
    "delete() does nothing if the workflow is not stored",
    class extends InMemoryStore {
      override async delete(workflowId: string) {
        if (await super.load(workflowId) === null) throw new Error("not found");
        await super.delete(workflowId);
      }
    },
  ],
  "takes IDs for the same if they look the same": [
    "every method tells IDs apart as strings are, whatever they contain",
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
    "append() keeps every event, however many there are",
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
  "takes a repeated batch for done": [
    "append() rejects every repetition of a batch with a conflict",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const last = (await super.load(batch?.workflowId))?.history.at(-1);
        const repeats = last && JSON.stringify(last) === JSON.stringify(batch.events?.at?.(-1));
        if (!repeats) await super.append(batch);
      }
    },
  ],
  "compares, and then appends": [
    "append() lets one succeed of several writers who believe the same, and adds nobody's events twice",
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
  "lets half of a batch be seen": [
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
  "forgets to finish what fails": [
    "append() finishes a run with a last event workflow_failed",
    class extends InMemoryStore {
      override async load(workflowId: string) {
        const state = await super.load(workflowId);
        return state?.history.at(-1)?.type === "workflow_failed" ? { ...state, status: "running" as const } : state;
      }
    },
  ],
  "answers from a cache that is one call behind": [
    "every method shows its effect to whoever calls after it has settled",
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
  "tells before it writes": [
    "subscribe() lets the listener call the store, which finds the change made",
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
  "does not stop telling": [
    "subscribe() calls the listener until the returned function is called",
    class extends InMemoryStore {
      override subscribe(listener: StoreListener) {
        super.subscribe(listener);
        return () => {};
      }
    },
  ],
};

/** Changes what is loaded and listed of every run, as a store would that does not keep it whole. */
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

/** Changes what is appended, as a store would that does not keep it whole. */
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

/** Stores that let executors down, and the case of the second tier that must say so, with these words. */
const brokenForExecutors: Record<string, [caught: string, words: string, Store: new () => WorkflowStore]> = {
  "keeps the last events only": [
    "recover() goes on where the run stopped, and what was recorded is not done again",
    "load() and list() answer the whole history",
    loading((state) => state.status === "running" ? { ...state, history: state.history.slice(0, 2) } : state),
  ],
  "leaves events out": [
    "a workflow's result is that of its run, and what is stored of it is what happened",
    "append() adds the events in order and leaves none out",
    loading((state) => ({ ...state, history: state.history.filter(({ type }) => type !== "timer_fired") })),
  ],
  "keeps values as JSON": [
    "values come back from the history as they were given",
    "values are what structured clone takes",
    appending((batch) => ({ ...batch, events: asJson(batch.events) })),
  ],
  "loses what errors have beside a message": [
    "a workflow that fails is stored with its error, and whoever asks later gets the same",
    "its error is kept whole",
    loading((state) => state.error ? { ...state, error: { name: "Error", message: state.error.message } } : state),
  ],
  "forgets the labels": [
    "runs are found by status, name and labels as they are now",
    "list() matches the state that follows from the events",
    appending((batch) => ({
      ...batch,
      events: batch.events.map((event) => event.type === "workflow_started" ? { ...event, labels: undefined } : event),
    })),
  ],
  "adds events in another order": [
    "signals are read in the order in which they were sent, whether or not somebody waits for them",
    "append() adds the events in order",
    appending((batch) => ({
      ...batch,
      events: batch.events.every(({ type }) => type === "signal_received") ? batch.events.toReversed() : batch.events,
    })),
  ],
  "lists what has ended as running": [
    "recover() finds every run that is running, in order of creation, and no other",
    'list({ status: "running" }) answers what is running now',
    class extends InMemoryStore {
      override list(filter?: WorkflowFilter) {
        return super.list({ ...filter, status: undefined });
      }
    },
  ],
  "creates the run that continues another anew": [
    "a workflow that continues as new keeps its place and its createdAt, and loses no signal",
    "puts the new history in the place of the old one",
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
  "replaces a finished run in its place": [
    "an execution in the place of a finished run is a new one, and nothing of the old one is left",
    "last in the order of creation",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const { workflowId, runId, events } = batch;
        if (batch.replaces === undefined || batch.expectedLength > 0) return await super.append(batch);
        const state = (await super.load(workflowId))!;
        await super.save({ ...state, runId, status: "running", history: events.slice(0, 1), result: undefined });
      }
    },
  ],
  "creates a run although there is one": [
    "of several executors that start the same ID, one does",
    "append() rejects with a conflict if the run exists",
    class extends InMemoryStore {
      override async append(batch: AppendBatch) {
        const deleted = batch.expectedLength === 0 ? super.delete(batch.workflowId) : undefined;
        await Promise.all([deleted, super.append(batch)]); // in one step
      }
    },
  ],
  "appends without a compare": [
    "executors that drive the same run write one history, and agree on its result",
    "append() compares the length and appends in one step",
    appending((batch, state) =>
      state !== null && batch.expectedLength > 0 ? { ...batch, expectedLength: state.history.length } : batch
    ),
  ],
  "appends a repeated batch again": [
    "an executor whose store loses its answers now and then writes nothing twice",
    "append() rejects every repetition of a batch with a conflict",
    appending((batch, state) =>
      state !== null && batch.expectedLength > 0 ? { ...batch, expectedLength: state.history.length } : batch
    ),
  ],
  "takes IDs for the same if they begin alike": [
    "runs side by side keep their histories apart",
    "IDs are told apart",
    class extends InMemoryStore {
      override append(batch: AppendBatch) {
        return super.append({ ...batch, workflowId: batch.workflowId.slice(0, 5) });
      }
      override load(workflowId: string) {
        return super.load(workflowId.slice(0, 5));
      }
    },
  ],
  "tells nobody": [
    "an executor hears of signals that another one sent, and of the end of runs that another one drives",
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

for (const [what, [caught, words, Store]] of Object.entries(brokenForExecutors)) {
  Deno.test(`storeCases() catches a store under executors that ${what}`, async () => {
    const timeoutMs = what === "tells nobody" ? 50 : undefined;
    const { run, tier } = caseOf(caught, { timeoutMs });
    assertEquals(tier, "executor");
    const { message } = await assertRejects(() => run(() => new Store()), Error, "Probably broken: ");
    assert(message.includes(words), message);
    assertEquals(message.includes("did not end"), timeoutMs !== undefined, message);
  });
}
