/** `page` and `walk`: lists in parts, while others write. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  InMemoryStore,
  type PageOptions,
  type WorkflowEvent,
  type WorkflowFilter,
  type WorkflowState,
  type WorkflowStatus,
} from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";
import { gate } from "../support/executors.ts";

const started: WorkflowEvent = { type: "workflow_started", at: 0, workflowName: "w" };

async function save(store: InMemoryStore, status: WorkflowStatus, ...ids: string[]): Promise<void> {
  for (const workflowId of ids) await store.save({ workflowId, status, runId: "1" });
}

/** Replaces a finished run by a new one. */
const replace = (store: InMemoryStore, workflowId: string) =>
  store.append({ workflowId, runId: "2", expectedLength: 0, events: [started], replaces: "1" });

/** A store of running workflows. */
async function storeOf(...ids: string[]): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  await save(store, "running", ...ids);
  return store;
}

const numbered = (length: number) => Array.from({ length }, (_, i) => `w${i}`);
const idsIn = (states: readonly WorkflowState[]) => states.map(({ workflowId }) => workflowId).join(" ");

/** The IDs and the cursor of a page. */
async function turn(store: InMemoryStore, options: PageOptions): Promise<[ids: string, cursor: string | undefined]> {
  const { states, cursor } = await store.page(options);
  return [idsIn(states), cursor];
}

/** All pages after a cursor. Calls `meanwhile` between two pages. */
async function allIds(
  store: InMemoryStore,
  options: PageOptions,
  meanwhile: () => Promise<void> = async () => {},
): Promise<string[]> {
  const ids: string[] = [];
  for (let { cursor } = options;;) {
    const page = await store.page({ ...options, cursor });
    ids.push(...page.states.map(({ workflowId }) => workflowId));
    cursor = page.cursor;
    if (cursor === undefined) return ids;
    assertEquals(page.states.length, options.limit ?? 100);
    await meanwhile();
  }
}

Deno.test("InMemoryStore.page() returns an empty last page when nothing is stored", async () => {
  assertEquals(await new InMemoryStore().page(), { states: [], cursor: undefined });
});

Deno.test("InMemoryStore.page() returns 100 workflows when there is no limit", async () => {
  const store = await storeOf(...numbered(100));
  assertEquals(await turn(store, {}), [numbered(100).join(" "), undefined]);
  await save(store, "running", "x");
  const [ids, cursor] = await turn(store, {});
  assertEquals(ids, numbered(100).join(" "));
  assertEquals(await turn(store, { cursor }), ["x", undefined]);
  assertEquals((await store.page({ limit: undefined, cursor: undefined })).states.length, 100);
});

Deno.test("InMemoryStore.page() returns all workflows when the limit is Infinity", async () => {
  const store = await storeOf(...numbered(150));
  assertEquals(await turn(store, { limit: Infinity }), [numbered(150).join(" "), undefined]);
});

Deno.test("InMemoryStore.page() returns a cursor with every page but the last, which is not empty", async () => {
  for (let stored = 1; stored <= 7; stored++) {
    const store = await storeOf(...numbered(stored));
    for (let limit = 1; limit <= 8; limit++) {
      let pages = 0;
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await store.page({ limit, cursor });
        assert(page.states.length > 0);
        assert(page.cursor === undefined || typeof page.cursor === "string");
        cursor = page.cursor;
        pages++;
      }
      assertEquals(pages, Math.ceil(stored / limit), `${stored} by ${limit}`);
    }
  }
});

Deno.test("InMemoryStore.page() returns no cursor when no later workflow matches", async () => {
  const store = await storeOf("a", "b");
  await save(store, "failed", "c", "d");
  assertEquals(await turn(store, { status: "running", limit: 2 }), ["a b", undefined]);
  assertEquals(await turn(store, { status: "failed", order: "desc", limit: 2 }), ["d c", undefined]);
  assertEquals(await turn(store, { idPrefix: "b", limit: 1 }), ["b", undefined]);
  assertEquals((await turn(store, { status: ["running", "failed"], limit: 2 }))[0], "a b");
});

