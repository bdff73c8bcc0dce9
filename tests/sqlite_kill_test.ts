/** `kill -9` of a process that writes to an SQLite file: nothing that was acknowledged is lost or torn, and nothing recorded runs again. */

import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { seeded } from "@rockpool/workflow/testing";
import { TempFolder } from "./support/temp_files.ts";

const ROUNDS = 5;

/** Runs the program until it has printed this many lines, and kills it. Returns its whole lines. */
async function killed(path: string, round: number, after: number): Promise<string[]> {
  const importMap = new URL("../tools/std/import_map.json", import.meta.url).pathname;
  const program = new URL("support/sqlite_load.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--import-map", importMap, "-A", program, path, `${round}`],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let dead = false;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (dead || text.split("\n").length < after) continue;
    dead = true;
    child.kill("SIGKILL");
  }
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL", text.slice(-500));
  return text.split("\n").slice(0, -1);
}

Deno.test("SqliteStore keeps everything that was acknowledged when its process is killed, and runs nothing recorded again", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/workflows.db`;
  const random = seeded(7);
  const lengths = new Map<string, number>();
  const recorded = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const line of await killed(path, round, 200 + Math.floor(random() * 1500))) {
      const [what, id, ...rest] = line.split(" ");
      if (what === "stored") lengths.set(`${id} ${rest[0]}`, Number(rest[1]));
      if (what === "recorded") recorded.add(`${id} ${rest[0]}`);
      if (what === "ran") {
        assert(!recorded.has(`${id} ${rest[0]}`), `round ${round}: step ${rest[0]} of ${id} ran again`);
      }
    }
    await using store = await SqliteStore.open(path);
    const states = await store.list();
    const found = new Map(states.map(({ workflowId, runId, history }) => [`${workflowId} ${runId}`, history.length]));
    for (const [key, length] of lengths) {
      assert((found.get(key) ?? 0) >= length, `round ${round}: ${key} has ${found.get(key)} of ${length} events`);
    }
  }
  const db = new DatabaseSync(path);
  assertEquals({ ...db.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
  db.close();
  assert(lengths.size > 50, `${lengths.size} runs`);
});
