/** Filters: `list` and `count`, and the part of `page` and `walk` that is the same. */

import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  InMemoryStore,
  type WorkflowEvent,
  type WorkflowFilter,
  type WorkflowState,
  type WorkflowStateInit,
  type WorkflowStatus,
} from "@rockpool/workflow";
import { isWanted } from "../support/store_model.ts";
import { seeded } from "@rockpool/workflow/testing";

const statuses: WorkflowStatus[] = ["running", "completed", "failed", "canceled"];
const started: WorkflowEvent = { type: "workflow_started", at: 0, workflowName: "w" };

/** A store of workflows in this order. Their status is `running` unless a state says otherwise. */
async function storeWith(parts: Record<string, Partial<WorkflowStateInit>>): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  for (const [workflowId, part] of Object.entries(parts)) await store.save({ workflowId, status: "running", ...part });
  return store;
}

const createdAt = (times: Record<string, number>) =>
  storeWith(Object.fromEntries(Object.entries(times).map(([id, createdAt]) => [id, { createdAt }])));

/** The result of `list`. Pages of two, a walk and the count must agree. */
async function statesOf(store: InMemoryStore, filter: WorkflowFilter): Promise<WorkflowState[]> {
  const listed = await store.list(filter);
  const { limit = Infinity, ...rest } = filter;
  const paged: WorkflowState[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.page({ ...rest, limit: 2, cursor });
    paged.push(...page.states);
    cursor = page.cursor;
  } while (cursor !== undefined);
  assertSame(paged.slice(0, limit), listed, "page");
  assertSame(await Array.fromAsync(store.walk(filter)), listed, "walk");
  assertEquals(await store.count(filter), paged.length);
  return listed;
}

function assertSame(actual: WorkflowState[], expected: WorkflowState[], what: string): void {
  const same = actual.length === expected.length && actual.every((state, i) => state === expected[i]);
  if (!same) assertEquals(idsIn(actual), idsIn(expected), what);
}

const idsIn = (states: readonly WorkflowState[]) => states.map(({ workflowId }) => workflowId).join(" ");
const idsOf = async (store: InMemoryStore, filter: WorkflowFilter) => idsIn(await statesOf(store, filter));

const byFilter: [what: string, filter: WorkflowFilter, ids: string][] = [
  ["one status", { status: "failed" }, "d g"],
  ["several statuses, in the order of creation", { status: ["canceled", "running"] }, "a b e f"],
  ["a repeated status", { status: ["failed", "failed", "failed"] }, "d g"],
  ["every status", { status: statuses }, "a b c d e f g"],
  ["no status", { status: [] }, ""],
  ["no status, and other conditions", { status: [], idPrefix: "a", limit: 3 }, ""],
  ["undefined properties", {
    status: undefined,
    workflowName: undefined,
    idPrefix: undefined,
    createdAfter: undefined,
    createdBefore: undefined,
    order: undefined,
    limit: undefined,
  }, "a b c d e f g"],
  ["the order of creation", { order: "asc" }, "a b c d e f g"],
  ["the other order", { order: "desc" }, "g f e d c b a"],
  ["several statuses in the other order", { status: ["running", "failed"], order: "desc" }, "g e d b a"],
  ["a limit", { limit: 3 }, "a b c"],
  ["a limit in the other order", { limit: 3, order: "desc" }, "g f e"],
  ["a limit and a status", { limit: 1, status: "failed" }, "d"],
  ["a limit above the number of workflows", { limit: 1e300 }, "a b c d e f g"],
  ["the limit 0", { limit: 0 }, ""],
];
for (const [what, filter, ids] of byFilter) {
  Deno.test(`InMemoryStore.list(), page(), walk() and count() filter by ${what}`, async () => {
    const store = await storeWith({
      a: {},
      b: {},
      c: { status: "completed" },
      d: { status: "failed" },
      e: {},
      f: { status: "canceled" },
      g: { status: "failed" },
    });
    assertEquals(await idsOf(store, filter), ids);
  });
}

Deno.test("InMemoryStore.list() filters by the whole name, and by the empty one", async () => {
  const names = { a: "pay", b: "payback", c: "", d: "Pay", e: "constructor", f: "pay" };
  const store = await storeWith(
    Object.fromEntries(Object.entries(names).map(([id, workflowName]) => [id, { workflowName }])),
  );
  for (
    const [workflowName, ids] of Object.entries({ pay: "a f", pa: "", "": "c", constructor: "e", toString: "" })
  ) assertEquals(await idsOf(store, { workflowName }), ids, workflowName);
});