Deno.test("InMemoryStore.page() accepts another limit for each page", async () => {
  const store = await storeOf("a", "b", "c", "d");
  const { cursor } = await store.page({ limit: 1 });
  assertEquals(await turn(store, { limit: 3, cursor }), ["b c d", undefined]);
});

Deno.test("InMemoryStore.page() returns the same page for the same cursor", async () => {
  const store = await storeOf("a", "b", "c", "d", "e");
  const { cursor } = await store.page({ limit: 2 });
  for (let i = 0; i < 3; i++) assertEquals((await turn(store, { limit: 2, cursor }))[0], "c d");
});

Deno.test("InMemoryStore.page() returns a new array of the stored states", async () => {
  const store = await storeOf("a");
  const { states } = await store.page();
  assertStrictEquals(states.pop(), await store.load("a"));
  assertEquals(await turn(store, {}), ["a", undefined]);
});

const deleted: [what: string, ids: string[], asc: string, desc: string][] = [
  ["the workflow of the cursor", ["c"], "d e", "b a"],
  ["everything around the workflow of the cursor", ["b", "c", "d"], "e", "a"],
  ["everything before", ["a", "b"], "d e", ""],
  ["everything after", ["d", "e"], "", "b a"],
  ["everything", ["a", "b", "c", "d", "e"], "", ""],
];
for (const [what, ids, asc, desc] of deleted) {
  Deno.test(`InMemoryStore.page() continues from its cursor when ${what} was deleted`, async () => {
    for (const [order, rest] of [["asc", asc], ["desc", desc]] as const) {
      const store = await storeOf("a", "b", "c", "d", "e");
      const { cursor } = await store.page({ order, limit: 3 });
      for (const id of ids) await store.delete(id);
      assertEquals(await turn(store, { order, cursor, limit: 5 }), [rest, undefined], order);
    }
  });
}

Deno.test("InMemoryStore.page() continues with new workflows, in ascending order only, when everything was deleted", async () => {
  const store = await storeOf(...numbered(70)); // enough to rebuild the array of slots
  const { cursor } = await store.page({ limit: 10 });
  const { cursor: downwards } = await store.page({ limit: 10, order: "desc" });
  for (const id of numbered(70)) await store.delete(id);
  assertEquals(await turn(store, { cursor }), ["", undefined]);
  await save(store, "running", "w0", "x");
  assertEquals(await turn(store, { cursor }), ["w0 x", undefined]);
  assertEquals(await turn(store, { cursor: downwards, order: "desc" }), ["", undefined]);
});

Deno.test("InMemoryStore.page() continues from its cursor when the gaps of deleted workflows were closed", async () => {
  for (const order of ["asc", "desc"] as const) {
    for (const kept of [7, 10, 60]) { // one of this number remains
      const ids = numbered(300);
      const store = await storeOf(...ids);
      const { cursor } = await store.page({ order, limit: 120 });
      const left = ids.filter((_, i) => i % kept === 0);
      for (const id of ids) if (!left.includes(id)) await store.delete(id);
      await save(store, "running", "new");
      const rest = order === "asc"
        ? [...left.filter((id) => ids.indexOf(id) >= 120), "new"]
        : left.filter((id) => ids.indexOf(id) < 180).reverse();
      assertEquals(await allIds(store, { order, cursor, limit: 2 }), rest);
    }
  }
});

Deno.test("InMemoryStore.page() filters by the status at the time of the page", async () => {
  const store = await storeOf("a", "b", "c", "d", "e", "f");
  await save(store, "completed", "d");
  const options = { status: "running", limit: 2 } as const;
  const { cursor } = await store.page(options);
  await save(store, "failed", "a", "c"); // one before the cursor, one after it
  await save(store, "running", "b", "d"); // again one before and one after
  assertEquals(await allIds(store, { ...options, cursor }), ["d", "e", "f"]);
});

