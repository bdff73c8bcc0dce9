/** `SqliteStore`: opening, group commit, other processes, pages, codecs, maintenance, executors. The contract: `stores/sqlite_test.ts`. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import {
  type AppendBatch,
  Executor,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowFilter,
} from "@rockpool/workflow";
import { SqliteStore, type SqliteStoreOptions } from "@rockpool/workflow/sqlite";
import { readFilter } from "../storage/mod.ts";
import { FEW, find } from "../stores/sqlite/rows.ts";
import { listen } from "./support/durable.ts";
import type { PayloadCodec } from "@rockpool/workflow/storage";
import { silent } from "./support/executors.ts";
import { openWithConnection } from "./support/sqlite_connection.ts";
import { TempFolder } from "./support/temp_files.ts";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
const fired: WorkflowEvent = { type: "timer_fired", at: 2, seq: 0 };
const completed: WorkflowEvent = { type: "workflow_completed", at: 3, result: "out" };
const start = (store: SqliteStore, workflowId: string) =>
  store.append({ workflowId, runId: "1", expectedLength: 0, events: [started] });
const add = (store: SqliteStore, workflowId: string, expectedLength: number, event: WorkflowEvent = fired) =>
  store.append({ workflowId, runId: "1", expectedLength, events: [event] });

/** Calls `body` with the path of a new file. */
async function withPath(body: (path: string) => Promise<void>): Promise<void> {
  await using folder = new TempFolder();
  await body(`${folder.path}/workflows.db`);
}

function sqliteTest(name: string, body: (path: string) => Promise<void>): void {
  Deno.test(`SqliteStore.${name}`, () => withPath(body));
}

/** Runs SQL beside the store. */
function sql(path: string, text: string): unknown[] {
  const db = new DatabaseSync(path);
  try {
    return db.prepare(text).all().map((row) => Object.values(row as object)[0]);
  } finally {
    db.close();
  }
}
const versionOf = (path: string) => sql(path, "SELECT value FROM rockpool_meta WHERE key = 'version'")[0] as number;

sqliteTest("open() refuses a damaged file with words, and leaves it as it is", async (path) => {
  const text = "this is no database ".repeat(100);
  await Deno.writeTextFile(path, text);
  const { message } = await assertRejects(() => SqliteStore.open(path), Error);
  assert(
    message.startsWith(
      `Cannot open store ${JSON.stringify(path)}: the file is damaged, or no database; it was left as it is`,
    ),
    message,
  );
  assertEquals(await Deno.readTextFile(path), text);
});

sqliteTest("open() refuses the schema of a later release, and changes nothing", async (path) => {
  await (await SqliteStore.open(path)).close();
  sql(path, "UPDATE rockpool_meta SET value = 99 WHERE key = 'schema'");
  const { message } = await assertRejects(() => SqliteStore.open(path), Error);
  assert(message.endsWith("its schema has version 99, this release knows versions up to 1: update @rockpool/workflow"));
  assertEquals(sql(path, "SELECT value FROM rockpool_meta WHERE key = 'schema'"), [99]);
});

sqliteTest("open() says that a folder is missing", async (path) => {
  const { message } = await assertRejects(() => SqliteStore.open(`${path}/no/workflows.db`), Error);
  assert(message.includes("the file or its folder is missing, or cannot be opened or written"), message);
});

sqliteTest("open() leaves tables of the user in the file alone", async (path) => {
  sql(path, "CREATE TABLE orders (id TEXT)");
  await using store = await SqliteStore.open(path);
  await start(store, "a");
  assertEquals(sql(path, "SELECT count(*) FROM orders"), [0]);
});

sqliteTest("append() shares one transaction with the other writes of a macrotask", async (path) => {
  await using store = await SqliteStore.open(path);
  const before = versionOf(path);
  await Promise.all(Array.from({ length: 100 }, (_, i) => start(store, `${i}`)));
  assertEquals(versionOf(path), before + 1);
});

sqliteTest("append() fails alone when it is a conflict among other writes", async (path) => {
  await using store = await SqliteStore.open(path);
  await start(store, "a");
  const before = versionOf(path);
  const settled = await Promise.allSettled([
    start(store, "b"),
    add(store, "a", 7),
    add(store, "a", 1),
    start(store, "a"),
  ]);
  assertEquals(settled.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "rejected"]);
  assertEquals(versionOf(path), before + 1);
  assertEquals((await store.list()).map(({ history }) => history.length), [2, 1]);
});

