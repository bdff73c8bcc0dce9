/**
 * The contract of the optional `claim()`, `renew()` and `release()`, and of what `append()` does with `owner` and `wakeAt`.
 *
 * A lease of 1 ms is over soon. A case waits until another owner can claim its run, and for no fixed time.
 *
 * @module
 */

import type { AppendBatch, ClaimOptions, WorkflowEvent } from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  canceled,
  type CaseBody,
  completed,
  failed,
  fired,
  fullState,
  rejectsWithConflict,
  saveIds,
  started,
} from "./fixtures.ts";
import { eventually, type FullStore, memberCase, pass, rejectsWith, sent, startedWith } from "./members.ts";
import { listenTo } from "./subscribe_cases.ts";

const LONG_MS = 600_000;

const claimed = (store: FullStore, owner: string, part: Partial<ClaimOptions> = {}) =>
  store.claim({ owner, leaseMs: LONG_MS, limit: 100, ...part });

/** Claims, and returns the IDs of the runs. */
const claim = async (store: FullStore, owner: string, part?: Partial<ClaimOptions>) =>
  (await claimed(store, owner, part)).map(({ workflowId }) => workflowId);

/** Begins a lease, without runs. */
const begin = (store: FullStore, owner: string, leaseMs = LONG_MS) => claimed(store, owner, { leaseMs, limit: 0 });

/** Starts runs of workflows with these IDs, with changes. */
async function start(store: FullStore, ids: readonly string[], part: Partial<AppendBatch> = {}): Promise<FullStore> {
  for (const workflowId of ids) await store.append(batch({ workflowId, ...part }));
  return store;
}

/** Waits until an owner has claimed these runs of owners that have died. */
async function takeOver(store: FullStore, owner: string, ...ids: string[]): Promise<void> {
  const taken: string[] = [];
  await eventually(
    `${showValue(owner)} can claim the runs ${showValue(ids)} of an owner whose lease is over`,
    async () => {
      taken.push(...await claim(store, owner));
      return taken.length >= ids.length;
    },
  );
  assertEquals(taken, ids, `the runs that ${showValue(owner)} got`);
}

/** Checks that a batch is refused because the run belongs to somebody else, and that nothing has changed. */
async function rejectsWithLeaseLost(store: FullStore, part: Partial<AppendBatch>): Promise<void> {
  const before = await store.load("a");
  const call = `append(${showValue(batch(part))})`;
  await rejectsWith("lease_lost", () => store.append(batch(part)), call);
  assertEquals(await store.load("a"), before, `the state after ${call} and before it`);
}

const leaseCase = (name: string, run: Parameters<typeof memberCase>[2]): CaseBody => memberCase("claim", name, run);

