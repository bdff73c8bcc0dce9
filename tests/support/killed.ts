/**
 * Kills a real process that writes to the file of a store, and checks what is left.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowStore } from "@rockpool/workflow";
import { DenoKvStore } from "@rockpool/workflow/deno-kv";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { seeded } from "@rockpool/workflow/testing";

/** How to open a file. */
export const OPEN = {
  async sqlite(path: string): Promise<{ store: WorkflowStore; close(): Promise<void> }> {
    const store = await SqliteStore.open(path);
    return { store, close: () => store.close() };
  },
  async "deno-kv"(path: string): Promise<{ store: WorkflowStore; close(): Promise<void> }> {
    const kv = await Deno.openKv(path);
    const store = new DenoKvStore(kv);
    return {
      store,
      async close() {
        await store.close();
        kv.close();
      },
    };
  },
};

/** A kind of store that is kept in a file. */
export type StoreKind = keyof typeof OPEN;

/** Runs the program until it has printed this many lines, and kills it. Returns its whole lines. */
async function killed(kind: StoreKind, path: string, round: number, after: number): Promise<string[]> {
  const importMap = new URL("../../tools/std/import_map.json", import.meta.url).pathname;
  const program = new URL("store_load.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--unstable-kv", "--import-map", importMap, "-A", program, kind, path, `${round}`],
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

/** Kills processes at random: what was acknowledged is kept, and what is recorded does not run again. */
export async function surviveKills(kind: StoreKind, path: string, rounds = 5): Promise<void> {
  const random = seeded(7);
  const lengths = new Map<string, number>();
  const recorded = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const line of await killed(kind, path, round, 200 + Math.floor(random() * 1500))) {
      const [what, id, ...rest] = line.split(" ");
      if (what === "stored") lengths.set(`${id} ${rest[0]}`, Number(rest[1]));
      if (what === "recorded") recorded.add(`${id} ${rest[0]}`);
      if (what === "ran") {
        assert(!recorded.has(`${id} ${rest[0]}`), `round ${round}: step ${rest[0]} of ${id} ran again`);
      }
    }
    const { store, close } = await OPEN[kind](path);
    try {
      const states = await store.list();
      const found = new Map(states.map(({ workflowId, runId, history }) => [`${workflowId} ${runId}`, history.length]));
      for (const [key, length] of lengths) {
        assert((found.get(key) ?? 0) >= length, `round ${round}: ${key} has ${found.get(key)} of ${length} events`);
      }
    } finally {
      await close();
    }
  }
  assert(lengths.size > 50, `${lengths.size} runs`);
}
