/**
 * `kill -9` of a process under load, again and again: nothing that was acknowledged is lost or torn, and nothing recorded runs again.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowStore } from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";

const ROUNDS = 5;

/** Runs the program until it has printed this many lines, and kills it. Returns its whole lines. */
async function killed(kind: string, place: string, round: number, after: number): Promise<string[]> {
  const importMap = new URL("../../tools/std/import_map.json", import.meta.url).pathname;
  const program = new URL("load.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--import-map", importMap, "-A", program, kind, place, `${round}`],
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

/**
 * Kills, and compares what was acknowledged with what is stored.
 *
 * @param kind The kind of the store, for `load.ts`.
 * @param place Where it is.
 * @param open Opens it after each kill.
 */
export async function killRounds(
  kind: "sqlite" | "postgres",
  place: string,
  open: () => Promise<WorkflowStore & AsyncDisposable>,
): Promise<void> {
  const random = seeded(7);
  const lengths = new Map<string, number>();
  const recorded = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const line of await killed(kind, place, round, 200 + Math.floor(random() * 1500))) {
      const [what, id, ...rest] = line.split(" ");
      if (what === "stored") lengths.set(`${id} ${rest[0]}`, Number(rest[1]));
      if (what === "recorded") recorded.add(`${id} ${rest[0]}`);
      if (what === "ran") {
        assert(!recorded.has(`${id} ${rest[0]}`), `round ${round}: step ${rest[0]} of ${id} ran again`);
      }
    }
    await using store = await open();
    const states = await store.list();
    const found = new Map(states.map(({ workflowId, runId, history }) => [`${workflowId} ${runId}`, history.length]));
    for (const [key, length] of lengths) {
      assert((found.get(key) ?? 0) >= length, `round ${round}: ${key} has ${found.get(key)} of ${length} events`);
    }
  }
  assert(lengths.size > 50, `${lengths.size} runs`);
}