Deno.test("InMemoryStore.page() treats a new run under an old ID as a new workflow", async () => {
  const store = new InMemoryStore();
  await save(store, "completed", "a", "b", "c", "d");
  const { cursor } = await store.page({ limit: 2 });
  const { cursor: downwards } = await store.page({ limit: 2, order: "desc" });
  await replace(store, "a");
  await store.delete("d");
  await save(store, "running", "d");
  assertEquals(await allIds(store, { cursor, limit: 1 }), ["c", "a", "d"]);
  assertEquals(await allIds(store, { cursor: downwards, limit: 1, order: "desc" }), ["b"]);
});

/** Changes anything, but keeps the `steady` workflows stored and running. */
function randomWriter(store: InMemoryStore, seed: number, steady: ReadonlySet<string>): () => Promise<void> {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const statuses = ["running", "completed", "failed"] as const;
  return async () => {
    for (let writes = below(40); writes > 0; writes--) {
      const id = `w${below(200)}`;
      if (steady.has(id)) await store.save({ workflowId: id, status: "running", input: writes });
      else if (below(5) < 3) await store.delete(id);
      else await save(store, statuses[below(3)], id);
    }
  };
}

for (const order of ["asc", "desc"] as const) {
  Deno.test(`InMemoryStore.page() and walk() neither repeat nor leave out a workflow while others write: ${order}`, async () => {
    const filters: WorkflowFilter[] = [{}, { status: "running" }, { status: ["failed", "running"], idPrefix: "w1" }];
    for (let seed = 1; seed <= 20; seed++) {
      for (const filter of filters) {
        const store = await storeOf(...numbered(200));
        const steady = new Set(numbered(200).filter((_, i) => i % 3 === seed % 3));
        const write = randomWriter(store, seed, steady);
        const paged = await allIds(store, { ...filter, order, limit: 7 }, write);
        const walked: string[] = [];
        for await (const { workflowId } of store.walk({ ...filter, order })) {
          walked.push(workflowId);
          if (walked.length > 1000) throw new Error("The writer is always ahead of the walk");
          if (walked.length % 7 === 0 && walked.length < 200) await write();
        }
        const wanted = [...steady].filter((id) => id.startsWith(filter.idPrefix ?? ""));
        if (order === "desc") wanted.reverse();
        for (const seen of [paged, walked]) {
          assertEquals(seen.filter((id) => steady.has(id)), wanted, `seed ${seed}`);
        }
      }
    }
  });
}

for (const [limit, shown] of [[0, "0"], [-0, "0"], [-1, "-1"], [0.5, "0.5"], [null, "null"]] as [number, string][]) {
  Deno.test(`InMemoryStore.page() refuses the limit ${Object.is(limit, -0) ? "-0" : shown}`, async () => {
    const error = await assertRejects(() => new InMemoryStore().page({ limit }), RangeError);
    assertEquals(error.message, `Cannot list workflows: "limit" must be an integer from 1, got ${shown}`);
  });
}

const noCursors: [cursor: unknown, shown: string][] = [
  ["", '""'],
  ["x", '"x"'],
  ["1", '"1"'],
  ["asc", '"asc"'],
  ["1desc", '"1desc"'],
  ["1ascending", '"1ascending"'],
  ["-1asc", '"-1asc"'],
  ["NaNasc", '"NaNasc"'],
  ["1.5asc", '"1.5asc"'],
  ["1e3asc", '"1e3asc"'],
  [" 1asc", '" 1asc"'],
  ["1asc\n", '"1asc\\n"'],
  ["01asc", '"01asc"'],
  ["0x1asc", '"0x1asc"'],
  ["Infinityasc", '"Infinityasc"'],
  [`${"9".repeat(16)}asc`, `"${"9".repeat(16)}asc"`],
  ["\u0661asc", '"\u0661asc"'],
  [1, "1"],
  [null, "null"],
  [["1asc"], "an Array"],
  [new String("1asc"), "a String"],
  [Symbol("1asc"), "Symbol(1asc)"],
];
for (const [cursor, shown] of noCursors) {
  Deno.test(`InMemoryStore.page() refuses the cursor ${shown}`, async () => {
    const store = await storeOf("a");
    const error = await assertRejects(() => store.page({ cursor: cursor as string }));
    assertInstanceOf(error, TypeError);
    assertEquals(
      error.message,
      `Cannot list workflows: "cursor" must be the cursor of a page with "order" "asc", got ${shown}`,
    );
  });
}

