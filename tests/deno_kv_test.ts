/**
 * `DenoKvStore`: large values and what is left of them, one moment beside writers, other processes, limits, codecs, maintenance.
 * The contract: `stores/deno_kv_test.ts`.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  Executor,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowState,
  type WorkflowStateInit,
} from "@rockpool/workflow";
import { type DenoKv, type DenoKvAtomic, DenoKvStore, type DenoKvStoreOptions } from "@rockpool/workflow/deno-kv";
import { listen } from "./support/durable.ts";
import type { PayloadCodec } from "@rockpool/workflow/storage";
import { silent } from "./support/executors.ts";
import { TempFolder } from "./support/temp_files.ts";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
const fired: WorkflowEvent = { type: "timer_fired", at: 2, seq: 0 };
const completed: WorkflowEvent = { type: "workflow_completed", at: 3, result: "out" };
const signal = (signalId: string) => ({ type: "signal_received", at: 2, name: "s", signalId }) as const;
const start = (store: DenoKvStore, workflowId: string, event: WorkflowEvent = started) =>
  store.append({ workflowId, runId: "1", expectedLength: 0, events: [event] });
const add = (store: DenoKvStore, workflowId: string, expectedLength: number, event: WorkflowEvent = fired) =>
  store.append({ workflowId, runId: "1", expectedLength, events: [event] });

/** Calls a function before each call of a database. */
function hooked(kv: Deno.Kv, before: (call: string) => void | Promise<void>): DenoKv {
  const hookedAtomic = (atomic: DenoKvAtomic): DenoKvAtomic => {
    const hook: DenoKvAtomic = {
      check: (...checks) => (atomic.check(...checks), hook),
      set: (...args) => (atomic.set(...args), hook),
      delete: (key) => (atomic.delete(key), hook),
      async commit() {
        await before("commit");
        return await atomic.commit();
      },
    };
    return hook;
  };
  return {
    async get(key) {
      await before("get");
      return await kv.get(key);
    },
    async getMany(keys) {
      await before("getMany");
      return await kv.getMany(keys);
    },
    async *list(range, options) {
      await before("list");
      yield* kv.list(range, options);
    },
    atomic: () => hookedAtomic(kv.atomic()),
    commitVersionstamp: () => kv.commitVersionstamp(),
  };
}

interface Fixture {
  readonly kv: Deno.Kv;
  readonly path: string;
  /** Opens another instance on the same file. */
  connect(options?: DenoKvStoreOptions): Promise<DenoKvStore>;
  /** Makes another instance on the same connection. */
  make(options?: DenoKvStoreOptions, before?: (call: string) => void | Promise<void>): DenoKvStore;
}

/** A test with databases in one new file. They, and their stores, are closed at the end. */
function kvTest(name: string, body: (store: DenoKvStore, fixture: Fixture) => Promise<void>): void {
  Deno.test(`DenoKvStore${name.startsWith(" ") ? "" : "."}${name}`, async () => {
    await using folder = new TempFolder();
    const path = `${folder.path}/kv.db`;
    const [stores, kvs]: [DenoKvStore[], Deno.Kv[]] = [[], []];
    const open = async () => {
      const kv = await Deno.openKv(path);
      kvs.push(kv);
      return kv;
    };
    const make = (kv: DenoKv, options: DenoKvStoreOptions = { pollMs: 1 }) => {
      const store = new DenoKvStore(kv, options);
      stores.push(store);
      return store;
    };
    try {
      const kv = await open();
      await body(make(kv), {
        kv,
        path,
        connect: async (options) => make(await open(), options),
        make: (options, before) => make(before ? hooked(kv, before) : kv, options),
      });
    } finally {
      for (const store of stores) await store.close();
      for (const kv of kvs) kv.close();
    }
  });
}

/** How many entries there are below some parts of the store's keys. */
async function countOf(kv: Deno.Kv, ...parts: Deno.KvKey): Promise<number> {
  let count = 0;
  for await (const _ of kv.list({ prefix: ["rockpool", ...parts] })) count++;
  return count;
}

/** Makes all that is not used old enough for a sweep. */
async function age(kv: Deno.Kv): Promise<void> {
  for await (const { key } of kv.list({ prefix: ["rockpool", "unused"] })) await kv.set(key, 1);
}

const text = (kilobytes: number) => "é€😀x".repeat(kilobytes * 256).slice(0, kilobytes * 1024);

