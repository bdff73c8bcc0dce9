/**
 * What happens to an SQLite file in the world: a full disk, a lock, a file or folder that is gone or replaced. Each has an error
 * with the way out. What was acknowledged is there, the rest is not, and an executor goes on when the fault is over.
 *
 * The disk is a small file system where the tests may mount one. Elsewhere SQLite is given a limit for the size of the file.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Executor, VirtualClock, type WorkflowContext, type WorkflowEvent } from "@rockpool/workflow";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { silent } from "./support/executors.ts";
import { openWithConnection } from "./support/sqlite_connection.ts";
import { TempFolder } from "./support/temp_files.ts";

/** Needs more space than a full disk can have left. */
const LARGE = "x".repeat(100_000);

/** A file on a disk of its own, for one test. */
interface Place extends AsyncDisposable {
  readonly path: string;
  /** Whether it is a disk. Without one, the disk is filled by a limit of the connection. */
  readonly isMounted: boolean;
  /** Fills the disk. Returns what makes room. */
  readonly fill: (db: DatabaseSync) => () => void;
  /** Returns what ends it. */
  readonly makeReadOnly: () => () => void;
}

/** Runs `mount` or `umount` by a process that may: tests may run Deno only. Returns whether it succeeded. */
function run(...command: string[]): boolean {
  const program = "Deno.exit((await new Deno.Command(Deno.args[0], { args: Deno.args.slice(1) }).output()).code)";
  return new Deno.Command(Deno.execPath(), { args: ["eval", program, ...command] }).outputSync().success;
}

function isWritable(path: string): boolean {
  try {
    Deno.openSync(path, { append: true }).close();
    return true;
  } catch {
    return false;
  }
}