/** The contract of `claim()`. */
const claimCases = (): CaseBody[] => [
  leaseCase("claim() takes running runs that nobody owns, in the order of creation", async (make) => {
    const store = await start(await make(), ["c", "a", "b"]);
    await saveIds(store, "finished");
    await store.save({ workflowId: "saved", status: "running" });
    await start(store, ["failed"], { events: [started, failed] });
    assertEquals(await claim(store, "x"), ["c", "a", "b", "saved"], "the claimed runs");
  }),
  leaseCase("claim() returns heads", async (make) => {
    const store = await make();
    const parent = { workflowId: "p", runId: "0", seq: 3, closePolicy: "cancel" } as const;
    await start(store, ["a"], { events: [startedWith({ parent, labels: { customer: "7" } }), fired(2)] });
    assertEquals<unknown>(await claimed(store, "x"), [{
      workflowId: "a",
      runId: "1",
      firstRunId: "1",
      parent,
      workflowName: "w",
      status: "running",
      input: "in",
      labels: { customer: "7" },
      createdAt: 1,
      updatedAt: 2,
      historyLength: 2,
      fence: 1,
    }]);
  }),
  leaseCase("claim() gives each run to one of several owners", async (make, connect) => {
    const store = await make();
    const other = await connect(store);
    const ids = Array.from({ length: 30 }, (_, i) => `${i}`);
    await start(store, ids);
    const claims = Array.from({ length: 20 }, (_, i) => claim(i % 2 ? store : other, `${i}`, { limit: 2 }));
    const taken = (await Promise.all(claims)).flat();
    assertEquals(taken.length, new Set(taken).size, "the number of claims and of different runs");
    assertEquals(taken.toSorted(), ids.toSorted(), "the runs that were claimed by 20 owners");
  }),
  leaseCase("claim() takes no run of a living owner, also not of itself", async (make, connect) => {
    const store = await start(await make(), ["a"]);
    const other = await connect(store);
    assertEquals(await claim(store, "x"), ["a"], "the runs of the first owner");
    for (const [owner, by] of [["y", store], ["y", other], ["x", store]] as const) {
      assertEquals(await claim(by, owner), [], `the runs of a later claim of ${owner}`);
    }
  }),
  leaseCase("claim() takes the runs of an owner whose lease is over", async (make, connect) => {
    const store = await start(await make(), ["a", "b"]);
    await claim(store, "x", { leaseMs: 1 });
    await takeOver(await connect(store), "y", "a", "b");
    assertEquals(await claim(store, "z"), [], "the runs that a third owner gets");
  }),
  leaseCase("claim() takes the runs of an owner whose lease never began", async (make) => {
    const store = await start(await make(), ["a"], { owner: "x" });
    assertEquals(await claim(store, "y"), ["a"]);
  }),
  leaseCase("claim() takes no run of an owner whose lease began after the owner had created the run", async (make) => {
    const store = await start(await make(), ["a"], { owner: "x" });
    await begin(store, "x");
    assertEquals(await claim(store, "y"), [], "the runs that another owner gets");
    await store.append(batch({ expectedLength: 1, events: [fired(2)], owner: "x" }));
  }),
  leaseCase("claim() increments the fence of a run each time", async (make) => {
    const store = await start(await make(), ["a"]);
    const fences = async (owner: string) => (await claimed(store, owner)).map(({ fence }) => fence);
    const seen: number[][] = [];
    for (const owner of ["x", "y"]) {
      seen.push(await fences(owner));
      await store.release(owner);
    }
    seen.push(await fences("z"));
    const next = { runId: "2", expectedLength: 1, events: [startedWith({ firstRunId: "1" })], replaces: "1" };
    await store.append(batch(next));
    await store.release("z");
    seen.push(await fences("v"));
    assertEquals(seen, [[1], [2], [3], [4]], "the fences, the last one of the next run of the chain");
  }),
  leaseCase("claim() takes at most as many runs as the limit, the first ones", async (make) => {
    const store = await start(await make(), ["c", "a", "b", "d"]);
    assertEquals(await claim(store, "x", { limit: 1 }), ["c"], "the first claim");
    assertEquals(await claim(store, "x", { limit: 2 }), ["a", "b"], "the second claim");
    assertEquals(await claim(store, "y", { limit: 2 }), ["d"], "the claim of another owner");
  }),
  leaseCase("claim() with a limit of 0 begins the lease only", async (make) => {
    const store = await start(await make(), ["a"]);
    assertEquals(await begin(store, "x"), [], "the claimed runs");
    await store.renew("x", LONG_MS);
    assertEquals(await claim(store, "y"), ["a"], "the runs that another owner gets");
  }),
  leaseCase("claim() takes runs of the named workflows", async (make) => {
    const store = await make();
    for (const name of ["v", "w", "", "\0w"]) {
      await start(store, [`of ${name}`], { events: [startedWith({ workflowName: name })] });
    }
    assertEquals(await claim(store, "x", { names: [] }), [], "with no name");
    assertEquals(await claim(store, "x", { names: ["other"] }), [], "with another name");
    assertEquals(await claim(store, "x", { names: ["\0w", "v"] }), ["of v", "of \0w"], "with two names");
    assertEquals(await claim(store, "x", { names: undefined }), ["of w", "of "], "without names");
  }),
  leaseCase("claim() takes runs that are due: whose wakeAt is not later than dueBefore", async (make) => {
    const store = await make();
    const times = [["at once", undefined], ["never", null], ["5", 5], ["-5", -5], ["1e12", 1e12]] as const;
    for (const [id, wakeAt] of times) await start(store, [id], { wakeAt });
    assertEquals(await claim(store, "x", { dueBefore: -6 }), ["at once"], "due at -6");
    assertEquals(await claim(store, "x", { dueBefore: 4.5 }), ["-5"], "due at 4.5");
    assertEquals(await claim(store, "x", { dueBefore: 5 }), ["5"], "due at 5");
    assertEquals(await claim(store, "x", { dueBefore: 6 }), [], "due at 6");
    assertEquals(await claim(store, "x"), ["never", "1e12"], "without dueBefore");
  }),
  leaseCase("claim() begins a lease, and does not extend one", async (make) => {
    const store = await start(await make(), ["a"]);
    assertEquals(await claim(store, "x", { leaseMs: 1 }), ["a"], "the runs of the first owner");
    assertEquals(await claim(store, "x"), [], "the runs of its second claim");
    await takeOver(store, "y", "a");
  }),
  leaseCase("claim() makes the end of a lease final, also if there is no run to take", async (make) => {
    const store = await make();
    await begin(store, "x", 1);
    await begin(store, "y", 1);
    await start(store, ["a"], { owner: "y" });
    await takeOver(store, "z", "a"); // so the time of x is over, too
    await rejectsWith("lease_lost", () => store.renew("x", LONG_MS), 'renew("x")');
  }),
  leaseCase("claim() is not reported to listeners", async (make) => {
    const store = await start(await make(), ["a", "b"]);
    if (store.subscribe === undefined) return;
    const { until, end } = listenTo(store);
    await claim(store, "x");
    await store.renew("x", LONG_MS);
    await store.release("x", ["a"]);
    await store.release("x");
    await store.delete("b");
    assertEquals((await until(1))[0], ["b", null], "the first change that was reported");
    end();
  }),
  leaseCase("claim() rejects malformed options, and begins no lease", async (make) => {
    const store = await start(await make(), ["a"]);
    const bad: [part: Anything, Class: typeof TypeError | typeof RangeError][] = [
      [null, TypeError],
      [{ owner: "" }, TypeError],
      [{ owner: 1 }, TypeError],
      [{ leaseMs: 0 }, RangeError],
      [{ leaseMs: NaN }, RangeError],
      [{ leaseMs: Infinity }, RangeError],
      [{ leaseMs: "1" }, RangeError],
      [{ leaseMs: undefined }, RangeError],
      [{ limit: -1 }, RangeError],
      [{ limit: 0.5 }, RangeError],
      [{ limit: undefined }, RangeError],
      [{ names: "w" }, TypeError],
      [{ names: ["w", 1] }, TypeError],
      [{ names: null }, TypeError],
      [{ dueBefore: NaN }, RangeError],
      [{ dueBefore: Infinity }, RangeError],
      [{ dueBefore: null }, RangeError],
      [{ dueBefor: 1 }, TypeError],
    ];
    for (const [part, Class] of bad) {
      const options = part && { owner: "x", leaseMs: 1, limit: 1, ...part };
      await assertRejects(() => store.claim(options), Class, `claim(${showValue(options)})`);
    }
    await rejectsWith("lease_lost", () => store.renew("x", LONG_MS), "renew() of an owner whose claims were refused");
    assertEquals(await claim(store, "y"), ["a"], "the runs that another owner gets");
  }),
];