Deno.test("InMemoryStore.page() returns an empty page for a cursor beyond the end", async () => {
  const store = await storeOf("a", "b");
  assertEquals(await turn(store, { cursor: `${"9".repeat(15)}asc` }), ["", undefined]);
  assertEquals(await turn(store, { cursor: `${"9".repeat(15)}desc`, order: "desc" }), ["b a", undefined]);
});

Deno.test("InMemoryStore.page() reads its cursor at the call", async () => {
  const store = await storeOf("a", "b", "c");
  const { cursor } = await store.page({ limit: 1 });
  const held = gate();
  const updated = store.update("a", () => held.promise.then(() => null));
  const options: { cursor?: string | undefined } = { cursor };
  const page = store.page(options);
  options.cursor = undefined;
  held.open();
  await updated;
  assertEquals(idsIn((await page).states), "b c");
});

Deno.test("InMemoryStore.walk() reads each state when it hands it out, not when it starts", async () => {
  const store = await storeOf("a", "b", "c", "d");
  const seen: unknown[] = [];
  for await (const state of store.walk()) {
    assertStrictEquals(state, await store.load(state.workflowId));
    seen.push([state.workflowId, state.status, state.input]);
    if (state.workflowId !== "a") continue;
    await store.save({ workflowId: "a", status: "failed" }); // it was handed out, and is not handed out again
    await store.save({ workflowId: "b", status: "running", input: "new" });
    await store.delete("c");
    await store.save({ workflowId: "d", status: "completed" });
    await store.save({ workflowId: "e", status: "running" });
  }
  assertEquals(seen, [
    ["a", "running", undefined],
    ["b", "running", "new"],
    ["d", "completed", undefined],
    ["e", "running", undefined],
  ]);
});

Deno.test("InMemoryStore.walk() filters by the current status at each step", async () => {
  const store = await storeOf("a", "b", "c");
  await save(store, "failed", "d");
  const seen: string[] = [];
  for await (const { workflowId } of store.walk({ status: "running" })) {
    seen.push(workflowId);
    if (workflowId === "a") await save(store, "completed", "b");
    if (workflowId === "c") await save(store, "running", "d", "b");
  }
  assertEquals(seen, ["a", "c", "d"]);
});

Deno.test("InMemoryStore.walk() in descending order does not reach workflows that are created during it", async () => {
  const store = await storeOf("a", "b", "c");
  const seen: string[] = [];
  for await (const { workflowId } of store.walk({ order: "desc" })) {
    seen.push(workflowId);
    await save(store, "running", `new ${workflowId}`);
  }
  assertEquals(seen, ["c", "b", "a"]);
});

Deno.test("InMemoryStore.walk() continues when all workflows that it has handed out, or all others, are deleted", async () => {
  for (const [gone, rest] of [[["a", "b"], "c d"], [["c", "d"], ""], [["a", "b", "c", "d"], ""]] as const) {
    const store = await storeOf("a", "b", "c", "d");
    const walk = store.walk();
    assertEquals([(await walk.next()).value!.workflowId, (await walk.next()).value!.workflowId], ["a", "b"]);
    for (const id of gone) await store.delete(id);
    assertEquals(idsIn(await Array.fromAsync(walk)), rest);
  }
});

