/**
 * The contract of the optional `heads()` and `count()`.
 *
 * @module
 */

import type { ParentRun, WorkflowFilter, WorkflowHead } from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { type Anything, batch, completed, fired, fullState, relabeled, saveIds, signal, started } from "./fixtures.ts";
import type { CaseBody } from "./fixtures.ts";
import { type FullStore, memberCase, startedWith } from "./members.ts";

const parent: ParentRun = { workflowId: "p", runId: "0", seq: 3, closePolicy: "cancel" };

/** The IDs of all pages, with this many workflows in a page. `between` is called after each page. */
async function pagesOf(
  store: FullStore,
  options: WorkflowFilter & { readonly limit: number },
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    assert(pages.length < 50, `heads(${showValue({ ...options, cursor })}) never returns the last page`);
    const page = await store.heads({ ...options, cursor });
    pages.push(page.heads.map(({ workflowId }) => workflowId));
    cursor = page.cursor;
    await between();
  } while (cursor !== undefined);
  return pages;
}

/** Workflows of all kinds: "a" and "c" run, "b" is a child that failed, "d" was saved. */
async function mixed(store: FullStore): Promise<FullStore> {
  const labels = { customer: "7" };
  await store.append(batch({ events: [startedWith({ labels })] }));
  await store.append(batch({ workflowId: "b", events: [startedWith({ at: 5, parent }), completed] }));
  await store.append(batch({ workflowId: "c", events: [startedWith({ workflowName: "v", at: 9 }), fired(9)] }));
  await store.save({ workflowId: "d", status: "failed", createdAt: 3, updatedAt: 3, labels });
  return store;
}

/** Filters, and what of `mixed` matches. */
const filters: [filter: WorkflowFilter, ids: string[]][] = [
  [{}, ["a", "b", "c", "d"]],
  [{ status: "running" }, ["a", "c"]],
  [{ status: ["completed", "failed"] }, ["b", "d"]],
  [{ status: [] }, []],
  [{ workflowName: "v" }, ["c"]],
  [{ idPrefix: "c" }, ["c"]],
  [{ labels: { customer: "7" } }, ["a", "d"]],
  [{ labels: { customer: "8" } }, []],
  [{ createdAfter: 3 }, ["b", "c"]],
  [{ createdBefore: 5, status: "running" }, ["a"]],
];

/** Filters that no method takes, and the class of the error. */
const malformed: [filter: Anything, Class: typeof TypeError | typeof RangeError][] = [
  [null, TypeError],
  [{ status: "done" }, TypeError],
  [{ order: "up" }, TypeError],
  [{ workflowName: 1 }, TypeError],
  [{ idPrefix: null }, TypeError],
  [{ labels: { customer: 7 } }, TypeError],
  [{ createdAfter: NaN }, RangeError],
  [{ createdBefore: "1" }, RangeError],
  [{ limit: -1 }, RangeError],
  [{ limit: 0.5 }, RangeError],
];