Deno.test("InMemoryStore.list() filters by the current name", async () => {
  const store = await storeWith({ a: { workflowName: "old", status: "completed", runId: "1" } });
  await store.save({ workflowId: "a", status: "completed", runId: "1", workflowName: "new" });
  assertEquals([await idsOf(store, { workflowName: "old" }), await idsOf(store, { workflowName: "new" })], ["", "a"]);
  await store.append({ workflowId: "a", runId: "2", expectedLength: 0, events: [started], replaces: "1" });
  assertEquals([await idsOf(store, { workflowName: "new" }), await idsOf(store, { workflowName: "w" })], ["", "a"]);
});

Deno.test("InMemoryStore.list(), page(), walk() and count() filter by labels, together with everything else", async () => {
  const store = await storeWith({
    a: { labels: { customer: "7", kind: "order" } },
    b: { labels: { customer: "8" } },
    c: {},
    d: { labels: { customer: "7" }, status: "completed" },
    e: { labels: JSON.parse('{ "__proto__": "7", "": "" }') },
  });
  const cases: [WorkflowFilter, string][] = [
    [{ labels: { customer: "7" } }, "a d"],
    [{ labels: { customer: "7" }, order: "desc", limit: 1 }, "d"],
    [{ labels: { customer: "7" }, status: "running" }, "a"],
    [{ labels: { customer: "7", kind: "order" } }, "a"],
    [{ labels: { kind: "" } }, ""],
    [{ labels: { "": "" } }, "e"],
    [{ labels: JSON.parse('{ "__proto__": "7" }') }, "e"],
    [{ labels: { toString: "7" } }, ""],
    [{ labels: {} }, "a b c d e"],
    [{ labels: undefined }, "a b c d e"],
  ];
  for (const [filter, ids] of cases) assertEquals(await idsOf(store, filter), ids, JSON.stringify(filter));
  await store.save({ workflowId: "a", status: "running", labels: { customer: "9" } });
  assertEquals([await idsOf(store, cases[0][0]), await idsOf(store, { labels: { customer: "9" } })], ["d", "a"]);
});

Deno.test("InMemoryStore.list() reads the labels of its filter at the call, once", async () => {
  const store = await storeWith({ a: { labels: { customer: "7" } }, b: {} });
  const labels: Record<string, string> = { customer: "7" };
  const walk = store.walk({ labels });
  labels.customer = "8";
  assertEquals(idsIn(await Array.fromAsync(walk)), "a");
  await assertRejects(() => store.list({ labels: { n: 1 } as never }), TypeError, '"labels.n" must be a string, got 1');
});

const prefixes: [what: string, idPrefix: string, ids: string][] = [
  ["the empty prefix", "", "order-1 order-10 order Order-1 border-1 \u{1F41A}x \u{1F41B}x \ud83dx é e\u0301"],
  ["a prefix", "order-", "order-1 order-10"],
  ["a whole ID", "order-10", "order-10"],
  ["a prefix longer than an ID", "order-100", ""],
  ["a letter in upper case", "O", "Order-1"],
  ["a character with a meaning in patterns", "order.", ""],
  ["an astral character", "\u{1F41A}", "\u{1F41A}x"],
  ["half of an astral character, as startsWith() does", "\ud83d", "\u{1F41A}x \u{1F41B}x \ud83dx"],
  ["the other half", "\udc1a", ""],
  ["a letter with two encodings", "é", "é"],
  ["the same letter in the other encoding", "e\u0301", "e\u0301"],
];
for (const [what, idPrefix, ids] of prefixes) {
  Deno.test(`InMemoryStore.list() filters by prefix when it is ${what}`, async () => {
    const store = await storeWith(Object.fromEntries(prefixes[0][2].split(" ").map((id) => [id, {}])));
    assertEquals(await idsOf(store, { idPrefix }), ids);
    assertEquals(await idsOf(store, { idPrefix, order: "desc" }), ids.split(" ").reverse().join(" "));
  });
}

