/**
 * What holds of a store that outlives its process.
 *
 * @module
 */

import { assertEquals } from "../assert.ts";
import {
  batch,
  type CaseBody,
  completed,
  fired,
  holding,
  idsOf,
  rejectsWithConflict,
  signal,
  whole,
} from "./fixtures.ts";

/** What holds of stores that can be opened again. */
export const reopenCases: CaseBody[] = [
  {
    name: "a store that is opened again holds the same, in the same order",
    async run(makeStore, reopen) {
      const store = await holding(await makeStore(), "c");
      const input = { date: new Date(5), map: new Map<unknown, unknown>([[1n, new Set([undefined])]]) };
      await store.save(whole({ input }));
      await holding(store, "b", "d");
      await store.delete("d");
      await store.append(batch({ workflowId: "e", events: [...batch().events, signal({ n: NaN }), completed] }));
      const before = await store.list();
      const opened = await reopen(store);
      assertEquals(await opened.list(), before, "what is stored, after and before the store was opened again");
      assertEquals(await opened.load("a"), await store.load("a"));
      assertEquals(await idsOf(opened, { status: "completed", order: "desc" }), ["e", "b", "c"]);
    },
  },
  {
    name: "a store that is opened again goes on with its runs, its places and its createdAt",
    async run(makeStore, reopen) {
      const store = await makeStore();
      for (const workflowId of ["a", "b"]) await store.append(batch({ workflowId }));
      const opened = await reopen(store);
      await rejectsWithConflict(opened, {});
      await opened.append(batch({ expectedLength: 1, events: [fired(2), completed] }));
      await opened.save({ workflowId: "b", status: "failed" });
      await holding(opened, "c");
      const again = await reopen(opened);
      assertEquals(await idsOf(again), ["a", "b", "c"]);
      assertEquals((await again.load("a"))?.history, [...batch().events, fired(2), completed]);
      assertEquals((await again.load("b"))?.createdAt, 1);
    },
  },
];
