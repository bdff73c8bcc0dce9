/**
 * The cost of finding workflows, counted and not timed: the number of lookups of a next workflow.
 *
 * A lookup is a call of `BitSet`. The binary searches for a place or a time make such calls too.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { InMemoryStore, type WorkflowFilter, type WorkflowState } from "@rockpool/workflow";
import { BitSet } from "../../util/bit_set.ts";

const idsIn = (states: readonly WorkflowState[]) => states.map(({ workflowId }) => workflowId).join(" ");
const idsOf = async (store: InMemoryStore, filter: WorkflowFilter) => idsIn(await store.list(filter));

/** The number of lookups during `run`. */
async function lookupsDuring(run: () => Promise<unknown>): Promise<number> {
  const { next, previous } = BitSet.prototype;
  let lookups = 0;
  BitSet.prototype.next = function (from) {
    lookups++;
    return next.call(this, from);
  };
  BitSet.prototype.previous = function (from) {
    lookups++;
    return previous.call(this, from);
  };
  try {
    await run();
  } finally {
    Object.assign(BitSet.prototype, { next, previous });
  }
  return lookups;
}

/** 100,000 workflows, one per millisecond. Every 25,000th failed. */
async function large(): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  for (let i = 0; i < 100_000; i++) {
    await store.save({ workflowId: `w${i}`, status: i % 25_000 === 24_999 ? "failed" : "running", createdAt: i });
  }
  return store;
}

/** The number of lookups of a binary search among 100,000 workflows, and a few more. */
const SEARCH = 20;

Deno.test("InMemoryStore finds a few of 100,000 workflows with few lookups", async () => {
  const store = await large();
  const { cursor } = await store.page({ limit: 50_000 });
  const { cursor: downwards } = await store.page({ limit: 50_001, order: "desc" });
  const searches: [
    what: string,
    most: number,
    ids: string,
    filter: WorkflowFilter & { cursor?: string | undefined },
  ][] = [
    ["the first", 2, "w0", { limit: 1 }],
    ["the last", 2, "w99999 w99998", { limit: 2, order: "desc" }],
    ["a rare status", 5, "w24999 w49999 w74999 w99999", { status: "failed" }],
    ["the last of a rare status", 1, "w99999", { status: "failed", limit: 1, order: "desc" }],
    ["two rare statuses", 10, "w24999 w49999 w74999 w99999", { status: ["failed", "canceled"] }],
    ["a period", 2 * SEARCH + 3, "w70001 w70002", { createdAfter: 70_000, createdBefore: 70_003 }],
    ["a period, backwards", 2 * SEARCH + 3, "w70002 w70001", {
      createdAfter: 70_000,
      createdBefore: 70_003,
      order: "desc",
    }],
    ["a rare status since", SEARCH + 3, "w74999 w99999", { createdAfter: 50_000, status: "failed" }],
    ["a page in the middle", SEARCH + 4, "w50000 w50001 w50002", { limit: 3, cursor }],
    ["a page in the middle, backwards", SEARCH + 4, "w49998 w49997", { limit: 2, cursor: downwards, order: "desc" }],
    ["a page of a rare status", SEARCH + 3, "w74999 w99999", { limit: 2, cursor, status: "failed" }],
  ];
  for (const [what, most, ids, filter] of searches) {
    let found: WorkflowState[] = [];
    const lookups = await lookupsDuring(async () => {
      found = filter.cursor ? (await store.page(filter)).states : await store.list(filter);
    });
    assertEquals(idsIn(found), ids, what);
    assert(lookups > 0, "lookups are counted");
    assertLess(lookups, most + 1, what);
  }
  const counted = await lookupsDuring(async () => {
    assertEquals(await store.count({ status: ["failed", "running"] }), 100_000);
    assertEquals(await store.count(), 100_000);
  });
  assertEquals(counted, 0);
  const walked = await lookupsDuring(async () => {
    for await (const state of store.walk({ createdAfter: 60_000, limit: 10 })) assert(state.createdAt > 60_000);
  });
  assertLess(walked, 10 * (2 * SEARCH + 1));
});

Deno.test("InMemoryStore finds workflows with few lookups when the head, the tail or the middle was deleted", async () => {
  const store = await large();
  for (let i = 0; i < 15_000; i++) {
    for (const id of [i, 99_999 - i, 50_000 + i]) await store.delete(`w${id}`);
  }
  const first = await lookupsDuring(async () => {
    assertEquals((await store.list({ limit: 10 }))[9].workflowId, "w15009");
  });
  const last = await lookupsDuring(async () => {
    assertEquals((await store.list({ limit: 10, order: "desc" }))[9].workflowId, "w84990");
  });
  const since = await lookupsDuring(async () => {
    assertEquals((await store.list({ limit: 10, createdAfter: 49_998 }))[1].workflowId, "w65000");
  });
  const failed = await lookupsDuring(async () =>
    assertEquals(await idsOf(store, { status: "failed" }), "w24999 w49999 w74999")
  );
  assertLess(Math.max(first, last), 12);
  assertLess(since, SEARCH + 12);
  assertLess(failed, 5);
});

Deno.test("InMemoryStore finds periods with few lookups again once the workflows out of order are deleted", async () => {
  const store = new InMemoryStore();
  const save = (i: number, createdAt: number) => store.save({ workflowId: `w${i}`, status: "running", createdAt });
  const period = { createdAfter: 9_000, createdBefore: 9_002 };
  for (let i = 0; i < 1000; i++) await save(i, -i);
  for (let i = 1000; i < 10_000; i++) await save(i, i);
  assertLess(9_000, await lookupsDuring(async () => assertEquals(await idsOf(store, period), "w9001")));
  for (let i = 0; i < 5500; i++) await store.delete(`w${i}`); // enough to close the gaps
  assertLess(await lookupsDuring(async () => assertEquals(await idsOf(store, period), "w9001")), 2 * SEARCH + 2);
});

Deno.test("InMemoryStore skips 1,000 workflows of one time when the filter wants earlier or later ones", async () => {
  const store = new InMemoryStore();
  const save = (workflowId: string, createdAt: number) => store.save({ workflowId, status: "running", createdAt });
  await save("before", 0);
  for (let i = 0; i < 1000; i++) await save(`w${i}`, 5);
  await save("after", 6);
  for (const [filter, id] of [[{ createdAfter: 5 }, "after"], [{ createdBefore: 5 }, "before"]] as const) {
    const lookups = await lookupsDuring(async () => assertEquals(await idsOf(store, filter), id));
    assertLess(lookups, SEARCH + 2, id);
  }
});
