/** The contract of the optional members finds deliberately broken stores: each case has one that it alone must find. */

import { assert, assertEquals, assertRejects, fail } from "@std/assert";
import {
  type AppendBatch,
  type DeliveredEvent,
  InMemoryStore,
  type StoreListener,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowStore,
} from "@rockpool/workflow";
import { acceptDelivery, messageIds, readDelivery, toHead } from "@rockpool/workflow/storage";
import { storeCases, type StoreMember } from "@rockpool/workflow/testing";

// deno-lint-ignore no-explicit-any -- overrides take what a caller gives, also what is malformed
type Bad = any;

/** The methods of a store that works. */
type Well = Required<WorkflowStore>;

/** Returns the methods that do something else. */
type Break = (well: Well) => Record<string, Bad>;

const METHODS = [
  ...["save", "load", "list", "delete", "append", "subscribe", "heads", "count", "loadSince", "deliver"],
  ...["claim", "renew", "release"],
] as const;

/** A store of which some methods are broken. Several can have one content. */
function brokenStore(change: Break, inner = new InMemoryStore()): WorkflowStore {
  const well = Object.fromEntries(METHODS.map((name) => [name, (inner as Bad)[name].bind(inner)])) as Bad;
  return { ...well, ...change(well), inner };
}

/** A `deliver` that reads the history and appends to it: for the messages of a run it asks `idsOf`. */
const delivering =
  (well: Well, idsOf: (history: readonly WorkflowEvent[], id: string) => readonly string[], part = {}) =>
  async (delivery: Bad) => {
    const copy = readDelivery(delivery);
    const state = await well.load(copy.workflowId);
    const known = new Set(idsOf(state?.history ?? [], copy.workflowId));
    const head = state && toHead(state, state.history);
    const { added, batch } = acceptDelivery(head, copy, (id) => known.has(id));
    if (batch !== undefined) await well.append({ ...batch, ...part });
    return { runId: head!.runId, historyLength: head!.historyLength + (batch?.events.length ?? 0), added };
  };

/** Remembers who has claimed or created which run last. */
function noting(well: Well) {
  const owners = new Map<string, string>();
  return {
    owners,
    async claim(options: Bad) {
      const runs = await well.claim(options);
      for (const { workflowId } of runs) owners.set(workflowId, options.owner);
      return runs;
    },
  };
}

/** Returns the same clone of equal values. */
function sharing() {
  const clones = new Map<string, unknown>();
  return <T>(value: T): T => {
    const key = JSON.stringify(value);
    if (!clones.has(key)) clones.set(key, structuredClone(value));
    return clones.get(key) as T;
  };
}

const lost = () => Promise.reject(new WorkflowError("lease_lost", "not yours"));
const LONG_MS = 600_000;

/** The IDs of the runs whose first labels match. */
async function foundByFirstLabels(well: Well, { labels = {}, ...filter }: Bad): Promise<string[]> {
  const states = await well.list({ ...filter, limit: undefined });
  return states.filter(({ labels: now, history: [started] }) => {
    const first = started?.type === "workflow_started" ? started.labels : now;
    return Object.keys(labels).every((name) => first?.[name] === labels[name]);
  }).map(({ workflowId }) => workflowId);
}