/** The contract of `renew()`. */
const renewCases = (): CaseBody[] => [
  leaseCase(
    "renew() extends a lease, also one whose time is over, until somebody else has claimed",
    async (make, connect) => {
      const store = await start(await make(), ["a", "b"]);
      await claim(store, "x", { limit: 1, leaseMs: 1 });
      await claim(store, "y", { limit: 0, leaseMs: 1 });
      await start(store, ["c"], { owner: "y" });
      await pass(5); // nobody can see that the time of a lease is over without ending it
      await store.renew("x", LONG_MS);
      await takeOver(await connect(store), "z", "b", "c"); // so the first lease of x would be over, too
      await store.append(batch({ expectedLength: 1, events: [fired(2)], owner: "x" }));
    },
  ),
  leaseCase("renew() rejects with lease_lost if the lease never began, or was released", async (make) => {
    const store = await make();
    const lost = (what: string) => rejectsWith("lease_lost", () => store.renew("x", LONG_MS), `renew() ${what}`);
    await lost("before the lease began");
    await begin(store, "x");
    await store.renew("x", LONG_MS);
    await store.release("x");
    await lost("after release()");
    await begin(store, "x");
    await store.renew("x", LONG_MS);
  }),
  leaseCase("renew() and release() reject arguments that are not of their type, or out of range", async (make) => {
    const store = await make();
    await begin(store, "x");
    const bad: [call: "renew" | "release", args: Anything[], Class: typeof TypeError | typeof RangeError][] = [
      ["renew", ["", 1], TypeError],
      ["renew", [1, 1], TypeError],
      ["renew", ["x", 0], RangeError],
      ["renew", ["x", NaN], RangeError],
      ["renew", ["x"], RangeError],
      ["release", [""], TypeError],
      ["release", [1], TypeError],
      ["release", ["x", "a"], TypeError],
      ["release", ["x", [1]], TypeError],
      ["release", ["x", null], TypeError],
    ];
    for (const [method, args, Class] of bad) {
      const call = `${method}(${args.map((one) => showValue(one)).join(", ")})`;
      await assertRejects(() => (store[method] as Anything)(...args), Class, call);
    }
    await store.renew("x", LONG_MS);
  }),
];