sqliteTest("append() fails alone when SQLite refuses it among other writes", async (path) => {
  await using store = await SqliteStore.open(path);
  sql(
    path,
    `CREATE TRIGGER no_b BEFORE INSERT ON rockpool_workflows WHEN new.workflow_id = 'b' BEGIN SELECT RAISE(ABORT, 'no b'); END`,
  );
  const settled = await Promise.allSettled(["a", "b", "c"].map((id) => start(store, id)));
  assertEquals(settled.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assertEquals((settled[1] as PromiseRejectedResult).reason.message, "Cannot write to the store: no b");
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["a", "c"]);
});

sqliteTest("append() takes effect in the order of the calls", async (path) => {
  await using store = await SqliteStore.open(path);
  await Promise.all([start(store, "a"), add(store, "a", 1), add(store, "a", 2), store.delete("a"), start(store, "a")]);
  assertEquals((await store.load("a"))?.history, [started]);
});

sqliteTest("append() says that another process holds a lock, and works when it is gone", async (path) => {
  await using store = await SqliteStore.open(path, { busyTimeoutMs: 5 });
  const db = new DatabaseSync(path);
  db.exec("BEGIN IMMEDIATE");
  const settled = await Promise.allSettled(["a", "b"].map((id) => start(store, id)));
  for (const one of settled as PromiseRejectedResult[]) {
    assert(one.reason.message.startsWith("Cannot write to the store: another process holds a lock for too long"));
  }
  assertEquals(await store.list(), [], "reads do not wait");
  db.exec("ROLLBACK");
  db.close();
  await start(store, "a");
});

sqliteTest("append() writes one row", async (path) => {
  await using store = await SqliteStore.open(path);
  await start(store, "a");
  await store.append({ workflowId: "a", runId: "1", expectedLength: 1, events: [fired, fired, completed] });
  assertEquals(sql(path, "SELECT first FROM rockpool_events ORDER BY first"), [0, 1]);
});

sqliteTest(
  "subscribe() reports what other instances write, each change once, and own changes not again",
  async (path) => {
    await using store = await SqliteStore.open(path, { pollMs: 1 });
    await using other = await SqliteStore.open(path);
    await start(store, "before");
    const heard = listen(store, 5);
    await start(store, "own");
    await start(other, "a");
    await add(store, "own", 1);
    await add(other, "own", 2);
    await other.save({ workflowId: "b", status: "running" });
    const changes = await heard;
    assertEquals(changes.map(([id, length]) => `${id} ${length}`).sort(), ["a 1", "b null", "own 1", "own 2", "own 3"]);
  },
);

sqliteTest("subscribe() never looks with pollMs Infinity", async (path) => {
  await using store = await SqliteStore.open(path, { pollMs: Infinity });
  await using other = await SqliteStore.open(path);
  const heard = listen(store, 1);
  await start(other, "a");
  await start(store, "b");
  assertEquals(await heard, [["b", 1]]);
});

sqliteTest(
  "page() and heads() return all workflows in pages, also beside writes, and heads read no history",
  async (path) => {
    await using store = await SqliteStore.open(path);
    for (const id of ["a", "b", "c", "d"]) await start(store, id);
    await store.append({ workflowId: "d", runId: "1", expectedLength: 1, events: [completed] });
    const first = await store.page({ limit: 2, order: "desc" });
    await store.delete("c");
    await start(store, "e");
    const second = await store.page({ limit: 2, order: "desc", cursor: first.cursor });
    assertEquals(first.states.map(({ workflowId }) => workflowId), ["d", "c"]);
    assertEquals([second.states.map(({ workflowId }) => workflowId), second.cursor], [["b", "a"], undefined]);
    assertEquals(first.states[0].history, [started, completed]);
    sql(path, "DELETE FROM rockpool_events");
    const { heads } = await store.heads({ status: "completed" });
    const head = {
      workflowId: "d",
      runId: "1",
      firstRunId: "1",
      workflowName: "w",
      status: "completed" as const,
      input: "in",
      result: "out",
    };
    assertEquals(heads, [{ ...head, createdAt: 1, updatedAt: 3, historyLength: 2 }]);
  },
);

sqliteTest("count() counts what matches", async (path) => {
  await using store = await SqliteStore.open(path);
  for (const id of ["a1", "a2", "b"]) await start(store, id);
  await add(store, "b", 1, completed);
  assertEquals(
    await Promise.all([{}, { status: "running" as const }, { idPrefix: "a", limit: 1 }].map((one) => store.count(one))),
    [3, 2, 2],
  );
});