const ascending = { a: -20, b: -10, c: -10, d: 0, e: 0, f: 0.5, g: 10, h: 10 };
const shuffled = { a: 10, f: 0.5, b: -10, g: 10, d: 0, c: -10, h: -20, e: 0 };
const periods: [filter: WorkflowFilter, ids: string, shuffledIds: string][] = [
  [{ createdAfter: -10 }, "d e f g h", "a f g d e"],
  [{ createdAfter: -10.001 }, "b c d e f g h", "a f b g d c e"],
  [{ createdBefore: -10 }, "a", "h"],
  [{ createdBefore: 0 }, "a b c", "b c h"],
  [{ createdBefore: -0 }, "a b c", "b c h"],
  [{ createdAfter: -0 }, "f g h", "a f g"],
  [{ createdAfter: -10, createdBefore: 10 }, "d e f", "f d e"],
  [{ createdAfter: -10, createdBefore: 10, order: "desc" }, "f e d", "e d f"],
  [{ createdAfter: -10, createdBefore: 10, limit: 2 }, "d e", "f d"],
  [{ createdAfter: 0, createdBefore: 0 }, "", ""],
  [{ createdAfter: 10, createdBefore: -10 }, "", ""],
  [{ createdAfter: 10 }, "", ""],
  [{ createdBefore: -20 }, "", ""],
  [{ createdAfter: -1e300, createdBefore: Number.MAX_VALUE }, "a b c d e f g h", "a f b g d c h e"],
  [{ createdAfter: 0, createdBefore: Number.MIN_VALUE }, "", ""],
];
for (const [filter, ids, shuffledIds] of periods) {
  const shown = Object.entries(filter).map(([key, value]) => `${key} ${Object.is(value, -0) ? "-0" : value}`).join(
    ", ",
  );
  Deno.test(`InMemoryStore.list() excludes both ends of a period: ${shown}`, async () => {
    assertEquals(await idsOf(await createdAt(ascending), filter), ids);
  });
  Deno.test(`InMemoryStore.list() finds a period when times were saved out of order: ${shown}`, async () => {
    assertEquals(await idsOf(await createdAt(shuffled), filter), shuffledIds);
  });
}

Deno.test("InMemoryStore.list() finds a period when an overwrite has changed a time", async () => {
  const store = await createdAt({ a: 1, b: 2, c: 3 });
  await store.save({ workflowId: "a", status: "running", createdAt: 9 });
  assertEquals(await idsOf(store, { createdAfter: 2 }), "a c");
  assertEquals(await idsOf(store, { createdBefore: 9 }), "b c");
  await store.save({ workflowId: "c", status: "running", createdAt: 0 });
  assertEquals(await idsOf(store, { createdBefore: 2 }), "c");
  await store.save({ workflowId: "d", status: "running", createdAt: 5 });
  assertEquals(await idsOf(store, { createdAfter: 2 }), "a d");
});

Deno.test("InMemoryStore.list() finds a period when the workflows at its ends were deleted", async () => {
  const store = await createdAt(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`w${i}`, i])));
  for (const i of [0, 1, 9, 10, 11, 12, 19, 20, 21, 48, 49]) await store.delete(`w${i}`);
  assertEquals(await idsOf(store, { createdAfter: 10, createdBefore: 20 }), "w13 w14 w15 w16 w17 w18");
  assertEquals(await idsOf(store, { createdAfter: 45 }), "w46 w47");
  assertEquals(await idsOf(store, { createdBefore: 4 }), "w2 w3");
});

for (const ordered of [true, false]) {
  const how = ordered ? "in order" : "out of order";
  Deno.test(`InMemoryStore.list(), page(), walk() and count() return the same as a plain filter, times ${how}`, async () => {
    const random = seeded(ordered ? 1 : 2);
    const below = (n: number) => Math.floor(random() * n);
    const pick = <T>(values: readonly T[]) => values[below(values.length)];
    const time = () => below(120) - 60;
    const store = new InMemoryStore();
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 12; i++) {
        const workflowId = `${pick(["a", "ab", "b", "\u{1F41A}"])}${below(40)}`;
        const state = { workflowId, status: pick(statuses), workflowName: pick(["", "x", "xy"]) };
        if (below(3) === 0) await store.delete(workflowId);
        else {await store.save({
            ...state,
            ...(!await store.load(workflowId) && { createdAt: ordered ? round / 2 - 60 : time() }),
          });}
      }
      const all = await store.list();
      for (let i = 0; i < 10; i++) {
        const filter: WorkflowFilter = {
          status: pick([undefined, undefined, pick(statuses), [pick(statuses), pick(statuses)], statuses, []]),
          workflowName: pick([undefined, undefined, "", "x"]),
          idPrefix: pick([undefined, undefined, "", "a", "ab1", "\ud83d"]),
          createdAfter: pick([undefined, undefined, time()]),
          createdBefore: pick([undefined, undefined, time()]),
          order: pick([undefined, "asc", "desc"]),
          limit: pick([undefined, Infinity, below(10)]),
        };
        const wanted = all.filter((state) => isWanted(state, filter));
        if (filter.order === "desc") wanted.reverse();
        assertSame(
          await statesOf(store, filter),
          wanted.slice(0, filter.limit),
          `round ${round}: ${Deno.inspect(filter)}`,
        );
      }
    }
  });
}