/** The contract of `release()`. */
const releaseCases = (): CaseBody[] => [
  leaseCase("release() gives the named runs back", async (make) => {
    const store = await start(await make(), ["a", "b", "c"]);
    await claim(store, "x");
    await store.release("x", ["c", "a", "unknown", ""]);
    await rejectsWithLeaseLost(store, { expectedLength: 1, events: [fired(2)], owner: "x" });
    await store.append(batch({ workflowId: "b", expectedLength: 1, events: [fired(2)], owner: "x" }));
    await store.renew("x", LONG_MS);
    assertEquals(await claim(store, "y"), ["a", "c"], "the runs that another owner gets");
  }),
  leaseCase("release() without IDs gives all runs back, and ends the lease", async (make) => {
    const store = await start(await make(), ["a", "b"]);
    await claim(store, "x");
    await store.release("x");
    await rejectsWithLeaseLost(store, { expectedLength: 1, events: [fired(2)], owner: "x" });
    await rejectsWith("lease_lost", () => store.renew("x", LONG_MS), "renew() after release()");
    assertEquals(await claim(store, "y"), ["a", "b"], "the runs that another owner gets");
  }),
  leaseCase("release() does nothing to a run that belongs to somebody else", async (make) => {
    const store = await start(await make(), ["a", "b"]);
    await claim(store, "x", { limit: 1 });
    await claim(store, "y", { limit: 1 });
    for (const ids of [["a", "b"], undefined]) {
      await store.release("y", ids);
      await store.release("nobody", ids);
      await store.append(batch({ expectedLength: ids ? 1 : 2, events: [fired(2)], owner: "x" }));
    }
    await store.release("x", []);
    assertEquals(await claim(store, "z"), ["b"], "the runs that a third owner gets");
  }),
];