Deno.test("InMemoryStore.walk() continues when the gaps of deleted workflows are closed during it", async () => {
  const store = await storeOf(...numbered(200));
  const seen: string[] = [];
  for await (const { workflowId } of store.walk()) {
    seen.push(workflowId);
    if (seen.length === 50) { for (const id of numbered(150)) await store.delete(id); }
  }
  assertEquals(seen, [...numbered(50), ...numbered(200).slice(150)]);
});

Deno.test("InMemoryStore.walk() hands out at most `limit` workflows, and no more than are requested", async () => {
  const store = await storeOf("a", "b", "c");
  for (const [limit, ids] of [[0, ""], [1, "a"], [2, "a b"], [9, "a b c"], [Infinity, "a b c"]] as const) {
    assertEquals(idsIn(await Array.fromAsync(store.walk({ limit }))), ids);
  }
  assertEquals(idsIn(await Array.fromAsync(store.walk({ limit: 2, order: "desc" }))), "c b");
});

Deno.test("InMemoryStore.walk() holds no lock between its steps, nor after a break", async () => {
  const store = await storeOf("a", "b", "c");
  for await (const { workflowId } of store.walk()) {
    await store.update(workflowId, (state) => ({ ...state!, input: 1 })); // would wait forever
    if (workflowId === "b") break;
  }
  store.delete("a");
  assertEquals(store.size, 2); // it runs at the call
  assertEquals((await store.list()).map(({ input }) => input), [1, undefined]);
});

Deno.test("InMemoryStore.walk() is done after a break, and another walk starts at the beginning", async () => {
  const store = await storeOf("a", "b", "c");
  const walk = store.walk();
  for await (const _ of walk) break;
  assertEquals(await walk.next(), { done: true, value: undefined });
  assertEquals(idsIn(await Array.fromAsync(store.walk())), "a b c");
});

Deno.test("InMemoryStore.walk() stays done after its end", async () => {
  const store = await storeOf("a");
  const walk = store.walk();
  await walk.next();
  assertEquals((await walk.next()).done, true);
  await save(store, "running", "b");
  assertEquals((await walk.next()).done, true);
});

Deno.test("InMemoryStore.walk() finds workflows that are created before its first step", async () => {
  const store = await storeOf("a");
  const walk = store.walk();
  await save(store, "running", "b");
  await store.delete("a");
  assertEquals(idsIn(await Array.fromAsync(walk)), "b");
});

Deno.test("InMemoryStore.walk() hands out workflows in order when next() is called several times at once", async () => {
  const store = await storeOf("a", "b", "c");
  const walk = store.walk();
  const other = store.walk({ order: "desc" });
  const steps = await Promise.all([walk.next(), other.next(), walk.next(), walk.next(), other.next(), walk.next()]);
  assertEquals(steps.map(({ value }) => value?.workflowId), ["a", "c", "b", "c", "b", undefined]);
});

Deno.test("InMemoryStore.walk() hands out states that nobody can change when they hold a Date", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "a", status: "running", input: new Date(5) });
  for await (const { input } of store.walk()) (input as Date).setTime(9);
  for (const { input } of (await store.page()).states) (input as Date).setTime(9);
  assertEquals((await store.load("a"))?.input, new Date(5));
});

Deno.test("InMemoryStore.page() refuses the cursor of a page with the other order", async () => {
  const store = await storeOf("a", "b", "c");
  for (const [order, other] of [["asc", "desc"], ["desc", "asc"]] as const) {
    const { cursor } = await store.page({ limit: 1, order });
    const rule = `"cursor" must be the cursor of a page with "order" "${other}", got "${cursor}"`;
    await assertRejects(() => store.page({ cursor, order: other }), TypeError, rule);
    assertEquals((await store.page({ cursor, order })).states.length, 2);
  }
});
