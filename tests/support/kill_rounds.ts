/**
 * `kill -9` of a process under load, again and again: nothing that was acknowledged is lost or torn, and nothing recorded runs again.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowStore } from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";

/** What is killed. */
export interface Killing {
  /** The program. Its arguments are a place and the number of the round; it calls `loadUntilKilled` of `load.ts`. */
  readonly program: URL;
  /** Files, schemas …: each is used by one process at a time, all at once. */
  readonly places: readonly string[];
  /** Opens a place after each kill. */
  readonly open: (place: string) => Promise<WorkflowStore & AsyncDisposable>;
  /** How often a process is killed, in all places together. @default {50} */
  readonly rounds?: number | undefined;
}

/** Kills, and compares what was acknowledged with what is stored. */
export async function killRounds({ program, places, open, rounds = 50 }: Killing): Promise<void> {
  let round = 0;
  await Promise.all(places.map(async (place, i) => {
    const checks = new Checks();
    const random = seeded(7 + i);
    while (round < rounds) {
      const own = round++;
      checks.read(await killed(program, [place, `${own}`], 200 + Math.floor(random() * 1500)), own);
      await using store = await open(place);
      checks.compare(await store.list(), own);
    }
    checks.end();
  }));
}

/** Runs the program until it has printed this many lines, and kills it unless it does so itself. Returns its whole lines. */
export async function killed(program: URL, args: readonly string[], after: number): Promise<string[]> {
  const importMap = new URL("../../tools/std/import_map.json", import.meta.url).pathname;
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--unstable-kv", "--import-map", importMap, "-A", program.href, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let count = 0;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    const before = count;
    count += part.split("\n").length - 1;
    if (before < after && count >= after) child.kill("SIGKILL");
  }
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL", text.slice(-500));
  return text.split("\n").slice(0, -1);
}

/** What the processes of one place have printed. */
class Checks {
  /** The acknowledged length of each run. */
  readonly #lengths = new Map<string, number>();
  /** The recorded steps of each workflow. */
  readonly #recorded = new Set<string>();

  read(lines: readonly string[], round: number): void {
    for (const line of lines) {
      const [what, id, ...rest] = line.split(" ");
      const step = `${id} ${rest[0]}`;
      if (what === "stored") this.#lengths.set(step, Number(rest[1]));
      if (what === "recorded") this.#recorded.add(step);
      if (what === "ran") assert(!this.#recorded.has(step), `round ${round}: step ${rest[0]} of ${id} ran again`);
    }
  }

  compare(states: Awaited<ReturnType<WorkflowStore["list"]>>, round: number): void {
    const found = new Map(states.map(({ workflowId, runId, history }) => [`${workflowId} ${runId}`, history.length]));
    for (const [key, length] of this.#lengths) {
      assert((found.get(key) ?? 0) >= length, `round ${round}: ${key} has ${found.get(key)} of ${length} events`);
    }
  }

  end(): void {
    assert(this.#lengths.size > 50, `${this.#lengths.size} runs`);
    assert(this.#recorded.size > 100, `${this.#recorded.size} recorded steps`);
  }
}