/** What `append()` does with `owner`. */
const ownerCases = (): CaseBody[] => [
  leaseCase(
    "append() rejects with lease_lost if the run belongs to somebody else, whatever its length is",
    async (make, connect) => {
      const store = await start(await make(), ["a"]);
      const other = await connect(store);
      await claim(store, "x", { leaseMs: 1 });
      await store.append(batch({ expectedLength: 1, events: [fired(2)], owner: "x" }));
      await takeOver(other, "y", "a");
      const next = { runId: "2", events: [startedWith({ firstRunId: "1" })], replaces: "1" };
      for (const expectedLength of [1, 2, 7]) {
        const parts: Partial<AppendBatch>[] = [{ events: [fired(3)] }, { events: [fired(3), completed] }, {
          events: [],
        }, next];
        for (const part of parts) {
          await rejectsWithLeaseLost(store, { expectedLength, ...part, owner: "x" });
          await rejectsWithLeaseLost(other, { expectedLength, ...part, owner: "nobody" });
        }
      }
      for (const expectedLength of [1, 3]) {
        await rejectsWithConflict(store, { expectedLength, events: [fired(3)], owner: "y" });
      }
      await store.append(batch({ expectedLength: 2, events: [fired(3)], owner: "y" }));
      await store.append(batch({ ...next, expectedLength: 3, owner: "y" }));
      await store.append(batch({ runId: "2", expectedLength: 1, events: [completed], owner: "y" }));
    },
  ),
  leaseCase("append() rejects with lease_lost if the run belongs to nobody", async (make) => {
    const store = await start(await make(), ["a"]);
    await begin(store, "x");
    for (const events of [[fired(2)], []]) await rejectsWithLeaseLost(store, { expectedLength: 1, events, owner: "x" });
  }),
  leaseCase(
    "append() of an owner to a run that is finished, is another one or does not exist is a conflict",
    async (make) => {
      const store = await make();
      await begin(store, "x");
      await rejectsWithConflict(store, { expectedLength: 1, events: [fired(2)], owner: "x" });
      await start(store, ["a"]);
      await rejectsWithConflict(store, { runId: "2", expectedLength: 1, events: [fired(2)], owner: "x" });
      await rejectsWithConflict(store, { owner: "x" });
      await store.append(batch({ expectedLength: 1, events: [canceled] }));
      await rejectsWithConflict(store, { expectedLength: 2, events: [fired(2)], owner: "x" });
    },
  ),
  leaseCase(
    "append() of an owner whose lease is over is accepted until somebody else has claimed the run",
    async (make) => {
      const store = await start(await make(), ["a"], { owner: "x", wakeAt: null });
      await claim(store, "y", { leaseMs: 1, dueBefore: 0 });
      await start(store, ["b"], { owner: "y" });
      await begin(store, "x", 1);
      await eventually("another owner can claim", async () => (await claim(store, "z", { dueBefore: 0 })).length > 0);
      await store.append(batch({ expectedLength: 1, events: [fired(2)], owner: "x" }));
      await takeOver(store, "v", "a");
      await rejectsWithLeaseLost(store, { expectedLength: 2, events: [fired(3)], owner: "x" });
    },
  ),
  leaseCase("append() without an owner is accepted whoever owns the run, and the owner keeps it", async (make) => {
    const store = await start(await make(), ["a"]);
    await claim(store, "x");
    await store.append(batch({ expectedLength: 1, events: [fired(2)] }));
    await store.append(batch({ expectedLength: 2, events: [] }));
    assertEquals(await claim(store, "y"), [], "the runs that another owner gets");
    await store.append(batch({ expectedLength: 2, events: [completed], owner: "x" }));
  }),
  leaseCase("append() gives a new run to the owner, and to nobody without one", async (make) => {
    const store = await make();
    for (const owner of ["x", "y"]) await begin(store, owner);
    await start(store, ["a"], { owner: "x" });
    await start(store, ["b"], { owner: "x", events: [started, completed] });
    await start(store, ["b"], { owner: "y", runId: "2", replaces: "1" }); // whoever owned the finished one
    await start(store, ["c"], { owner: "x", events: [started, completed] });
    await start(store, ["c"], { runId: "2", replaces: "1" });
    assertEquals(await claim(store, "z"), ["c"], "the runs that belonged to nobody");
    await rejectsWithLeaseLost(store, { expectedLength: 1, events: [fired(2)], owner: "y" });
    await store.append(batch({ expectedLength: 1, events: [fired(2)], owner: "x" }));
    await store.append(batch({ workflowId: "b", runId: "2", expectedLength: 1, events: [fired(2)], owner: "y" }));
  }),
  leaseCase("append() gives the next run of a chain to the owner of the run that it continues", async (make) => {
    const store = await start(await make(), ["a"]);
    await claim(store, "x");
    const next = (n: number): Partial<AppendBatch> => ({
      runId: `${n}`,
      expectedLength: 1,
      events: [startedWith({ firstRunId: "1" })],
      replaces: `${n - 1}`,
    });
    await store.append(batch({ ...next(2), owner: "x" }));
    await store.append(batch(next(3))); // of somebody without a lease
    assertEquals(await claim(store, "y"), [], "the runs that another owner gets");
    await store.append(batch({ runId: "3", expectedLength: 1, events: [fired(2)], owner: "x" }));
  }),
  leaseCase("save() gives the run to nobody, and makes it due at once", async (make) => {
    const store = await start(await make(), ["a"]);
    await claim(store, "x");
    await store.append(batch({ expectedLength: 1, events: [fired(2)], owner: "x", wakeAt: null }));
    await store.save(fullState({ status: "running", history: [started] }));
    await rejectsWithLeaseLost(store, { expectedLength: 1, events: [fired(2)], owner: "x" });
    assertEquals(await claim(store, "y", { dueBefore: 0 }), ["a"], "the runs that another owner gets");
  }),
];

