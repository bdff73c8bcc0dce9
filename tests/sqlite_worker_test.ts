/** `SqliteStore` in a worker: what differs from a store in the thread of the program. The contract: `stores/sqlite_test.ts`. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { Executor, type WorkflowContext, WorkflowError, type WorkflowEvent } from "@rockpool/workflow";
import { SqliteStore, type SqliteStoreOptions, type SqliteTransaction } from "@rockpool/workflow/sqlite";
import { TempFolder } from "./support/temp_files.ts";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
const start = (store: SqliteStore, workflowId: string) =>
  store.append({ workflowId, runId: "1", expectedLength: 0, events: [started] });

function workerTest(
  name: string,
  body: (store: SqliteStore, path: string) => Promise<void>,
  options: SqliteStoreOptions = {},
): void {
  Deno.test(`SqliteStore in a worker: ${name}`, async () => {
    await using folder = new TempFolder();
    const path = `${folder.path}/workflows.db`;
    await using store = await SqliteStore.open(path, { ...options, worker: true });
    await body(store, path);
  });
}

/** Locks the file for writers until it is disposed of. */
function lock(path: string): Disposable {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE");
  return {
    [Symbol.dispose]() {
      db.exec("ROLLBACK");
      db.close();
    },
  };
}

function versionOf(path: string): number {
  const db = new DatabaseSync(path);
  const { value } = db.prepare("SELECT value FROM rockpool_meta WHERE key = 'version'").get() as { value: number };
  db.close();
  return value;
}

workerTest("append() does not stop the timers of the program while it waits for a lock", async (store, path) => {
  let isStored = false;
  let stored: Promise<void>;
  {
    using _ = lock(path);
    stored = start(store, "a").then(() => void (isStored = true));
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve));
    assertEquals(isStored, false);
  }
  await stored; // in the thread of the program it would have been refused after the time for the lock
}, { busyTimeoutMs: 60_000 });

workerTest("append() rejects with the words and the code of SQLite, and works again", async (store, path) => {
  {
    using _ = lock(path);
    const error = await assertRejects(() => start(store, "a"), Error);
    assertMatch(error.message, /^Cannot write to the store: another process holds a lock for too long: /);
    assertMatch((error.cause as Error).message, /database is locked/);
    assertEquals((error.cause as { errcode?: number }).errcode, 5);
  }
  await start(store, "a");
}, { busyTimeoutMs: 1 });

workerTest("append() rejects with a WorkflowError for a conflict, and only its own writes", async (store) => {
  const settled = await Promise.allSettled([start(store, "a"), start(store, "a"), start(store, "b")]);
  assertEquals(settled.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  const { reason } = settled[1] as PromiseRejectedResult;
  assert(reason instanceof WorkflowError);
  assertEquals(reason.code, "conflict");
});

workerTest("writes that are made while a commit is in flight share the next one", async (store, path) => {
  const before = versionOf(path);
  const writes: Promise<void>[] = [];
  {
    using _ = lock(path);
    writes.push(start(store, "first"));
    for (let i = 0; i < 20; i++) { // each in a macrotask of its own
      await new Promise((resolve) => setTimeout(resolve));
      writes.push(start(store, `${i}`));
    }
  }
  await Promise.all(writes);
  assertEquals(versionOf(path), before + 2);
}, { busyTimeoutMs: 60_000 });

workerTest("close() writes what was begun, and answers what was asked", async (store, path) => {
  const written = [start(store, "a"), start(store, "b")];
  const loaded = store.load("none");
  await Promise.all([store.close(), store.close()]);
  await Promise.all(written);
  assertEquals(await loaded, null);
  await assertRejects(() => store.load("a"), Error, 'Cannot load workflow "a": the store is closed');
  await using again = await SqliteStore.open(path);
  assertEquals(await again.count(), 2);
});

workerTest("subscribe() misses nothing that is written before the worker watches", async (store, path) => {
  await start(store, "a");
  const heard = Promise.withResolvers<void>();
  const db = new DatabaseSync(path);
  const end = store.subscribe((id) => id === "a" || id === null ? heard.resolve() : undefined);
  db.exec(`UPDATE rockpool_meta SET value = value + 1 WHERE key = 'version';
    UPDATE rockpool_workflows SET version = (SELECT value FROM rockpool_meta WHERE key = 'version')`);
  db.close();
  await heard.promise;
  end();
}, { pollMs: 1 });

for (const late of [false, true]) {
  const turn = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x55);
  const encode = (text: string) => turn(new TextEncoder().encode(text));
  const decode = (payload: string | Uint8Array) => new TextDecoder().decode(turn(payload as Uint8Array));
  workerTest(
    `a codec that returns ${late ? "promises" : "bytes"} is called in the thread of the program`,
    async (store) => {
      await store.save({ workflowId: "a", status: "completed", result: { at: new Date(1) }, history: [started] });
      const state = await store.load("a");
      assertEquals([state?.result, state?.history], [{ at: new Date(1) }, [started]]);
      assert(Object.isFrozen(state?.history[0]));
    },
    {
      codec: late
        ? {
          name: "hiding",
          encode: async (text) => await encode(text),
          decode: async (payload) => await decode(payload),
        }
        : { name: "hiding", encode, decode },
    },
  );
}