sqliteTest("prune() deletes the workflows that finished earlier, and reports them", async (path) => {
  await using store = await SqliteStore.open(path);
  for (let i = 0; i < 600; i++) {
    store.save({ workflowId: `${i}`, status: i % 2 ? "failed" : "running", updatedAt: i, history: [fired] });
  }
  await store.save({ workflowId: "last", status: "completed", updatedAt: 600 });
  const heard = listen(store, 300);
  assertEquals(await store.prune({ finishedBefore: 600 }), 300);
  assertEquals((await heard)[0][1], null);
  assertEquals([await store.count(), await store.count({ status: "failed" })], [301, 0]);
  assertEquals(sql(path, "SELECT count(*) FROM rockpool_events"), [300]);
  assertEquals(await store.prune({ finishedBefore: 600 }), 0);
});

sqliteTest("backup() writes a copy while the store is used, and refuses a file that exists", async (path) => {
  await using store = await SqliteStore.open(path);
  await start(store, "a");
  const writes = Array.from({ length: 10 }, (_, i) => start(store, `${i}`));
  await store.backup(`${path}.copy`);
  await Promise.all(writes);
  await using copy = await SqliteStore.open(`${path}.copy`);
  assertEquals(await copy.load("a"), await store.load("a"));
  const { message } = await assertRejects(() => store.backup(`${path}.copy`), Error);
  assert(message.endsWith('workflows.db.copy": the file exists and is not empty'), message);
});

sqliteTest("close() writes what was begun, can be repeated, and later calls reject", async (path) => {
  const store = await SqliteStore.open(path);
  const written = start(store, "a");
  await store.close();
  await store.close();
  await written;
  for (const call of [() => store.load("a"), () => store.list(), () => start(store, "b"), () => store.delete("a")]) {
    const { message } = await assertRejects(call, Error);
    assert(message.endsWith("the store is closed"), message);
  }
  await using again = await SqliteStore.open(path);
  assertEquals(await again.count(), 1);
});

/** A codec that hides what it stores; with `late`, in promises. */
const hiding = (late: boolean): PayloadCodec => {
  const turn = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x55);
  const encode = (text: string) => turn(new TextEncoder().encode(text));
  const decode = (payload: unknown) => new TextDecoder().decode(turn(payload as Uint8Array));
  if (!late) return { name: "hiding", encode, decode };
  return {
    name: "hiding",
    encode: async (text) => await encode(text),
    decode: async (payload) => await decode(payload),
  };
};

for (const late of [false, true]) {
  sqliteTest(
    `open() with a codec that returns ${late ? "promises" : "bytes"} stores no payload in the clear`,
    async (path) => {
      const options: SqliteStoreOptions = { codec: hiding(late) };
      const secret = { ...started, input: "secret" } as WorkflowEvent;
      {
        await using store = await SqliteStore.open(path, options);
        await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [secret, completed] });
        assertEquals((await store.load("a"))?.history, [secret, completed]);
      }
      assert(!new TextDecoder().decode(await Deno.readFile(path)).includes("secret"));
      await using plain = await SqliteStore.open(path);
      const { code, message } = await assertRejects(() => plain.load("a"), WorkflowError);
      assertEquals(code, "invalid_history");
      assert(message.includes('was written by the codec "hiding"'), message);
    },
  );
}

sqliteTest("load() refuses a damaged payload, and recover() resumes the other runs", async (path) => {
  const wait = async (ctx: WorkflowContext) => await ctx.waitForSignal("s");
  const options = { workflows: { wait }, logger: silent, onError() {} };
  {
    await using store = await SqliteStore.open(path);
    await using executor = new Executor({ store, ...options });
    for (const id of ["a", "b", "c"]) await executor.execute(wait, { id });
  }
  sql(path, "UPDATE rockpool_events SET events = '[{' WHERE place = 1");
  sql(path, "DELETE FROM rockpool_events WHERE place = 2");
  await using store = await SqliteStore.open(path);
  for (const [id, words] of [["a", "a stored payload is damaged"], ["b", "0 of its 1 events are stored"]]) {
    const { code, message } = await assertRejects(() => store.load(id), WorkflowError);
    assertEquals(code, "invalid_history");
    assert(message.includes(words), message);
  }
  await using executor = new Executor({ store, ...options });
  const handles = await executor.recover();
  await executor.signal("c", "s", "hello");
  const results = await Promise.allSettled(handles.map((handle) => handle.result()));
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
  const { reason } = results[0] as PromiseRejectedResult;
  assert(reason.message.includes("a stored payload is damaged"), reason.message);
});