/** What `append()` does with `wakeAt`. */
const wakeAtCases = (): CaseBody[] => [
  leaseCase("append() says with wakeAt when the run is due, each time anew", async (make) => {
    const store = await make();
    const wakeAts = [null, 5, undefined, 7, null];
    const due = async (owner: string) => {
      for (const dueBefore of [0, 5, 7]) if ((await claim(store, owner, { dueBefore })).length > 0) return dueBefore;
      return (await claim(store, owner)).length > 0 ? "never" : "belongs to somebody";
    };
    const seen: unknown[] = [];
    await start(store, ["a"]);
    for (const [i, wakeAt] of wakeAts.entries()) {
      await claim(store, `${i}`);
      await store.append(batch({ expectedLength: i + 1, events: [fired(i)], owner: `${i}`, wakeAt }));
      await store.append(batch({ expectedLength: i + 2, events: [], owner: `${i}` })); // changes nothing
      await store.append(batch({ expectedLength: i + 2, events: [], owner: `${i}`, wakeAt: 0 }));
      await store.release(`${i}`);
      seen.push(await due("look"));
      await store.release("look");
    }
    assertEquals(seen, ["never", 5, 0, 7, "never"], `when the run was due after each of ${showValue(wakeAts)}`);
  }),
  leaseCase("append() of somebody who does not say when makes the run due at once", async (make) => {
    const store = await start(await make(), ["a"], { owner: "x", wakeAt: null });
    assertEquals(await claim(store, "y", { dueBefore: 0 }), [], "what is due before");
    await store.append(batch({ expectedLength: 1, events: [sent("1")] }));
    assertEquals(await claim(store, "y", { dueBefore: 0 }), ["a"], "what is due after");
  }),
  leaseCase("append() says with wakeAt when a new run is due, and the next run of a chain", async (make) => {
    const store = await make();
    const first: WorkflowEvent[] = [startedWith({ firstRunId: "1" })];
    await start(store, ["a", "b", "c"], { wakeAt: 5 });
    await store.append(batch({ runId: "2", expectedLength: 1, events: first, replaces: "1", wakeAt: 9 }));
    await store.append(batch({ workflowId: "b", runId: "2", expectedLength: 1, events: first, replaces: "1" }));
    assertEquals(await claim(store, "x", { dueBefore: 0 }), ["b"], "what is due at 0");
    assertEquals(await claim(store, "x", { dueBefore: 5 }), ["c"], "what is due at 5");
    assertEquals(await claim(store, "x", { dueBefore: 9 }), ["a"], "what is due at 9");
  }),
  leaseCase("append() rejects an owner or a wakeAt that is not of its type with a TypeError", async (make) => {
    const store = await make();
    const bad: Anything[] = [{ owner: "" }, { owner: 1 }, { owner: null }];
    for (const wakeAt of [NaN, Infinity, "1", 1n]) bad.push({ wakeAt });
    for (const part of bad) {
      await assertRejects(() => store.append(batch(part)), TypeError, `append(${showValue(batch(part))})`);
      assertEquals(await store.load("a"), null, "what is stored");
    }
  }),
];

/** What `deliver()` does to leases, for stores that have both. */
export const deliverLeaseCases = (): CaseBody[] => [
  leaseCase("deliver() makes the run due at once, and its owner keeps it", async (make) => {
    const store = await start(await make(), ["a", "b"], { owner: "x", wakeAt: null });
    await claim(store, "y", { dueBefore: 0 });
    await store.deliver({ workflowId: "a", events: [sent("1")] });
    await store.append(batch({ expectedLength: 2, events: [], owner: "x" }));
    assertEquals(await claim(store, "y", { dueBefore: 0 }), ["a"], "the runs that are due and have no living owner");
    await store.append(batch({ expectedLength: 2, events: [fired(3)], owner: "y", wakeAt: null }));
    await store.deliver({ workflowId: "a", events: [sent("1")] }); // a repeated one changes nothing
    await store.release("y");
    assertEquals(await claim(store, "z", { dueBefore: 0 }), [], "what is due after a repeated delivery");
    await begin(store, "z");
    assertEquals(await claim(store, "z", { limit: 1 }), ["a"], "what an owner claims that is not due");
    await store.deliver({ workflowId: "a", events: [sent("2")] });
    assertEquals(await claim(store, "v", { dueBefore: 0 }), [], "the runs of a living owner that got a delivery");
    await store.append(batch({ expectedLength: 4, events: [completed], owner: "z" }));
  }),
];

/** The contract of leases, for stores that have them. */
export const leaseCases = (): CaseBody[] => [
  ...claimCases(),
  ...renewCases(),
  ...releaseCases(),
  ...ownerCases(),
  ...wakeAtCases(),
];