function makePlace(): Place {
  const folder = new TempFolder();
  const disk = `${folder.path}/disk`;
  Deno.mkdirSync(disk);
  const isMounted = Deno.build.os === "linux" && run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk);
  const ballast = `${disk}/ballast`;
  return {
    path: `${disk}/data/workflows.db`,
    isMounted,
    fill(db) {
      if (!isMounted) {
        const { page_count: count } = db.prepare("PRAGMA page_count").get() as { page_count: number };
        db.exec(`PRAGMA max_page_count = ${count}`);
        return () => db.exec("PRAGMA max_page_count = 1000000");
      }
      using file = Deno.openSync(ballast, { write: true, create: true });
      try {
        for (;;) file.writeSync(new Uint8Array(4096));
      } catch (error) {
        assertMatch((error as Error).message, /No space left/);
      }
      return () => Deno.removeSync(ballast);
    },
    makeReadOnly() {
      if (isMounted) { // root may write to files whatever their mode is
        assert(run("mount", "-o", "remount,ro", disk));
        return () => assert(run("mount", "-o", "remount,rw", disk));
      }
      const [folder, file] = [`${disk}/data`, `${disk}/data/workflows.db`];
      Deno.chmodSync(file, 0o444);
      Deno.chmodSync(folder, 0o555);
      if (isWritable(file)) Deno.mkdirSync(`${file}-wal`); // by root, without a disk: the nearest is a log that cannot be written
      return () => Deno.chmodSync(folder, 0o755);
    },
    async [Symbol.asyncDispose]() {
      if (isMounted) assert(run("umount", disk));
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Another process, which locks the file until it is told to end. */
async function lockElsewhere(path: string): Promise<AsyncDisposable> {
  const program = `
    import { DatabaseSync } from "node:sqlite";
    const db = new DatabaseSync(Deno.args[0]);
    db.exec("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE"); // the executor may write just now
    console.log("locked");
    for await (const _ of Deno.stdin.readable);
    db.exec("ROLLBACK");
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", program, path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "locked\n");
  return {
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

interface Fault {
  readonly name: string;
  readonly words: RegExp;
  /** Begins the fault. Returns what ends it. */
  begin(place: Place, db: DatabaseSync): (() => unknown) | Promise<() => unknown>;
  /** Whether lists go on. */
  readonly reads: boolean;
}

function moveAway(path: string): () => void {
  Deno.renameSync(path, `${path}.away`);
  return () => Deno.renameSync(`${path}.away`, path);
}

const FAULTS: readonly Fault[] = [
  {
    name: "the disk is full",
    words: /^Cannot (write to the store|load workflow): the disk is full: /,
    begin: (place, db) => place.fill(db),
    reads: true,
  },
  {
    name: "another process holds a lock",
    words: /^Cannot (write to the store|load workflow): another process holds a lock for too long: /,
    async begin({ path }) {
      const lock = await lockElsewhere(path);
      return () => lock[Symbol.asyncDispose]();
    },
    reads: true,
  },
  {
    name: "the file is gone",
    words:
      /^Cannot (write to the store|load workflow): the file ".*workflows.db" was deleted, moved or replaced while the store was open; put it back, or open the store again$/,
    begin: ({ path }) => moveAway(path),
    reads: false,
  },
  {
    name: "the write-ahead log is gone",
    words:
      /^Cannot (write to the store|load workflow): the file ".*workflows.db-wal" was deleted, moved or replaced while the store was open; put it back, or open the store again$/,
    begin: ({ path }) => moveAway(`${path}-wal`),
    reads: false,
  },
  {
    name: "the folder is gone",
    words:
      /^Cannot (write to the store|load workflow): the file ".*workflows.db" was deleted, moved or replaced while the store was open/,
    begin: ({ path }) => moveAway(path.replace(/\/[^/]*$/, "")),
    reads: false,
  },
  {
    name: "another file has its name",
    words:
      /^Cannot (write to the store|load workflow): the file ".*workflows.db" was deleted, moved or replaced while the store was open/,
    begin({ path }) {
      const back = moveAway(path);
      Deno.copyFileSync(`${path}.away`, path);
      return () => {
        Deno.removeSync(path);
        back();
      };
    },
    reads: false,
  },
];

const append = (store: SqliteStore, workflowId: string, input: string) => {
  const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input };
  return store.append({ workflowId, runId: "1", expectedLength: 0, events: [started] });
};

/** Calls `body` with the path of a store that the process cannot write. */
async function withReadOnly(body: (path: string) => Promise<void>): Promise<void> {
  await using place = makePlace();
  const folder = place.path.replace(/\/[^/]*$/, "");
  Deno.mkdirSync(folder);
  await (await SqliteStore.open(place.path)).close();
  const makeWritable = place.makeReadOnly();
  try {
    await body(place.path);
  } finally {
    makeWritable();
  }
}

/** Calls `body` with a store on a place of its own. */
async function withStore(body: (store: SqliteStore, place: Place, db: DatabaseSync) => Promise<void>): Promise<void> {
  await using place = makePlace();
  Deno.mkdirSync(place.path.replace(/\/[^/]*$/, ""));
  const { store, db } = await openWithConnection(place.path, { busyTimeoutMs: 1 });
  await using _ = store;
  await body(store, place, db);
}

/** The IDs in the file, as another process finds them; the file must be whole. */
async function stored(path: string): Promise<string[]> {
  const db = new DatabaseSync(path);
  assertEquals({ ...db.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
  db.close();
  await using store = await SqliteStore.open(path);
  return (await store.list()).map(({ workflowId }) => workflowId);
}

/** A workflow whose second activity waits, and needs much space. `ran` counts the calls. */
function makeWork() {
  const ran = { small: 0, large: 0 };
  const opened = Promise.withResolvers<void>();
  const called = Promise.withResolvers<void>();
  const work = async (ctx: WorkflowContext) => {
    await ctx.executeActivity(function small() {
      ran.small++;
    });
    const text = await ctx.executeActivity(async function large() {
      ran.large++;
      called.resolve();
      await opened.promise;
      return LARGE;
    });
    return text.length;
  };
  return { ran, work, called: called.promise, open: opened.resolve };
}

for (const { name, words, begin, reads } of FAULTS) {
  Deno.test(`SqliteStore.append() in a worker says why, and works again after it, when ${name}`, async () => {
    await using place = makePlace();
    if (name === "the disk is full" && !place.isMounted) return; // nothing outside of the worker has its connection
    Deno.mkdirSync(place.path.replace(/\/[^/]*$/, ""));
    await using store = await SqliteStore.open(place.path, { busyTimeoutMs: 1, worker: true });
    await append(store, "before", "small");
    const end = await begin(place, undefined as never);
    for (const settled of await Promise.allSettled(["1", "2", "3"].map((id) => append(store, id, LARGE)))) {
      assert(settled.status === "rejected");
      assertMatch(settled.reason.message, words);
    }
    if (reads) assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["before"]);
    else await assertRejects(() => store.list(), Error, "was deleted, moved or replaced");
    await end();
    await append(store, "after", LARGE);
    assertEquals(await stored(place.path), ["before", "after"]);
  });

  Deno.test(`SqliteStore.append() says why, keeps what was stored, and works again after it, when ${name}`, async () => {
    await withStore(async (store, place, db) => {
      await append(store, "before", "small");
      const end = await begin(place, db);
      const ids = ["1", "2", "3"];
      for (const settled of await Promise.allSettled(ids.map((id) => append(store, id, LARGE)))) {
        assert(settled.status === "rejected");
        assertMatch(settled.reason.message, words);
      }
      if (reads) assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["before"]);
      else await assertRejects(() => store.list(), Error, "was deleted, moved or replaced");
      await end();
      await append(store, "after", LARGE);
      assertEquals(await stored(place.path), ["before", "after"]);
    });
  });

  Deno.test(`SqliteStore lets an executor go on by itself when ${name} for more than a minute`, async () => {
    await withStore(async (store, place, db) => {
      const clock = new VirtualClock(); // the minute is that of the executor, which waits between its tries
      const failed = Promise.withResolvers<void>();
      let fails = 0;
      const inner = store.append.bind(store);
      store.append = (batch) =>
        inner(batch).catch((error) => {
          if (++fails >= 5 && clock.now() > 60_000) failed.resolve();
          throw error;
        });
      const { ran, work, called, open } = makeWork();
      await using executor = new Executor({ store, clock, storeRetry: { maxAttempts: Infinity } });
      const handle = await executor.execute(work, { id: "a" });
      await called;
      const end = await begin(place, db);
      open();
      await failed.promise;
      await end();
      assertEquals(await handle.result(), LARGE.length);
      assertEquals(ran, { small: 1, large: 1 });
      assertEquals(await stored(place.path), ["a"]);
    });
  });

  Deno.test(`SqliteStore lets recover() resume the runs that storeRetry gave up when ${name}`, async () => {
    await withStore(async (store, place, db) => {
      const { ran, work, called, open } = makeWork();
      const storeRetry = { maxAttempts: 2, initialIntervalMs: 1 };
      await using executor = new Executor({ store, storeRetry, workflows: { work }, logger: silent, onError() {} });
      const handle = await executor.execute(work, { id: "a" });
      await called;
      const end = await begin(place, db);
      open();
      const error = await assertRejects(() => handle.result(), Error);
      const gaveUp = "The store failed 2 times in a row. What is stored is kept: call recover() when the store works";
      assertEquals(error.message, gaveUp);
      assertMatch((error.cause as Error).message, words);
      await end();
      const [recovered] = await executor.recover();
      assertEquals(await recovered.result(), LARGE.length);
      assertEquals(ran, { small: 1, large: 2 }, "what was not recorded runs again");
      assertEquals(await stored(place.path), ["a"]);
    });
  });
}

Deno.test("SqliteStore.open() says what it cannot write when the file can only be read", async () => {
  await withReadOnly(async (path) => {
    const { message } = await assertRejects(() => SqliteStore.open(path), Error);
    assertMatch(
      message,
      /^Cannot open store ".*": the file or its folder (is missing, or cannot be opened or|cannot be) written: /,
    );
  });
});

Deno.test("SqliteStore.open() waits for a connection that writes before the file has a write-ahead log", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/workflows.db`;
  await (await SqliteStore.open(path)).close();
  const db = new DatabaseSync(path); // as a process does that opens the file after others have died
  db.exec("PRAGMA journal_mode = DELETE");
  db.close();
  const code = `
    import { DatabaseSync } from "node:sqlite";
    const db = new DatabaseSync(${JSON.stringify(path)});
    db.exec("BEGIN IMMEDIATE");
    self.postMessage("locked");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50); // the other thread stands still meanwhile
    db.exec("COMMIT");
    db.close();
    self.postMessage("done");`;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const next = () => new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  await next();
  const done = next();
  await (await SqliteStore.open(path)).close();
  await done;
  worker.terminate();
  URL.revokeObjectURL(url);
});

Deno.test("SqliteStore.append() is refused when the file is deleted for good, and the store can be opened again", async () => {
  await withStore(async (store, { path }) => {
    await append(store, "before", "small");
    Deno.removeSync(path);
    await assertRejects(() => append(store, "lost", "small"), Error, "open the store again");
    await store.close();
    await using again = await SqliteStore.open(path);
    await append(again, "after", "small");
    assertEquals(await stored(path), ["after"]);
  });
});