/** By the case that must find it: what the store does wrong. */
const broken: Record<string, [what: string, change: Break]> = {
  "heads() returns states without their histories, and what the first event says": [
    "takes the run for the first one of its chain",
    (well) => ({
      async heads(options: Bad) {
        const page = await well.heads(options);
        return { ...page, heads: page.heads.map((head) => ({ ...head, firstRunId: head.runId })) };
      },
    }),
  ],
  "heads() returns the heads that match the filter": [
    "ignores labels",
    (well) => ({ heads: (options: Bad) => well.heads({ ...options, labels: undefined }) }),
  ],
  "heads() returns the labels that a run has now, and finds it by them": [
    "finds runs by the labels with which they began",
    (well) => ({
      async heads(options: Bad) {
        const ids = await foundByFirstLabels(well, options ?? {});
        const { heads } = await well.heads();
        return { heads: heads.filter(({ workflowId }) => ids.includes(workflowId)), cursor: undefined };
      },
    }),
  ],
  "heads() returns pages in the order of creation or its reverse": [
    "ignores the order",
    (well) => ({ heads: (options: Bad) => well.heads({ ...options, order: undefined }) }),
  ],
  "heads() returns 100 heads by default, and a cursor only if there are more": [
    "returns a cursor behind the last page",
    (well) => ({
      async heads(options: Bad) {
        const page = await well.heads(options);
        return { ...page, cursor: page.cursor ?? "100asc" };
      },
    }),
  ],
  "heads() repeats no workflow and leaves none out if others write between two pages": [
    "counts from the first workflow",
    (well) => ({
      async heads({ cursor = "0", limit = 100, ...filter }: Bad) {
        const all = (await well.heads({ ...filter, limit: 1_000 })).heads;
        const next = Number(cursor) + limit;
        return { heads: all.slice(Number(cursor), next), cursor: next < all.length ? `${next}` : undefined };
      },
    }),
  ],
  "heads() returns heads as they were at one moment": [
    "reads one head after the other",
    (well) => ({
      async heads(options: Bad) {
        const page = await well.heads(options);
        const heads = [];
        for (const { workflowId } of page.heads) {
          for (let i = 0; i < 5; i++) await undefined;
          heads.push((await well.loadSince(workflowId, Infinity))?.head);
        }
        return { ...page, heads };
      },
    }),
  ],
  "heads() returns copies: changes do not reach the store": [
    "returns one copy to all callers",
    (well) => {
      const share = sharing();
      return { heads: async (options: Bad) => share(await well.heads(options)) };
    },
  ],
  "heads() rejects malformed options as list() does, and a limit of 0": [
    "takes a limit of 0",
    (well) => ({
      heads: (options: Bad) => options?.limit === 0 ? Promise.resolve({ heads: [] }) : well.heads(options),
    }),
  ],
  "heads() rejects a cursor that is not that of a page with the same order": [
    "reads the number of a cursor only",
    (well) => ({
      heads: ({ cursor, ...options }: Bad) =>
        well.heads({
          ...options,
          cursor: parseInt(cursor) >= 0 ? parseInt(cursor) + (options.order ?? "asc") : cursor,
        }),
    }),
  ],
  "count() returns the number of workflows that match, whatever limit and order are": [
    "counts up to the limit",
    (well) => ({ count: async (filter: Bad) => (await well.list(filter)).length }),
  ],
  "count() counts by the labels that runs have now": [
    "counts by the labels with which they began",
    (well) => ({ count: async (filter: Bad) => (await foundByFirstLabels(well, filter ?? {})).length }),
  ],
  "count() rejects a malformed filter as list() does": [
    "takes null for every workflow",
    (well) => ({ count: (filter: Bad) => well.count(filter ?? {}) }),
  ],
  "loadSince() returns the head and the events from an index on": [
    "returns whole batches",
    (well) => ({
      loadSince: (id: Bad, length: Bad, runId: Bad) => well.loadSince(id, length === 3 ? 4 : length, runId),
    }),
  ],
  "loadSince() returns the outcome, the first run and the parent with the head": [
    "makes the head of the events that it reads",
    (well) => ({
      async loadSince(...args: Parameters<Well["loadSince"]>) {
        const tail = await well.loadSince(...args);
        return tail && { ...tail, head: { ...toHead(tail.head, tail.events), historyLength: tail.head.historyLength } };
      },
    }),
  ],
  "loadSince() returns the labels that the run has now": [
    "returns the labels with which it began",
    (well) => ({
      async loadSince(...args: Parameters<Well["loadSince"]>) {
        const tail = await well.loadSince(...args);
        const [started] = (await well.load(args[0]))?.history ?? [];
        const labels = started?.type === "workflow_started" && started.labels;
        return tail && { ...tail, head: { ...tail.head, ...(labels && { labels }) } };
      },
    }),
  ],
  "loadSince() returns null if there is no such workflow, or it is another run": [
    "ignores the run",
    (well) => ({ loadSince: (id: Bad, length: Bad) => well.loadSince(id, length) }),
  ],
  "loadSince() returns what was stored at one moment": [
    "reads the head, and then the events",
    (well) => ({
      async loadSince(id: Bad, length: Bad, runId: Bad) {
        const tail = await well.loadSince(id, Infinity, runId);
        for (let i = 0; i < 5; i++) await undefined;
        return tail && { ...tail, events: (await well.loadSince(id, length, runId))!.events };
      },
    }),
  ],
  "loadSince() returns copies: changes do not reach the store": [
    "returns one copy to all callers",
    (well) => {
      const share = sharing();
      return { loadSince: async (...args: Parameters<Well["loadSince"]>) => share(await well.loadSince(...args)) };
    },
  ],
  "loadSince() rejects arguments that are not of their type, or out of range": [
    "counts from the end",
    (well) => ({ loadSince: (id: Bad, length: Bad, runId: Bad) => well.loadSince(id, length < 0 ? 0 : length, runId) }),
  ],

  "deliver() adds events to the end of the running run, whatever its length is": [
    "answers with another length",
    (well) => ({
      deliver: async (delivery: Bad) => ({ ...await well.deliver(delivery), historyLength: delivery.events.length }),
    }),
  ],
  "deliver() adds events to a run that was saved": [
    "does not know the messages of saved states",
    (well) => ({ deliver: delivering(well, () => []) }),
  ],
  "deliver() makes appends of the earlier length conflicts": [
    "does not count what was delivered",
    (well) => ({
      append: async (batch: Bad) =>
        well.append({ ...batch, expectedLength: (await well.load("a"))?.history.length ?? batch.expectedLength }),
    }),
  ],
  "deliver() ends the run by a termination": [
    "leaves a terminated run running",
    (well) => ({
      async load(id: Bad) {
        const state = await well.load(id);
        return state?.status === "canceled" ? { ...state, status: "running" } : state;
      },
    }),
  ],
  "deliver() adds a signal once: the history holds its ID, or the first event remembers it": [
    "forgets what the first event remembers",
    (well) => ({ deliver: delivering(well, (history) => messageIds(history.slice(1))) }),
  ],
  "deliver() adds an update once, also if it was accepted or answered, or is remembered": [
    "knows requests only",
    (well) => ({
      deliver: delivering(well, (history) => messageIds(history.filter(({ type }) => type === "update_requested"))),
    }),
  ],
  "deliver() adds one cancellation to a run, none if it began cancelled": [
    "adds every cancellation",
    (well) => ({
      deliver: delivering(well, (history) => messageIds(history).filter((id) => id !== "cancel")),
    }),
  ],
  "deliver() tells IDs of signals, of updates and of runs apart": [
    "compares signals and updates",
    (well) => ({
      deliver: delivering(well, (history) => messageIds(history).flatMap((id) => [id, id.replace("signal", "update")])),
    }),
  ],
  "deliver() adds an event once that is repeated in one call": [
    "compares with what was stored before only",
    (well) => ({
      async deliver(delivery: Bad) {
        const answers = await Promise.all(
          delivery.events.map((event: DeliveredEvent, i: number) =>
            i > 0 && delivery.events.indexOf(event) === i
              ? well.deliver({ ...delivery, events: [event] })
              : well.append({ workflowId: "a", runId: "1", expectedLength: i + 1, events: [event] })
          ),
        );
        return { ...answers.at(-1), added: answers.map(() => true) };
      },
    }),
  ],
  "deliver() forgets the messages of a run that is replaced, continued, saved or deleted": [
    "remembers the messages of a workflow for ever",
    (well) => {
      const known = new Map<string, string[]>();
      return {
        deliver: delivering(well, (history, id) => {
          if (!known.has(id)) known.set(id, []);
          known.get(id)!.push(...messageIds(history));
          return known.get(id)!;
        }),
      };
    },
  ],
  "deliver() changes nothing if every event was added before, also if the run has finished": [
    "looks at the status first",
    (well) => ({
      async deliver(delivery: Bad) {
        if ((await well.load(delivery.workflowId))?.status === "running") return await well.deliver(delivery);
        throw new WorkflowError("not_found", "it is finished");
      },
    }),
  ],
  "deliver() reports the length of the history to listeners": [
    "reports a delivery as a saved state",
    (well) => ({
      subscribe: (listener: StoreListener) => well.subscribe((id) => listener(id, null)),
    }),
  ],
  "deliver() rejects with not_found if there is no such workflow, or it is finished": [
    "drops what nobody gets",
    (well) => ({
      deliver: (delivery: Bad) => well.deliver(delivery).catch(() => ({ runId: "", historyLength: 0, added: [false] })),
    }),
  ],
  "deliver() rejects with not_found if it is a run of another chain": [
    "ignores the chain",
    (well) => ({ deliver: (delivery: Bad) => well.deliver({ ...delivery, firstRunId: undefined }) }),
  ],
  "deliver() beside other writers adds each event once, and loses none": [
    "delivers in two steps",
    (well) => ({
      async deliver(delivery: Bad) {
        const { runId, history } = (await well.load(delivery.workflowId))!;
        const known = new Set(messageIds(history));
        const added = delivery.events.map((event: DeliveredEvent) => !known.has(messageIds([event])[0]));
        const events = delivery.events.filter((_: unknown, i: number) => added[i]);
        for (;;) {
          const { length } = (await well.load(delivery.workflowId))!.history;
          const batch = { workflowId: delivery.workflowId, runId, expectedLength: length, events };
          if (await well.append(batch).then(() => true, () => false)) return { runId, historyLength: length, added };
        }
      },
    }),
  ],
  "deliver() sees the messages that another instance has stored": [
    "knows the messages of its own calls",
    (well) => {
      const known: string[] = [];
      const deliver = delivering(well, () => known);
      return {
        async deliver(delivery: Bad) {
          const receipt = await deliver(delivery);
          known.push(...messageIds(delivery.events));
          return receipt;
        },
      };
    },
  ],
  "deliver() copies the events at the call, and any value that can be cloned": [
    "reads its argument late",
    (well) => ({
      async deliver(delivery: Bad) {
        await undefined;
        return await well.deliver(delivery);
      },
    }),
  ],
  "deliver() rejects a malformed delivery with a TypeError, and changes nothing": [
    "takes an empty delivery",
    (well) => ({
      deliver: (delivery: Bad) =>
        delivery?.events?.length === 0 ? Promise.resolve({ added: [] }) : well.deliver(delivery),
    }),
  ],

  "claim() takes running runs that nobody owns, in the order of creation": [
    "takes the last ones first",
    (well) => ({ claim: async (options: Bad) => (await well.claim(options)).reverse() }),
  ],
  "claim() returns heads": [
    "returns states",
    (well) => ({
      claim: async (options: Bad) => (await well.claim(options)).map((run) => ({ ...run, history: [] })),
    }),
  ],
  "claim() gives each run to one of several owners": [
    "gives the runs of a moment to everybody who asks then",
    (well) => {
      let answer: Promise<unknown> | undefined;
      return {
        claim: (options: Bad) =>
          answer ??= well.claim(options).finally(() => {
            answer = undefined;
          }),
      };
    },
  ],
  "claim() takes no run of a living owner, also not of itself": [
    "gives an owner its runs again",
    (well) => {
      const { claim, owners } = noting(well);
      return {
        async claim(options: Bad) {
          const own = [...owners].filter(([, owner]) => owner === options.owner).map(([id]) => id);
          await well.release(options.owner, own);
          return await claim(options);
        },
      };
    },
  ],
  "claim() takes the runs of an owner whose lease is over": [
    "never ends a lease",
    (well) => ({ claim: (options: Bad) => well.claim({ ...options, leaseMs: LONG_MS }) }),
  ],
  "claim() takes the runs of an owner whose lease never began": [
    "begins a lease for everybody who writes",
    (well) => ({
      async append(batch: AppendBatch) {
        await well.append(batch);
        if (batch.owner) await well.claim({ owner: batch.owner, leaseMs: LONG_MS, limit: 0 });
      },
    }),
  ],
  "claim() takes no run of an owner whose lease began after the owner had created the run": [
    "gives a run to an owner only if its lease has begun",
    (well) => ({
      async append(batch: Bad) {
        const lives = await well.renew(batch.owner ?? "", LONG_MS).then(() => true, () => false);
        await well.append(lives ? batch : { ...batch, owner: undefined });
      },
    }),
  ],
  "claim() increments the fence of a run each time": [
    "has one fence",
    (well) => ({ claim: async (options: Bad) => (await well.claim(options)).map((run) => ({ ...run, fence: 1 })) }),
  ],
  "claim() takes at most as many runs as the limit, the first ones": [
    "takes one more than the limit",
    (well) => ({ claim: (options: Bad) => well.claim({ ...options, limit: options.limit + 1 }) }),
  ],
  "claim() with a limit of 0 begins the lease only": [
    "does nothing with a limit of 0",
    (well) => ({ claim: (options: Bad) => options.limit === 0 ? Promise.resolve([]) : well.claim(options) }),
  ],
  "claim() takes runs of the named workflows": [
    "takes every run if there is no name",
    (well) => ({
      claim: (options: Bad) => well.claim({ ...options, names: options.names?.length ? options.names : undefined }),
    }),
  ],
  "claim() takes runs that are due: whose wakeAt is not later than dueBefore": [
    "takes runs that are due earlier than dueBefore only",
    (well) => ({
      claim: (options: Bad) =>
        well.claim(options.dueBefore === undefined ? options : { ...options, dueBefore: options.dueBefore - 0.1 }),
    }),
  ],
  "claim() begins a lease, and does not extend one": [
    "extends the lease by each claim",
    (well) => ({
      async claim(options: Bad) {
        const runs = await well.claim(options);
        await well.renew(options.owner, options.leaseMs);
        return runs;
      },
    }),
  ],
  "claim() makes the end of a lease final, also if there is no run to take": [
    "extends a lease that has ended",
    (well) => ({
      renew: (owner: Bad, leaseMs: Bad) =>
        well.renew(owner, leaseMs).catch(() => well.claim({ owner, leaseMs, limit: 0 })),
    }),
  ],
  "claim() is not reported to listeners": [
    "reports claims",
    (well) => {
      const listeners: StoreListener[] = [];
      return {
        subscribe(listener: StoreListener) {
          listeners.push(listener);
          return well.subscribe(listener);
        },
        async claim(options: Bad) {
          const runs = await well.claim(options);
          for (const { workflowId, historyLength } of runs) for (const one of listeners) one(workflowId, historyLength);
          return runs;
        },
      };
    },
  ],
  "claim() rejects malformed options, and begins no lease": [
    "begins the lease before it checks the rest",
    (well) => ({
      async claim(options: Bad) {
        if (options?.owner === "x") await well.claim({ owner: "x", leaseMs: LONG_MS, limit: 0 });
        return await well.claim(options);
      },
    }),
  ],
  "renew() extends a lease, also one whose time is over, until somebody else has claimed": [
    "does not extend a lease whose time is over",
    (well) => {
      const ends = new Map<string, number>();
      return {
        claim(options: Bad) {
          ends.set(options.owner, Date.now() + options.leaseMs);
          return well.claim(options);
        },
        renew: (owner: Bad, leaseMs: Bad) => ends.get(owner)! < Date.now() ? lost() : well.renew(owner, leaseMs),
      };
    },
  ],
  "renew() rejects with lease_lost if the lease never began, or was released": [
    "begins a lease by renew()",
    (well) => ({
      async renew(owner: Bad, leaseMs: Bad) {
        await well.claim({ owner, leaseMs, limit: 0 });
        await well.renew(owner, leaseMs);
      },
    }),
  ],
  "renew() and release() reject arguments that are not of their type, or out of range": [
    "takes a lease of 0 ms",
    (well) => ({ renew: (owner: Bad, leaseMs: Bad) => well.renew(owner, leaseMs === 0 ? 1 : leaseMs) }),
  ],
  "release() gives the named runs back": [
    "gives all runs back",
    (well) => ({ release: (owner: Bad) => well.release(owner) }),
  ],
  "release() without IDs gives all runs back, and ends the lease": [
    "keeps the lease",
    (well) => ({
      release: async (owner: Bad) => well.release(owner, (await well.list()).map((one) => one.workflowId)),
    }),
  ],
  "release() does nothing to a run that belongs to somebody else": [
    "releases every run",
    (well) => {
      const { claim, owners } = noting(well);
      return {
        claim,
        async release(owner: Bad, ids: Bad) {
          await well.release(owner, ids);
          for (const id of ids ?? []) if (owners.has(id)) await well.release(owners.get(id)!, [id]);
        },
      };
    },
  ],
  "append() rejects with lease_lost if the run belongs to somebody else, whatever its length is": [
    "compares the length first",
    (well) => ({
      async append(batch: Bad) {
        const length = (await well.load(batch.workflowId))?.history.length ?? 0;
        await well.append(length === batch.expectedLength ? batch : { ...batch, owner: undefined });
      },
    }),
  ],
  "append() rejects with lease_lost if the run belongs to nobody": [
    "lets everybody write if nobody owns the run",
    (well) => ({
      append: (batch: Bad) =>
        well.append(batch).catch((error) => {
          if (!error.message.includes("its lease has ended")) throw error;
          return well.append({ ...batch, owner: undefined });
        }),
    }),
  ],
  "append() of an owner to a run that is finished, is another one or does not exist is a conflict": [
    "takes every conflict of an owner for a lost lease",
    (well) => ({
      append: (batch: Bad) =>
        well.append(batch).catch((error) => {
          if (batch.owner === undefined) throw error;
          return lost();
        }),
    }),
  ],
  "append() of an owner whose lease is over is accepted until somebody else has claimed the run": [
    "refuses an owner whose lease is over",
    (well) => ({
      async append(batch: Bad) {
        if (batch.owner && batch.expectedLength > 0) await well.renew(batch.owner, LONG_MS);
        await well.append(batch);
      },
    }),
  ],
  "append() without an owner is accepted whoever owns the run, and the owner keeps it": [
    "refuses who has no lease",
    (well) => ({ append: (batch: Bad) => batch.expectedLength > 0 && !batch.owner ? lost() : well.append(batch) }),
  ],
  "append() gives a new run to the owner, and to nobody without one": [
    "gives a run to the owner of the run that it replaces",
    (well) => {
      let last: string | undefined;
      return {
        append: (batch: Bad) => well.append({ ...batch, owner: batch.owner ?? last }).then(() => last = batch.owner),
      };
    },
  ],
  "append() gives the next run of a chain to the owner of the run that it continues": [
    "gives the next run of a chain to nobody",
    (well) => {
      const { claim, owners } = noting(well);
      return {
        claim,
        async append(batch: Bad) {
          await well.append(batch);
          if (batch.replaces && owners.has("a")) await well.release(owners.get("a")!, ["a"]);
        },
      };
    },
  ],
  "save() gives the run to nobody, and makes it due at once": [
    "keeps the owner of a saved run",
    (well) => {
      const { claim, owners } = noting(well);
      return {
        claim,
        async save(state: Bad) {
          await well.save(state);
          await well.claim({ owner: owners.get("a")!, leaseMs: LONG_MS, limit: 1 });
        },
      };
    },
  ],
  "append() says with wakeAt when the run is due, each time anew": [
    "keeps the wakeAt of the first event",
    (well) => ({ append: (batch: Bad) => well.append(batch.expectedLength > 1 ? { ...batch, wakeAt: null } : batch) }),
  ],
  "append() of somebody who does not say when makes the run due at once": [
    "keeps the last wakeAt",
    (well) => {
      let last: unknown;
      return { append: (batch: Bad) => well.append({ ...batch, wakeAt: last = batch.wakeAt ?? last ?? null }) };
    },
  ],
  "append() says with wakeAt when a new run is due, and the next run of a chain": [
    "ignores wakeAt of a first event",
    (well) => ({
      append: (batch: Bad) =>
        well.append(batch.events[0]?.type === "workflow_started" ? { ...batch, wakeAt: undefined } : batch),
    }),
  ],
  "append() rejects an owner or a wakeAt that is not of its type with a TypeError": [
    "takes an empty owner for none",
    (well) => ({ append: (batch: Bad) => well.append({ ...batch, owner: batch.owner || undefined }) }),
  ],
  "deliver() makes the run due at once, and its owner keeps it": [
    "leaves a run as due as it was",
    (well) => ({ deliver: delivering(well, messageIds, { wakeAt: null }) }),
  ],
};