Deno.test("new DenoKvStore() refuses what is no database, and unknown or malformed options", async () => {
  using kv = await Deno.openKv(":memory:");
  const refused: [unknown, unknown, string][] = [
    [null, {}, 'Cannot create a store: "kv" must be an object, got null'],
    [{}, {}, 'Cannot create a store: "kv.atomic" must be a function, got undefined'],
    [kv, { poll: 1 }, 'Cannot create a store: "options" has no option "poll"; did you mean "pollMs"?'],
    [kv, { pollMs: 0 }, 'Cannot create a store: "pollMs" must be a finite number above 0, got 0'],
    [kv, { leaseMs: Infinity }, 'Cannot create a store: "leaseMs" must be a finite number above 0, got Infinity'],
    [kv, { prefix: "a" }, 'Cannot create a store: "prefix" must be an array, got "a"'],
    [kv, { prefix: ["a", null] }, 'Cannot create a store: "prefix[1]" must be a part of a key of Deno KV, got null'],
  ];
  for (const [database, options, message] of refused) {
    const error = assertThrows(() => new DenoKvStore(database as DenoKv, options as DenoKvStoreOptions), Error);
    assert(error.message.startsWith(message), error.message);
  }
});

kvTest(" keeps apart what has another prefix", async (store, { kv, make }) => {
  await kv.set(["rockpool"], "mine");
  await kv.set(["rockpoo", "workflow", "a"], "mine");
  const others = [["other"], ["rockpool", "workflow"], [1, 2n, true, new Uint8Array(1)], []].map((prefix) =>
    make({ prefix })
  );
  await start(store, "a");
  for (const other of others) {
    assertEquals(await other.list(), []);
    await start(other, "a");
    await other.delete("a");
  }
  assertEquals((await store.list()).length, 1);
  assertEquals((await kv.get(["rockpool"])).value, "mine");
});

kvTest("append() and save() write values of every size, in every place", async (store, { connect }) => {
  for (const value of [text(0), text(1), text(40), text(700), { list: [text(3_000)], bytes: new Uint8Array(70_000) }]) {
    await start(store, "a", { ...started, input: value } as WorkflowEvent);
    await add(store, "a", 1, { ...signal("1"), payload: value } as WorkflowEvent);
    await add(store, "a", 2, { ...completed, result: value } as WorkflowEvent);
    const saved: WorkflowStateInit = {
      workflowId: "b",
      runId: "1",
      status: "failed",
      input: value,
      result: value,
      error: { name: "Error", message: "late", data: { value } },
      history: [{ ...started, input: value } as WorkflowEvent],
    };
    await store.save(saved);
    const state = await store.load("a");
    assertEquals([state?.input, state?.result, state?.history.length], [value, value, 3]);
    assertEquals((state?.history[1] as { payload?: unknown }).payload, value);
    const { input, result, error, history } = (await (await connect()).list())[1];
    assertEquals({ input, result, error, history }, {
      input: saved.input,
      result: saved.result,
      error: saved.error!,
      history: saved.history!,
    });
    for (const id of ["a", "b"]) await store.delete(id);
  }
});

kvTest("append() refuses a head that has no room, and names it", async (store) => {
  const labels = { note: "x".repeat(14_000) };
  const { message } = await assertRejects(() => start(store, "a", { ...started, labels } as WorkflowEvent), TypeError);
  assert(/^Cannot write workflow "a": its IDs, name and labels have 141\d\d characters, /.test(message), message);
  assertEquals(await store.list(), []);
});

kvTest("append() adds to a workflow whose head is as large as it can be", async (store) => {
  const labels = { note: "€".repeat(13_000) };
  const id = "€".repeat(600);
  await start(store, id, { ...started, labels } as WorkflowEvent);
  await add(store, id, 1);
  await add(store, id, 2, completed);
  assertEquals((await store.load(id))?.labels, labels);
});

kvTest("append() stores many messages at once, and deliver() knows each of them", async (store) => {
  const ids = Array.from({ length: 3_000 }, (_, i) => `${i}`.padStart(40, "-"));
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started, ...ids.map(signal)] });
  await add(store, "a", 3_001, signal("one"));
  const events = ["new", ids[0], ids[2_999], "one", "new"].map(signal);
  const receipt = await store.deliver({ workflowId: "a", events });
  assertEquals(receipt, { runId: "1", historyLength: 3_003, added: [true, false, false, false, false] });
  const again = await store.deliver({ workflowId: "a", events: [signal("new"), signal("x".repeat(5_000))] });
  assertEquals(again.added, [false, true]);
});