Deno.test("InMemoryStore.count() counts by status after overwrites, replacements and deletions", async () => {
  const store = await storeWith({ a: { runId: "1" }, b: { runId: "1" }, c: {}, d: { status: "failed" } });
  const counts = async () => {
    const each = await Promise.all(statuses.map((status) => store.count({ status })));
    assertEquals(await store.count(), each.reduce((sum, count) => sum + count));
    return each;
  };
  assertEquals(await counts(), [3, 0, 1, 0]);
  await store.save({ workflowId: "a", status: "completed", runId: "1" });
  await store.save({ workflowId: "a", status: "completed", runId: "1" }); // with the same status
  await store.save({ workflowId: "b", status: "canceled" });
  assertEquals(await counts(), [1, 1, 1, 1]);
  await store.append({ workflowId: "a", runId: "2", expectedLength: 0, events: [started], replaces: "1" });
  assertEquals(await counts(), [2, 0, 1, 1]);
  await store.append({
    workflowId: "a",
    runId: "2",
    expectedLength: 1,
    events: [{ type: "workflow_completed", at: 1 }],
  });
  await store.save({ workflowId: "d", status: "completed" });
  assertEquals(await counts(), [1, 2, 0, 1]);
  await store.save({ workflowId: "b", status: "running" });
  assertEquals(await counts(), [2, 2, 0, 0]);
  for (const id of ["a", "b", "c", "x"]) await store.delete(id);
  assertEquals(await counts(), [0, 1, 0, 0]);
});

Deno.test("InMemoryStore.count() ignores limit and order", async () => {
  const store = await storeWith({ a: {}, b: {}, c: { status: "failed" } });
  for (const limit of [0, 1, Infinity]) {
    const found = [{ limit }, { limit, status: "running" }, { limit, idPrefix: "b", order: "desc" }] as const;
    assertEquals(await Promise.all(found.map((filter) => store.count(filter))), [3, 2, 1]);
  }
});

const known = "one of running, completed, failed, canceled";
const finite = "a finite number";
const wrong: [field: string, value: unknown, rule: string, shown: string, error: typeof Error][] = [
  ["status", "done", known, '"done"', TypeError],
  ["status", null, known, "null", TypeError],
  ["status", "", known, '""', TypeError],
  ["status", "Running", known, '"Running"', TypeError],
  ["status", ["running", "done"], known, '"done"', TypeError],
  ["status", [["running"]], known, "an Array", TypeError],
  ["status", new Array(1), known, "undefined", TypeError],
  ["status", new Set(["running"]), known, "a Set", TypeError],
  ["workflowName", 7, "a string", "7", TypeError],
  ["workflowName", null, "a string", "null", TypeError],
  ["workflowName", new String("x"), "a string", "a String", TypeError],
  ["idPrefix", /a/, "a string", "a RegExp", TypeError],
  ["idPrefix", ["a"], "a string", "an Array", TypeError],
  ["createdAfter", NaN, finite, "NaN", RangeError],
  ["createdAfter", "1", finite, '"1"', RangeError],
  ["createdAfter", null, finite, "null", RangeError],
  ["createdAfter", -Infinity, finite, "-Infinity", RangeError],
  ["createdAfter", new Date(0), finite, "a Date", RangeError],
  ["createdBefore", Infinity, finite, "Infinity", RangeError],
  ["createdBefore", 1n, finite, "1n", RangeError],
  ["order", "up", '"asc" or "desc"', '"up"', TypeError],
  ["order", null, '"asc" or "desc"', "null", TypeError],
  ["order", "DESC", '"asc" or "desc"', '"DESC"', TypeError],
  ["limit", -1, "an integer from 0", "-1", RangeError],
  ["limit", 1.5, "an integer from 0", "1.5", RangeError],
  ["limit", NaN, "an integer from 0", "NaN", RangeError],
  ["limit", -Infinity, "an integer from 0", "-Infinity", RangeError],
  ["limit", "1", "an integer from 0", '"1"', RangeError],
  ["limit", null, "an integer from 0", "null", RangeError],
];
for (const [field, value, rule, shown, kind] of wrong) {
  Deno.test(`InMemoryStore.list(), page(), walk() and count() refuse ${field} ${shown}, also when nothing is stored`, async () => {
    const store = new InMemoryStore();
    const filter = { [field]: value } as WorkflowFilter;
    const errors: [action: string, rule: string, error: unknown][] = [
      ["list", rule, await assertRejects(() => store.list(filter))],
      ["list", field === "limit" ? "an integer from 1" : rule, await assertRejects(() => store.page(filter))],
      ["walk", rule, assertThrows(() => store.walk(filter))],
      ["count", rule, await assertRejects(() => store.count(filter))],
    ];
    for (const [action, rule, error] of errors) {
      assertInstanceOf(error, kind);
      assertEquals(error.message, `Cannot ${action} workflows: "${field}" must be ${rule}, got ${shown}`);
    }
  });
}