sqliteTest("claim() takes a run whose input is damaged, and the others", async (path) => {
  await using store = await SqliteStore.open(path);
  for (const id of ["a", "b"]) await start(store, id);
  sql(path, "UPDATE rockpool_workflows SET input = '{' WHERE place = 1");
  const claimed = await store.claim({ owner: "x", leaseMs: 1e9, limit: 5 });
  assertEquals(claimed.map(({ workflowId }) => workflowId), ["a", "b"]);
});

sqliteTest("append() lets an executor wait for a lock, and go on by itself", async (path) => {
  await using store = await SqliteStore.open(path, { busyTimeoutMs: 1 });
  await using executor = new Executor({ store, storeRetry: { initialIntervalMs: 1 } });
  const handle = await executor.execute(
    async (ctx) => [await ctx.waitForSignal("s"), await ctx.executeActivity(() => 2)],
    {
      id: "a",
    },
  );
  const db = new DatabaseSync(path);
  db.exec("BEGIN IMMEDIATE");
  const sent = handle.signal("s", 1);
  await store.load("a");
  db.exec("ROLLBACK");
  db.close();
  await sent;
  assertEquals(await handle.result(), [1, 2]);
});

sqliteTest("claim() that finds nothing writes nothing", async (path) => {
  await using store = await SqliteStore.open(path);
  await store.claim({ owner: "x", leaseMs: 1e9, limit: 5 });
  const db = new DatabaseSync(path);
  const version = () => Object.values(db.prepare("PRAGMA data_version").get() as object)[0];
  const seen = version();
  for (let i = 0; i < 5; i++) assertEquals(await store.claim({ owner: "x", leaseMs: 1e9, limit: 5 }), []);
  assertEquals(version(), seen);
  db.close();
});

sqliteTest('open() lets each commit wait for the disk, unless durability is "relaxed"', async (path) => {
  for (const [durability, synchronous] of [[undefined, 2], ["full", 2], ["relaxed", 1]] as const) { // FULL and NORMAL
    const { store, db } = await openWithConnection(path, { durability });
    await using _ = store;
    assertEquals({ ...db.prepare("PRAGMA synchronous").get() }, { synchronous });
    await store.claim({ owner: `${durability}`, leaseMs: 1e9, limit: 0 }); // the next one ends its lease, and changes the journal
  }
});

sqliteTest("open() keeps the write-ahead log when another process leaves it at the same moment", async (path) => {
  const { exec } = DatabaseSync.prototype;
  let hasTried = false;
  DatabaseSync.prototype.exec = function (text) {
    exec.call(this, text);
    if (!text.startsWith("PRAGMA synchronous")) return;
    DatabaseSync.prototype.exec = exec;
    hasTried = true;
    try {
      sql(path, "PRAGMA journal_mode = DELETE"); // as a process does that is alone, when it opens the file
    } catch (error) {
      assert(/locked/.test(`${error}`), `${error}`);
    }
  };
  await using store = await SqliteStore.open(path).finally(() => DatabaseSync.prototype.exec = exec);
  assert(hasTried);
  assertThrows(() => sql(path, "PRAGMA journal_mode = DELETE"), Error, "locked"); // so every other process knows that one has it open
  await start(store, "a");
});

sqliteTest("claims and renewals are not reported as changes to another instance", async (path) => {
  await using store = await SqliteStore.open(path);
  await using other = await SqliteStore.open(path, { pollMs: 1 });
  await start(store, "a");
  const heard = listen(other, 1);
  await store.claim({ owner: "x", leaseMs: 1e9, limit: 5 });
  await store.renew("x", 1e9);
  await store.release("x");
  await start(store, "b");
  assertEquals(await heard, [["b", 1]]);
});

sqliteTest("load() reads a history that was written without a codec and with one, in order", async (path) => {
  {
    await using plain = await SqliteStore.open(path);
    await start(plain, "a");
    await add(plain, "a", 1);
  }
  await using store = await SqliteStore.open(path, { codec: hiding(false) });
  await add(store, "a", 2, completed);
  assertEquals((await store.load("a"))?.history, [started, fired, completed]);
  await using plain = await SqliteStore.open(path);
  const { message } = await assertRejects(() => plain.load("a"), WorkflowError);
  assert(message.includes('was written by the codec "hiding"'), message);
});