/** Begins a large write in a store that stands still before a commit: `release` lets it continue. */
function largeWrite(make: Fixture["make"], commit: number) {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let count = 0;
  const store = make(undefined, async (call) => {
    if (call !== "commit" || ++count !== commit) return;
    stop();
    await released;
  });
  const input = text(1_000);
  const written = start(store, "large", { ...started, input } as WorkflowEvent);
  return { stopped, release, written, input };
}

kvTest("sweep() deletes what a process has left that ended before its commit", async (store, { kv, make }) => {
  await start(store, "a", { ...started, input: text(1_000) } as WorkflowEvent);
  const entries = await countOf(kv, "data");
  const { stopped, release, written } = largeWrite(make, 5);
  written.catch(() => {});
  await stopped; // the process ends here
  const left = await countOf(kv, "data");
  assert(left > entries + 10, `${left - entries} pieces`);
  assertEquals(await store.sweep(), 0, "how much is swept that is young");
  assertEquals(await countOf(kv, "data"), left);
  await age(kv);
  assertEquals(await store.sweep(), 1);
  assertEquals([await countOf(kv, "data"), await countOf(kv, "unused")], [entries, 0]);
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["a"]);
  release();
  await written;
});

for (let commit = 1; commit <= 15; commit++) {
  kvTest(
    `sweep() beside a large write that stands still before commit ${commit} does not harm it`,
    async (store, { kv, make }) => {
      const { stopped, release, written, input } = largeWrite(make, commit);
      await Promise.race([stopped, written]);
      await age(kv);
      await store.sweep();
      release();
      await written;
      assertEquals((await store.load("large"))?.input, input);
      await age(kv);
      await store.sweep();
      assertEquals((await store.load("large"))?.history, [{ ...started, input } as WorkflowEvent]);
      await store.delete("large");
      await age(kv);
      await store.sweep();
      assertEquals([await countOf(kv, "data"), await countOf(kv, "unused")], [0, 0]);
    },
  );
}

kvTest("sweep() that stands still before its commit does not harm a write that ends", async (store, { kv, make }) => {
  using time = new FakeTime();
  const { stopped, release, written, input } = largeWrite(make, 5);
  await stopped;
  time.tick(660_000);
  let count = 0;
  const sweeper = make(undefined, async (call) => {
    if (call !== "commit" || count++ > 0) return;
    release();
    await written;
  });
  assertEquals(await sweeper.sweep(), 0);
  assertEquals((await store.load("large"))?.input, input);
  assertEquals(await countOf(kv, "unused"), 0);
});

kvTest(
  "sweep() deletes the histories of workflows that were deleted, replaced, saved and pruned",
  async (store, { kv }) => {
    for (const id of ["a", "b", "c", "d", "e"]) {
      await start(store, id);
      for (let i = 1; i < 60; i++) await add(store, id, i, signal(`${i}`));
    }
    await store.delete("a");
    await store.save({ workflowId: "b", status: "running" });
    await add(store, "c", 60, completed);
    await store.append({ workflowId: "c", runId: "2", expectedLength: 0, replaces: "1", events: [started] });
    await store.append({ workflowId: "d", runId: "2", expectedLength: 60, replaces: "1", events: [started] });
    await add(store, "e", 60, completed);
    assertEquals(await store.prune({ finishedBefore: 4 }), 1);
    await age(kv);
    assertEquals(await store.sweep(), 5);
    assertEquals([await countOf(kv, "data"), await countOf(kv, "unused")], [2, 0], "the first events of two runs");
    assertEquals((await store.list()).map(({ history }) => history.length), [0, 1, 1].sort());
  },
);

kvTest("append() sweeps now and then by itself", async (store, { kv, make }) => {
  await start(store, "a");
  await store.delete("a");
  await age(kv);
  const other = make();
  await start(other, "b");
  await other.close(); // waits for it
  assertEquals([await countOf(kv, "data"), await countOf(kv, "unused")], [1, 0]);
});