/** The contract of `heads()`, for stores that have it. */
export const headsCases = (): CaseBody[] => [
  memberCase("heads", "heads() returns states without their histories, and what the first event says", async (make) => {
    const store = await make();
    await store.append(batch({ events: [started, signal({ n: 1 })] }));
    const running: WorkflowHead = {
      workflowId: "a",
      runId: "1",
      firstRunId: "1",
      workflowName: "w",
      status: "running",
      input: "in",
      createdAt: 1,
      updatedAt: 2,
      historyLength: 2,
    };
    const heads = async () => (await store.heads()).heads;
    assertEquals(await heads(), [running], "the head of a run");
    const next = startedWith({ at: 5, input: [{ n: 1 }], firstRunId: "1", parent, labels: { customer: "7" } });
    await store.append(batch({ runId: "2", expectedLength: 2, events: [next], replaces: "1" }));
    const continued = {
      ...running,
      runId: "2",
      parent,
      input: [{ n: 1 }],
      labels: { customer: "7" },
      updatedAt: 5,
      historyLength: 1,
    };
    assertEquals(await heads(), [continued], "the head of a child that continues a run");
    await store.append(batch({ runId: "2", expectedLength: 1, events: [fired(6), completed] }));
    const end = { status: "completed", result: "out", updatedAt: 9, historyLength: 3 } as const;
    assertEquals(await heads(), [{ ...continued, ...end }], "the head of a finished run");
    await store.append(batch({ runId: "3", replaces: "2" }));
    const replaced = { ...running, runId: "3", firstRunId: "3", updatedAt: 1, historyLength: 1 };
    assertEquals(await heads(), [replaced], "the head of a run that replaces one");
    await store.save(fullState({ history: [started, fired(2)] }));
    const { history: _, ...saved } = fullState();
    assertEquals<unknown>(
      await heads(),
      [{ ...saved, firstRunId: "1", historyLength: 2 }],
      "the head of a saved state",
    );
  }),
  memberCase("heads", "heads() returns the heads that match the filter", async (make) => {
    const store = await mixed(await make());
    for (const [filter, ids] of filters) {
      const { heads } = await store.heads(filter);
      assertEquals(heads.map(({ workflowId }) => workflowId), ids, `the IDs of heads(${showValue(filter)})`);
    }
  }),
  memberCase("heads", "heads() returns the labels that a run has now, and finds it by them", async (make) => {
    const store = await mixed(await make());
    const labels = { customer: "9" };
    await store.append(batch({ expectedLength: 1, events: [relabeled(labels), fired(4)] }));
    for (const [customer, id] of [["7", "d"], ["9", "a"]]) {
      const { heads } = await store.heads({ labels: { customer } });
      assertEquals(heads.map(({ workflowId }) => workflowId), [id], `the IDs of customer ${customer}`);
      assertEquals(heads.map(({ labels }) => labels), [{ customer }], "their labels");
    }
  }),
  memberCase("heads", "heads() returns pages in the order of creation or its reverse", async (make) => {
    const ids = Array.from({ length: 7 }, (_, i) => `${i * 4 % 7}`);
    const store = await make();
    await saveIds(store, ...ids);
    for (const limit of [1, 3, 7, 8]) {
      for (const order of ["asc", "desc"] as const) {
        const pages = await pagesOf(store, { limit, order });
        const what = `with limit ${limit} and order "${order}"`;
        assertEquals(pages.flat(), order === "asc" ? ids : ids.toReversed(), `the IDs of all pages ${what}`);
        assertEquals(pages.map(({ length }) => length).slice(0, -1).every((length) => length === limit), true, what);
      }
    }
  }),
  memberCase("heads", "heads() returns 100 heads by default, and a cursor only if there are more", async (make) => {
    const store = await make();
    const ids = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all(ids.map((workflowId) => store.save({ workflowId, status: "running" })));
    assertEquals((await store.heads()).cursor, undefined, "the cursor of the only page");
    await saveIds(store, "100");
    const { heads, cursor } = await store.heads();
    assertEquals(heads.length, 100, "the number of heads of the first page");
    assertEquals((await store.heads({ cursor })).heads.map(({ workflowId }) => workflowId), ["100"]);
  }),
  memberCase(
    "heads",
    "heads() repeats no workflow and leaves none out if others write between two pages",
    async (make) => {
      for (const order of ["asc", "desc"] as const) {
        const store = await make();
        await saveIds(store, "a", "b", "c", "d", "e", "f");
        let count = 0;
        const pages = await pagesOf(store, { limit: 2, order }, async () => {
          if (count++ > 0) return;
          for (const id of ["a", "b", "e", "f"]) await store.save({ workflowId: id, status: "running" });
          await store.delete(order === "asc" ? "b" : "e"); // the last one of the page
          await saveIds(store, "z");
        });
        const ids = pages.flat();
        assertEquals(new Set(ids).size, ids.length, `whether each of ${showValue(ids)} is there once`);
        const expected = ["a", "b", "c", "d", "e", "f"];
        if (order === "desc") expected.reverse();
        assertEquals(ids.filter((id) => id !== "z"), expected, `the IDs of all pages with order "${order}"`);
      }
    },
  ),
  memberCase("heads", "heads() returns heads as they were at one moment", async (make) => {
    const store = await make();
    await saveIds(store, "a", "b");
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      const written = store.save({ workflowId: "a", status: "running", input: i })
        .then(() => store.save({ workflowId: "b", status: "running", input: i }));
      const look = ({ heads: [a, b] }: { heads: WorkflowHead[] }) => {
        const lead = Number(a.input ?? -1) - Number(b.input ?? -1);
        assert(lead === 0 || lead === 1, `Expected "a" to be 0 or 1 writes ahead of "b", but it is ${lead} ahead`);
      };
      for (let j = 0; j < 3; j++) calls.push(store.heads().then(look));
      await written;
    }
    await Promise.all(calls);
  }),
  memberCase("heads", "heads() returns copies: changes do not reach the store", async (make) => {
    const store = await make();
    await store.save(fullState({ input: { list: [{ n: 1 }], date: new Date(5) } }));
    const head: Anything = (await store.heads()).heads[0];
    const before = structuredClone(head);
    for (const change of [() => head.input.list.push(1), () => head.input.date.setTime(6), () => head.runId = "9"]) {
      try {
        change();
      } catch {
        // frozen
      }
    }
    assertEquals((await store.heads()).heads, [before]);
  }),
  memberCase("heads", "heads() rejects malformed options as list() does, and a limit of 0", async (make) => {
    const store = await make();
    for (const [options, Class] of [...malformed, [{ limit: 0 }, RangeError] as const]) {
      await assertRejects(() => store.heads(options), Class, `heads(${showValue(options)})`);
    }
  }),
  memberCase("heads", "heads() rejects a cursor that is not that of a page with the same order", async (make) => {
    const store = await make();
    await saveIds(store, "a", "b");
    const { cursor } = await store.heads({ limit: 1 });
    const bad: Anything[] = [{ cursor: "x" }, { cursor: "" }, { cursor: 1 }, { cursor: null }, {
      cursor,
      order: "desc",
    }];
    for (const options of bad) {
      await assertRejects(() => store.heads(options), TypeError, `heads(${showValue(options)})`);
    }
  }),
];