workerTest(
  "transactional() stores what the function writes and its result, beside other writes",
  async (store, path) => {
    const prepare = store.transactional(function prepare(tx: SqliteTransaction) {
      tx.exec("CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)");
    });
    const charge = store.transactional(function charge(tx: SqliteTransaction, cents: number) {
      return Number(tx.prepare("INSERT INTO ledger (cents) VALUES (?)").run(cents).lastInsertRowid);
    });
    await using executor = new Executor({ store });
    const order = async (ctx: WorkflowContext<number>, cents: number) => {
      await ctx.executeActivity(prepare);
      return await ctx.executeActivity(charge, cents);
    };
    const handles = await Promise.all([1, 2, 3, 4, 5].map((cents) => executor.execute(order, { input: cents })));
    const results = await Promise.all(handles.map((handle) => handle.result()));
    assertEquals(results.toSorted(), [1, 2, 3, 4, 5]);
    const db = new DatabaseSync(path);
    assertEquals({ ...db.prepare("SELECT count(*) AS count FROM ledger").get() }, { count: 5 });
    db.close();
  },
);

workerTest("backup() writes a copy, and refuses a file that exists", async (store, path) => {
  await start(store, "a");
  await store.backup(`${path}.copy`);
  await assertRejects(() => store.backup(`${path}.copy`), Error, "the file exists and is not empty");
  await using copy = await SqliteStore.open(`${path}.copy`);
  assertEquals(await copy.load("a"), await store.load("a"));
});

/** Opens a store, and returns its worker. */
async function withWorker(path: string): Promise<[SqliteStore, Worker]> {
  const { postMessage } = Worker.prototype;
  let worker: Worker | undefined;
  Worker.prototype.postMessage = function (...args: Parameters<Worker["postMessage"]>) {
    worker = this;
    postMessage.apply(this, args);
  };
  try {
    const store = await SqliteStore.open(path, { worker: true, busyTimeoutMs: 60_000 });
    await store.count();
    return [store, worker!];
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
}

Deno.test("SqliteStore in a worker: every call rejects with words when the worker has ended, and close() works", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/workflows.db`;
  const [store, worker] = await withWorker(path);
  const words =
    "Cannot reach the database: the worker of the store has ended; what was being written may be stored; open the store again";
  {
    const inFlight = assertRejects(() => start(store, "a"), Error, words);
    await worker.terminate();
    await inFlight;
  }
  await assertRejects(() => start(store, "b"), Error, words);
  await assertRejects(() => store.load("b"), Error, words);
  await store.close();
  await using again = await SqliteStore.open(path, { worker: true });
  await start(again, "c");
});

Deno.test("SqliteStore.open() in a worker refuses a file with the words of a store without one", async () => {
  await using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/text`, "this is no database ".repeat(100));
  for (const path of [`${folder.path}/no/workflows.db`, `${folder.path}/text`]) {
    const errors = [false, true].map((worker) => assertRejects(() => SqliteStore.open(path, { worker }), Error));
    const [here, there] = await Promise.all(errors);
    assertEquals(there.message, here.message);
  }
});

Deno.test("SqliteStore.open() with a worker on :memory: keeps the store in the thread of the program", async () => {
  await using store = await SqliteStore.open(":memory:", { worker: true });
  await start(store, "a");
  assertEquals(await store.count(), 1);
});

workerTest("an open store does not keep the process alive", async (_, path) => {
  const program = `import { SqliteStore } from "@rockpool/workflow/sqlite";
    const store = await SqliteStore.open(Deno.args[0], { worker: true });
    console.log(await store.count());`;
  const args = ["eval", "--no-check", program, path];
  const { stdout, success } = await new Deno.Command(Deno.execPath(), { args, cwd: new URL("../", import.meta.url) })
    .output();
  assertEquals([success, new TextDecoder().decode(stdout)], [true, "0\n"]);
});

Deno.test("SqliteStore.open() refuses a worker that is no boolean", async () => {
  const options = { worker: "yes" } as unknown as SqliteStoreOptions;
  await assertRejects(() => SqliteStore.open(":memory:", options), TypeError, '"worker"');
  assertThrows(() => new (SqliteStore as unknown as new () => unknown)(), TypeError, "SqliteStore.open");
});
