/**
 * The contract of a store that outlives its process.
 *
 * @module
 */

import { assertEquals } from "../assert.ts";
import {
  batch,
  type CaseBody,
  completed,
  fired,
  fullState,
  idsOf,
  rejectsWithConflict,
  saveIds,
  signal,
} from "./fixtures.ts";

/** The contract of stores that can be opened again. */
export const reopenCases = (): CaseBody[] => [
  {
    name: "a store that is opened again holds the same, in the same order",
    async run(makeStore, reopen) {
      const store = await saveIds(await makeStore(), "c");
      const input = { date: new Date(5), map: new Map<unknown, unknown>([[1n, new Set([undefined])]]) };
      await store.save(fullState({ input }));
      await saveIds(store, "b", "d");
      await store.delete("d");
      await store.append(batch({ workflowId: "e", events: [...batch().events, signal({ n: NaN }), completed] }));
      const before = await store.list();
      const opened = await reopen(store);
      assertEquals(await opened.list(), before, "the stored states after and before the store was opened again");
      assertEquals(await opened.load("a"), await store.load("a"));
      assertEquals(await idsOf(opened, { status: "completed", order: "desc" }), ["e", "b", "c"]);
    },
  },
  {
    name: "a store that is opened again keeps its runs, the order of creation and createdAt",
    async run(makeStore, reopen) {
      const store = await makeStore();
      for (const workflowId of ["a", "b"]) await store.append(batch({ workflowId }));
      const opened = await reopen(store);
      await rejectsWithConflict(opened, {});
      await opened.append(batch({ expectedLength: 1, events: [fired(2), completed] }));
      await opened.save({ workflowId: "b", status: "failed" });
      await saveIds(opened, "c");
      const again = await reopen(opened);
      assertEquals(await idsOf(again), ["a", "b", "c"]);
      assertEquals((await again.load("a"))?.history, [...batch().events, fired(2), completed]);
      assertEquals((await again.load("b"))?.createdAt, 1);
    },
  },
];