const members: readonly StoreMember[] = ["heads", "count", "loadSince", "deliver", "claim"];
const caseOf = (wanted: string) =>
  storeCases({ members }).find(({ name }) => name === wanted) ?? fail(`No case is called: ${wanted}`);

for (const [caught, [what, change]] of Object.entries(broken)) {
  Deno.test(`storeCases() catches a store whose ${caught.split("()")[0]}() ${what}`, async () => {
    const connect = (store: WorkflowStore) => brokenStore(change, (store as Bad).inner);
    const { run } = storeCases({ members, connect }).find(({ name }) => name === caught) ?? caseOf(caught);
    const { message } = await assertRejects(() => run(() => brokenStore(change)), Error);
    assert(!message.includes("did not end"), message);
    assert(!/is not a function|Cannot read prop/.test(message), message); // the broken store itself
  });
}

Deno.test("storeCases() has a broken store for each case of an optional member", () => {
  const known = new Set(storeCases().map(({ name }) => name));
  const names = storeCases({ members }).map(({ name }) => name).filter((name) => !known.has(name));
  assertEquals(names.filter((name) => !(name in broken)), []);
});

for (const member of members) {
  Deno.test(`storeCases() says what to leave out when a store has no ${member}()`, async () => {
    const known = new Set(storeCases().map(({ name }) => name));
    const { run } = storeCases({ members: [member] }).find(({ name }) => !known.has(name))!;
    const message = `The store has no ${member}(): leave "${member}" out of the option "members"`;
    await assertRejects(() => run(() => brokenStore(() => ({ [member]: undefined }))), Error, message);
  });
}