kvTest(
  "list() shows one moment, and ends, beside a writer that writes before each of its reads",
  async (store, { make }) => {
    const ids = Array.from({ length: 250 }, (_, i) => `${i}`);
    for (const id of ids) await start(store, id);
    let [count, step, isWriting] = [0, 0, false];
    let before = await store.list();
    const reader = make(undefined, async () => {
      if (isWriting) return;
      isWriting = true;
      if (count++ === 1) before = await store.list(); // the first call has read the moment
      const id = ids[(Math.floor(step / 2) * 97) % 250]; // each is changed twice
      switch (step++ % 5) {
        case 0:
          await store.delete(id);
          break;
        case 1:
          await store.save({ workflowId: id, status: "completed", runId: "saved", result: step });
          break;
        case 2:
          await start(store, `new ${step}`);
          break;
        default:
          await store.deliver({ workflowId: id, events: [signal(`${step}`)] }).catch(() => {});
      }
      isWriting = false;
    });
    for (const order of ["asc", "desc"] as const) {
      count = 0;
      const listed = await reader.list({ order });
      const show = (states: WorkflowState[]) =>
        states.map(({ workflowId, runId, status, history }) => `${workflowId} ${runId} ${status} ${history.length}`);
      assertEquals(show(listed), show(order === "asc" ? before : before.toReversed()));
      count = 0;
      const running = await reader.list({ order, status: "running" });
      const expected = before.filter(({ status }) => status === "running");
      assertEquals(show(running), show(order === "asc" ? expected : expected.toReversed()));
    }
    assert(step > 900, `${step} writes`);
  },
);