sqliteTest("heads() finds the beginning of an ID whatever characters it has", async (path) => {
  await using store = await SqliteStore.open(path);
  const chars = ["a", "b", "\\", "\0", "%", "_", "\ud7ff", "\ud83d", "\ude00", "\ud83d\ude00", "\ue000", "\u{10ffff}"];
  const ids = chars.flatMap((one) => ["", ...chars].map((two) => one + two));
  for (const id of new Set(ids)) await store.save({ workflowId: id, status: "running" });
  const stored = (await store.heads({ limit: 1000 })).heads.map(({ workflowId }) => workflowId);
  for (const idPrefix of [...ids, "\u{10ffff}\u{10ffff}\u{10ffff}"]) {
    const { heads } = await store.heads({ idPrefix, limit: 1000 });
    const expected = stored.filter((id) => id.startsWith(idPrefix));
    assertEquals([heads.map(({ workflowId }) => workflowId), await store.count({ idPrefix })], [
      expected,
      expected.length,
    ]);
  }
});

sqliteTest("heads() finds a few and many by prefix, time, name and label", async (path) => {
  await using store = await SqliteStore.open(path);
  const count = FEW + 20;
  await Promise.all(Array.from({ length: count }, (_, i) => {
    const workflowId = `${i % 2 ? "odd" : "even"}-${i}`;
    const labels = { n: `${i}`, text: `"n":"${i + 1}"` };
    return store.save({ workflowId, workflowName: i < 3 ? "rare" : "w", status: "running", createdAt: i, labels });
  }));
  const numbers = async (filter: WorkflowFilter) => {
    const { heads } = await store.heads({ ...filter, limit: 3, order: "desc" });
    return [await store.count(filter), ...heads.map(({ createdAt }) => createdAt)];
  };
  const half = count / 2;
  assertEquals(await numbers({ idPrefix: "odd-" }), [half, count - 1, count - 3, count - 5]);
  assertEquals(await numbers({ idPrefix: "odd-101" }), [6, 1019, 1017, 1015]);
  assertEquals(await numbers({ idPrefix: "od", createdAfter: count - 5 }), [2, count - 1, count - 3]);
  assertEquals(await numbers({ idPrefix: "even-", createdBefore: 3, workflowName: "rare" }), [2, 2, 0]);
  assertEquals(await numbers({ createdAfter: 4, createdBefore: 7 }), [2, 6, 5]);
  assertEquals(await numbers({ createdAfter: -1 }), [count, count - 1, count - 2, count - 3]);
  assertEquals(await numbers({ createdBefore: count }), [count, count - 1, count - 2, count - 3]);
  assertEquals(await numbers({ workflowName: "rare" }), [3, 2, 1, 0]);
  assertEquals(await numbers({ labels: { n: "7" } }), [1, 7]); // the text of the sixth looks like it
});

sqliteTest(
  "heads() finds runs by labels of every character, and by the index what was saved, continued or changed",
  async (path) => {
    await using store = await SqliteStore.open(path);
    const texts = ["a", "b:c", "\0", "\n", '"', "\\", "\ud83d", "é", "\u{1f600}", "__proto__", "constructor", ""];
    const labelsOf = (text: string) => JSON.parse(JSON.stringify({ [text]: text }));
    const append = (workflowId: string, events: WorkflowEvent[], part: Partial<AppendBatch> = {}) =>
      store.append({ workflowId, runId: "1", expectedLength: 0, events, ...part });
    const find = async (filter: WorkflowFilter) =>
      (await store.heads(filter)).heads.map(({ workflowId }) => workflowId).join();
    for (const [i, text] of texts.entries()) {
      await append(`${i}`, [{ ...started, labels: { old: "x", "a:b": "c" } } as WorkflowEvent]);
      await append(`${i}`, [{ type: "labels_changed", at: 2, seq: 0, labels: labelsOf(text) }], { expectedLength: 1 });
    }
    for (const [i, text] of texts.entries()) assertEquals(await find({ labels: labelsOf(text) }), `${i}`, text);
    assertEquals(await find({ labels: { old: "x" } }), "");
    using db = new DatabaseSync(path);
    const indexed = () => db.prepare("SELECT count(*) AS count FROM rockpool_labels").get()!.count;
    assertEquals(indexed(), texts.length);
    await store.save({ workflowId: "0", status: "completed", labels: { a: "b", c: "d" } });
    assertEquals([await find({ labels: { a: "b" } }), indexed()], ["0", texts.length + 1]);
    const next = { ...started, labels: { next: "x" } } as WorkflowEvent;
    await append("1", [next], { runId: "2", replaces: "1", expectedLength: 2 });
    assertEquals([await find({ labels: { next: "x" } }), await find({ labels: { "b:c": "b:c" } })], ["1", ""]);
    await store.prune({ finishedBefore: 1e15 });
    for (const { workflowId } of await store.list()) await store.delete(workflowId);
    assertEquals(indexed(), 0);
  },
);

