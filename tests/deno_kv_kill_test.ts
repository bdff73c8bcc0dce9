/**
 * `kill -9` of a process that writes to a file of Deno KV: nothing that was acknowledged is lost or torn, nothing recorded runs
 * again, and a sweep deletes what large writes have left.
 */

import { assertEquals } from "@std/assert";
import { DenoKvStore } from "@rockpool/workflow/deno-kv";
import { killRounds } from "./support/kill_rounds.ts";
import { KvFiles } from "./support/kv_files.ts";
import { TempFolder } from "./support/temp_files.ts";

Deno.test("DenoKvStore keeps everything that was acknowledged when its process is killed 50 times, and runs nothing recorded again", async () => {
  await using folder = new TempFolder();
  const places = ["a", "b", "c"].map((name) => `${folder.path}/${name}.db`);
  const program = new URL("support/kv_load.ts", import.meta.url);
  await killRounds({ program, places, open: (path) => new KvFiles().open(path) });
  for (const path of places) await checkLeft(path);
});

/** Nothing is left of large writes after a sweep, and every history is whole. */
async function checkLeft(path: string): Promise<void> {
  using kv = await Deno.openKv(path);
  await using store = new DenoKvStore(kv);
  for await (const { key } of kv.list({ prefix: ["rockpool", "unused"] })) await kv.set(key, 1); // as if it were old
  await store.sweep();
  const used = new Set<unknown>();
  for await (const { value } of kv.list<{ data: string }>({ prefix: ["rockpool", "workflow"] })) used.add(value.data);
  const left = new Set<unknown>();
  for await (const { key } of kv.list({ prefix: ["rockpool", "data"] })) if (!used.has(key[2])) left.add(key[2]);
  assertEquals([...left], []);
  for (const { history } of await store.list()) assertEquals(history[0].type, "workflow_started");
}