for (const [filter, shown] of [[null, "null"], ["running", '"running"'], [3, "3"]] as [WorkflowFilter, string][]) {
  Deno.test(`InMemoryStore.list(), page(), walk() and count() refuse the options ${shown}`, async () => {
    const store = new InMemoryStore();
    const errors: [action: string, name: string, error: unknown][] = [
      ["list", "filter", await assertRejects(() => store.list(filter))],
      ["list", "options", await assertRejects(() => store.page(filter))],
      ["walk", "filter", assertThrows(() => store.walk(filter))],
      ["count", "filter", await assertRejects(() => store.count(filter))],
    ];
    for (const [action, name, error] of errors) {
      assertInstanceOf(error, TypeError);
      assertEquals(error.message, `Cannot ${action} workflows: "${name}" must be an object, got ${shown}`);
    }
  });
}

Deno.test("InMemoryStore.list(), page(), walk() and count() refuse an unknown property, which would match everything", async () => {
  const store = new InMemoryStore();
  const filter = { statuss: "failed" } as WorkflowFilter;
  const errors: [action: string, name: string, error: unknown][] = [
    ["list", "filter", await assertRejects(() => store.list(filter))],
    ["list", "options", await assertRejects(() => store.page(filter))],
    ["walk", "filter", assertThrows(() => store.walk(filter))],
    ["count", "filter", await assertRejects(() => store.count(filter))],
  ];
  for (const [action, name, error] of errors) {
    assertInstanceOf(error, TypeError);
    assertEquals(
      error.message,
      `Cannot ${action} workflows: "${name}" has no option "statuss"; did you mean "status"?`,
    );
  }
  await assertRejects(
    () => store.list({ cursor: "1" } as WorkflowFilter),
    TypeError,
    '"filter" has no option "cursor"',
  );
  const inherited = Object.create({ statuss: "failed" }, { limit: { value: 1, enumerable: true } });
  assertEquals(await store.list(inherited), []); // only own properties count
});

Deno.test("InMemoryStore.list(), page(), walk() and count() read their options at the call", async () => {
  const store = await storeWith({ a: {}, b: {}, c: { status: "failed" }, d: {} });
  const filter = { status: ["running" as WorkflowStatus], order: "desc" as "asc" | "desc", limit: 2, idPrefix: "" };
  let found: Promise<unknown[]> | undefined;
  const end = store.subscribe(() => { // called under the lock, so these calls wait
    end();
    found = Promise.all([
      store.list(filter).then(idsIn),
      store.page(filter).then(({ states, cursor }) => [idsIn(states), typeof cursor]),
      Array.fromAsync(store.walk(filter)).then(idsIn),
      store.count(filter),
    ]);
  });
  const saved = store.save({ workflowId: "e", status: "running" });
  filter.status[0] = "failed";
  Object.assign(filter, { order: "asc", limit: 1, idPrefix: "x" });
  await saved;
  assertEquals(await found, ["e d", ["e d", "string"], "e d", 4]);
});