/** The contract of `count()`, for stores that have it. */
export const countCases = (): CaseBody[] => [
  memberCase(
    "count",
    "count() returns the number of workflows that match, whatever limit and order are",
    async (make) => {
      const store = await make();
      assertEquals(await store.count(), 0, "the count of an empty store");
      await mixed(store);
      for (const [filter, ids] of filters) {
        for (const more of [{}, { limit: 1 }, { limit: 0, order: "desc" as const }]) {
          const given = { ...filter, ...more };
          assertEquals(await store.count(given), ids.length, `count(${showValue(given)})`);
        }
      }
      await store.delete("a");
      assertEquals(await store.count({ status: "running" }), 1, "the count after delete()");
    },
  ),
  memberCase("count", "count() counts by the labels that runs have now", async (make) => {
    const store = await mixed(await make());
    await store.append(batch({ expectedLength: 1, events: [relabeled({ customer: "9" })] }));
    const counts = ["7", "9", "8"].map((customer) => store.count({ labels: { customer } }));
    assertEquals(await Promise.all(counts), [1, 1, 0]);
  }),
  memberCase("count", "count() rejects a malformed filter as list() does", async (make) => {
    const store = await make();
    for (const [filter, Class] of malformed) {
      await assertRejects(() => store.count(filter), Class, `count(${showValue(filter)})`);
    }
  }),
];
