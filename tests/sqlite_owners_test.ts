/** `SqliteStore.open()` beside processes that own runs: one that lives, one that is stopped, one that was killed. */

import { assertEquals } from "@std/assert";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { TempFolder } from "./support/temp_files.ts";

/** A process that owns the run with its name. */
class Owner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  constructor(path: string, name: string) {
    const importMap = new URL("../tools/std/import_map.json", import.meta.url).pathname;
    const program = new URL("support/sqlite_owner.ts", import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--import-map", importMap, "-A", program, path, name],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.#child.stdin.getWriter();
  }

  /** What it prints next. */
  async next(): Promise<string> {
    return (await this.#lines.read()).value?.trim() ?? "ended";
  }

  /** Appends to its run. */
  async append(): Promise<string> {
    await this.#input.write(new Uint8Array([10]));
    return await this.next();
  }

  send(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.send("SIGKILL");
    await this.#child.status;
    await this.#lines.cancel();
    await this.#input.close().catch(() => {});
  }
}

/** Opens the file, and claims what is free. */
async function claimed(path: string): Promise<string[]> {
  await using store = await SqliteStore.open(path);
  const runs = await store.claim({ owner: "next", leaseMs: 1, limit: 10 });
  await store.release("next");
  return runs.map(({ workflowId }) => workflowId);
}

function ownersTest(name: string, body: (path: string) => Promise<void>): void {
  Deno.test(`SqliteStore.open() ${name}`, async () => {
    await using folder = new TempFolder();
    await body(`${folder.path}/workflows.db`);
  });
}

ownersTest("ends the lease of a process that was killed, when nobody else has the file open", async (path) => {
  {
    await using owner = new Owner(path, "a");
    assertEquals(await owner.next(), "ready");
  }
  assertEquals(await claimed(path), ["a"]);
});

ownersTest("leaves the lease of a process that lives, or is stopped, and the file is as it was", async (path) => {
  await using owner = new Owner(path, "a");
  assertEquals(await owner.next(), "ready");
  assertEquals(await claimed(path), [], "beside a process that lives");
  assertEquals(await owner.append(), "stored");
  owner.send("SIGSTOP");
  assertEquals(await claimed(path), [], "beside a process that is stopped");
  owner.send("SIGCONT");
  assertEquals(await owner.append(), "stored");
  await using store = await SqliteStore.open(path);
  assertEquals((await store.load("a"))?.history.length, 3);
});

ownersTest("leaves the lease of a process that was killed while another one has the file open", async (path) => {
  await using other = new Owner(path, "b");
  assertEquals(await other.next(), "ready");
  {
    await using owner = new Owner(path, "a");
    assertEquals(await owner.next(), "ready");
  }
  assertEquals(await claimed(path), []);
  assertEquals(await other.append(), "stored");
});

ownersTest("works for several processes at once after one was killed", async (path) => {
  {
    await using owner = new Owner(path, "a");
    assertEquals(await owner.next(), "ready");
  }
  const owners = Array.from({ length: 4 }, (_, i) => new Owner(path, `${i}`));
  try {
    assertEquals(await Promise.all(owners.map((owner) => owner.next())), ["ready", "ready", "ready", "ready"]);
    assertEquals(await Promise.all(owners.map((owner) => owner.append())), ["stored", "stored", "stored", "stored"]);
  } finally {
    for (const owner of owners) await owner[Symbol.asyncDispose]();
  }
  assertEquals((await claimed(path)).sort(), ["0", "1", "2", "3", "a"]);
});