kvTest(
  "subscribe() reports what other instances write, each change once, and own changes not again",
  async (store, { connect }) => {
    const other = await connect();
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

kvTest("subscribe() never looks with pollMs Infinity", async (store, { connect }) => {
  const never = await connect({ pollMs: Infinity });
  const heard = listen(never, 1);
  await start(store, "a");
  await start(never, "b");
  assertEquals(await heard, [["b", 1]]);
});

Deno.test("DenoKvStore.subscribe() reads only while there are listeners", async () => {
  using kv = await Deno.openKv(":memory:");
  using time = new FakeTime();
  let reads = 0;
  await using store = new DenoKvStore(hooked(kv, () => void reads++), { pollMs: 1 });
  time.tick(1_000);
  assertEquals(reads, 0);
  const ends = [store.subscribe(() => {}), store.subscribe(() => {})];
  while (reads < 5) {
    await kv.get(["x"]);
    time.tick(1);
  }
  for (const end of ends) end();
  for (let i = 0; i < 5; i++) await kv.get(["x"]); // a look that has begun ends
  const before = reads;
  time.tick(1_000);
  await kv.get(["x"]);
  assertEquals(reads, before);
});

Deno.test("DenoKvStore.subscribe() says that changes may be missed after a long pause", async () => {
  using kv = await Deno.openKv(":memory:");
  const { promise, resolve } = Promise.withResolvers<unknown>();
  using time = new FakeTime();
  await using store = new DenoKvStore(kv, { pollMs: 1 });
  let isOver = false;
  const end = store.subscribe((...change) => (isOver = true, resolve(change)));
  while (!isOver) {
    await kv.get(["x"]); // a look may read meanwhile
    time.tick(600_000);
  }
  assertEquals(await promise, [null, null]);
  end();
});

kvTest(
  "page() and heads() return all workflows in pages, also beside writes, and heads read no history",
  async (store, { kv }) => {
    for (const id of ["a", "b", "c", "d"]) await start(store, id);
    await add(store, "d", 1, completed);
    const first = await store.page({ limit: 2, order: "desc" });
    await store.delete("c");
    await start(store, "e");
    const second = await store.page({ limit: 2, order: "desc", cursor: first.cursor });
    assertEquals(first.states.map(({ workflowId }) => workflowId), ["d", "c"]);
    assertEquals([second.states.map(({ workflowId }) => workflowId), second.cursor], [["b", "a"], undefined]);
    assertEquals(first.states[0].history, [started, completed]);
    for await (const { key } of kv.list({ prefix: ["rockpool", "data"] })) await kv.delete(key);
    const { heads } = await store.heads({ status: "completed" });
    const head = { workflowId: "d", runId: "1", firstRunId: "1", workflowName: "w", input: "in", result: "out" };
    assertEquals(heads, [{ ...head, status: "completed", createdAt: 1, updatedAt: 3, historyLength: 2 }]);
  },
);

kvTest("heads() refuses the cursor of another order, and what is none", async (store) => {
  for (const id of ["a", "b"]) await start(store, id);
  const { cursor } = await store.heads({ limit: 1 });
  assertEquals((await store.heads({ limit: 1, cursor })).heads[0].workflowId, "b");
  for (const options of [{ cursor, order: "desc" as const }, { cursor: "7asc" }, { cursor: null as never }]) {
    const { message } = await assertRejects(() => store.heads(options), TypeError);
    assert(message.startsWith('Cannot list workflows: "cursor" must be the cursor of a page with "order" '), message);
  }
});

kvTest("count() counts what matches", async (store) => {
  for (const id of ["a1", "a2", "b"]) await start(store, id);
  await add(store, "b", 1, completed);
  const filters = [{}, { status: "running" as const }, { idPrefix: "a", limit: 1 }];
  assertEquals(await Promise.all(filters.map((one) => store.count(one))), [3, 2, 2]);
});

kvTest("prune() deletes the workflows that finished earlier, and reports them", async (store) => {
  for (let i = 0; i < 240; i++) {
    await store.save({ workflowId: `${i}`, status: i % 2 ? "failed" : "running", updatedAt: i, history: [fired] });
  }
  await store.save({ workflowId: "last", status: "completed", updatedAt: 240 });
  const heard = listen(store, 120);
  assertEquals(await store.prune({ finishedBefore: 240 }), 120);
  assertEquals((await heard)[0][1], null);
  assertEquals([await store.count(), await store.count({ status: "failed" })], [121, 0]);
  assertEquals(await store.prune({ finishedBefore: 240 }), 0);
});

kvTest("append() waits for a lock of another process", async (store, { path }) => {
  await start(store, "a");
  const program = `import { DatabaseSync } from "node:sqlite";
    const db = new DatabaseSync(${JSON.stringify(path)});
    db.exec("BEGIN IMMEDIATE");
    await Deno.stdout.write(new Uint8Array(1));
    await Deno.stdin.read(new Uint8Array(1));
    db.exec("ROLLBACK");
    db.close();`;
  const args = ["eval", program];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const output = child.stdout.getReader();
  await output.read(); // it has the lock
  await output.cancel();
  const written = add(store, "a", 1);
  const input = child.stdin.getWriter();
  await input.write(new Uint8Array(1));
  await input.close();
  await written;
  assertEquals((await child.status).code, 0);
});

Deno.test("DenoKvStore.append() says that another process holds a lock for too long", async () => {
  using kv = await Deno.openKv(":memory:");
  using time = new FakeTime();
  let tries = 0;
  await using store = new DenoKvStore(hooked(kv, (call) => {
    if (call !== "commit") return;
    tries++;
    throw new TypeError("database is locked");
  }));
  const refused = assertRejects(() => start(store, "a"), Error);
  let isOver = false;
  refused.then(() => isOver = true);
  while (!isOver) {
    await kv.get(["x"]);
    time.tick(20);
  }
  const { message } = await refused;
  assertEquals(message, "Cannot use Deno KV: another process holds a lock for too long: database is locked");
  assert(tries > 100, `${tries} tries`);
});

kvTest("load() says that the database is closed", async (_store, { kv }) => {
  const closed = await Deno.openKv(":memory:");
  const store = new DenoKvStore(closed);
  closed.close();
  const { message } = await assertRejects(() => store.load("a"), Error);
  assert(message.startsWith('Cannot use Deno KV: the "Deno.Kv" is closed: '), message);
  await kv.get(["x"]);
});

kvTest(" refuses what a later release has written, and changes nothing", async (store, { kv }) => {
  await start(store, "a");
  await kv.set(["rockpool", "last"], 99);
  for (const call of [() => store.load("a"), () => store.list(), () => start(store, "b"), () => store.delete("a")]) {
    const { message } = await assertRejects(call, Error);
    assertEquals(
      message,
      "Cannot use Deno KV: the schema of the store has version 99, this release knows versions up to 1: update @rockpool/workflow",
    );
  }
  assertEquals(await countOf(kv, "workflow"), 1);
});

kvTest("close() can be repeated, later calls reject, and the database stays open", async (store, { kv }) => {
  await start(store, "a");
  await store.close();
  await store.close();
  for (const call of [() => store.load("a"), () => store.list(), () => start(store, "b"), () => store.sweep()]) {
    const { message } = await assertRejects(call, Error);
    assert(message.endsWith("the store is closed"), message);
  }
  assertEquals(await new DenoKvStore(kv).count(), 1);
});

/** A codec that hides what it stores; with `late`, in promises. Its bytes are a part of a large buffer. */
const hiding = (late: boolean): PayloadCodec => {
  const turn = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x55);
  const encode = (text: string) => {
    const bytes = turn(new TextEncoder().encode(text));
    const whole = new Uint8Array(bytes.length + 100_000);
    whole.set(bytes, 50_000);
    return whole.subarray(50_000, 50_000 + bytes.length);
  };
  const decode = (payload: unknown) => new TextDecoder().decode(turn(payload as Uint8Array));
  if (!late) return { name: "hiding", encode, decode };
  return {
    name: "hiding",
    encode: async (text) => await encode(text),
    decode: async (payload) => await decode(payload),
  };
};

for (const late of [false, true]) {
  kvTest(
    ` with a codec that returns ${late ? "promises" : "bytes"} stores no payload in the clear`,
    async (plain, { make, path }) => {
      const store = make({ codec: hiding(late) });
      for (const [id, secret] of [["a", "secret"], ["b", "secret".repeat(100_000)]]) {
        const events = [{ ...started, input: secret } as WorkflowEvent, completed];
        await store.append({ workflowId: id, runId: "1", expectedLength: 0, events });
        assertEquals((await store.load(id))?.history, events);
      }
      for (const file of [path, `${path}-wal`]) {
        assert(!new TextDecoder().decode(await Deno.readFile(file)).includes("secret"));
      }
      const { code, message } = await assertRejects(() => plain.load("a"), WorkflowError);
      assertEquals(code, "invalid_history");
      assert(message.includes('was written by the codec "hiding"'), message);
    },
  );
}

kvTest("load() refuses a damaged payload, and recover() resumes the other runs", async (store, { kv }) => {
  const wait = async (ctx: WorkflowContext<string>) => await ctx.waitForSignal("s");
  const options = { store, workflows: { wait }, logger: silent, onError() {} };
  const first = new Executor(options);
  for (const id of ["a", "b", "c", "d"]) await first.execute(wait, { id, input: id === "c" ? text(100) : "in" });
  await first.close();
  const dataOf = async (id: string) => (await kv.get<{ data: string }>(["rockpool", "workflow", id])).value!.data;
  await kv.set(["rockpool", "data", await dataOf("a"), 0], { codec: "json", payload: "[{" });
  await kv.delete(["rockpool", "data", await dataOf("b"), 0]);
  for await (const { key } of kv.list({ prefix: ["rockpool", "data", await dataOf("c"), "piece"] })) {
    if (key.at(-1) === 1) await kv.delete(key);
  }
  const words = [["a", "a stored payload is damaged"], ["b", "0 of its 1 events are stored"], [
    "c",
    "pieces of a stored",
  ]];
  for (const [id, word] of words) {
    const { code, message } = await assertRejects(() => store.load(id), WorkflowError);
    assertEquals(code, "invalid_history");
    assert(message.includes(word), message);
  }
  assertEquals((await store.heads()).heads.length, 4);
  assertEquals((await store.claim({ owner: "o", leaseMs: 1, limit: 9 })).length, 4);
  await using executor = new Executor(options);
  const handles = await executor.recover();
  await executor.signal("d", "s", "hello");
  const results = await Promise.allSettled(handles.map((handle) => handle.result()));
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected", "rejected", "fulfilled"]);
  const { reason } = results[0] as PromiseRejectedResult;
  assert(reason.message.includes("a stored payload is damaged"), reason.message);
});

kvTest("loadSince() reads from any event on", async (store) => {
  const events = [started, fired, signal("1"), signal("2"), fired];
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: events.slice(0, 3) });
  await store.append({ workflowId: "a", runId: "1", expectedLength: 3, events: events.slice(3) });
  for (const length of [0, 1, 2, 3, 4, 5, 6, Infinity]) {
    assertEquals((await store.loadSince("a", length))?.events, events.slice(length), `from ${length} on`);
  }
  assertEquals([await store.loadSince("a", 0, "2"), await store.loadSince("b", 0)], [null, null]);
});