sqliteTest("heads() looks into an index when few rows fit, and keeps the order of all when many do", async (path) => {
  await using store = await SqliteStore.open(path);
  const count = FEW + 20;
  await Promise.all(
    Array.from({ length: count }, (_, i) => {
      const labels = { all: "x", ...(i < 3 && { few: "x" }) };
      return store.save({ workflowId: `w-${i}`, status: "running", createdAt: i, labels });
    }),
  );
  using db = new DatabaseSync(path);
  const planOf = (filter: WorkflowFilter) => {
    const { from, values, place } = find(readFilter(filter), undefined, (from, values) => {
      const sql = `SELECT count(*) AS count FROM (SELECT 1 FROM ${from} LIMIT ${FEW})`;
      return Number(db.prepare(sql).get(...values)!.count) < FEW;
    });
    const sql = `EXPLAIN QUERY PLAN SELECT * FROM ${from} ORDER BY ${place} DESC`;
    return db.prepare(sql).all(...values).map(({ detail }) => detail).join();
  };
  assertStringIncludes(planOf({ idPrefix: "w-10" }), "workflow_id>?");
  assertStringIncludes(planOf({ createdAfter: 1000 }), "rockpool_workflows_created");
  assertStringIncludes(planOf({ workflowName: "w" }), "rockpool_workflows_name");
  // No plan sorts what a label finds.
  const byLabel = "SEARCH rockpool_labels USING PRIMARY KEY (label=?)," +
    "SEARCH rockpool_workflows USING INTEGER PRIMARY KEY (rowid=?)";
  assertEquals(planOf({ labels: { all: "x" } }), byLabel);
  assertEquals(planOf({ labels: { all: "x", few: "x" }, status: "running", idPrefix: "w-" }), byLabel);
  for (const other of [{ status: "running" }, { workflowName: "w" }, { createdAfter: 1000 }] as const) {
    assertEquals(planOf({ labels: { all: "x" }, ...other }).includes("rockpool_labels"), false);
  }
  for (const filter of [{ idPrefix: "w-" }, { createdAfter: 5 }]) {
    assertEquals(planOf(filter), "SCAN rockpool_workflows");
  }
});

Deno.test("SqliteStore.open() with readOnly reads what others write, and writes nothing", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/workflows.db`;
  await assertRejects(() => SqliteStore.open(path, { readOnly: true }), Error, "the file or its folder is missing");
  await using store = await SqliteStore.open(path);
  await store.save({ workflowId: "a", status: "running" });
  await using reader = await SqliteStore.open(path, { readOnly: true, pollMs: 5 });
  assertEquals((await reader.load("a"))?.status, "running");
  const changed = Promise.withResolvers<string | null>();
  const unsubscribe = reader.subscribe((id) => changed.resolve(id));
  await store.save({ workflowId: "b", status: "completed" });
  assertEquals(await changed.promise, "b");
  unsubscribe();
  await assertRejects(() => reader.save({ workflowId: "c", status: "running" }), Error, "cannot be written");
  await assertRejects(() => reader.delete("a"), Error, "cannot be written");
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["a", "b"]);
});

Deno.test("SqliteStore.open() with readOnly refuses a file without the tables of a store", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/other.db`;
  new DatabaseSync(path).close();
  await Deno.writeTextFile(path, "");
  await assertRejects(() => SqliteStore.open(path, { readOnly: true }), Error, "it has no tables of a store");
});

Deno.test("SqliteStore.open() with readOnly needs no permission to write in Deno", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/workflows.db`;
  await using store = await SqliteStore.open(path);
  await store.save({ workflowId: "a", status: "running" });
  const source = `import { SqliteStore } from "${new URL("../stores/sqlite.ts", import.meta.url)}";
    const store = await SqliteStore.open(${JSON.stringify(path)}, { readOnly: true });
    console.log((await store.load("a")).status);
    await store.close();`;
  const program = `${folder.path}/program.ts`;
  await Deno.writeTextFile(program, source);
  const args = ["run", "--no-prompt", "--no-check", "--allow-read", program];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  assertEquals(new TextDecoder().decode(stdout), "running\n", new TextDecoder().decode(stderr));
});
