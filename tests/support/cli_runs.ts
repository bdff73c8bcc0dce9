/**
 * Files for the tests of the command line, which hold always the same runs.
 *
 * @module
 */

import { Executor, InMemoryStore, VirtualClock } from "@rockpool/workflow";
import { main } from "@rockpool/workflow/cli";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { historyToText } from "@rockpool/workflow/testing";
import { order } from "./cli_workflows.ts";
import { TempFolder } from "./temp_files.ts";

/** When the runs begin. */
export const STARTED_AT = Date.UTC(2026, 10, 26, 14);
/** The present, as the tests see it. */
export const NOW = STARTED_AT + 26 * 3_600_000;
/** A workflow ID that would clear a terminal. */
export const HOSTILE = "order-9\x1b[2J\u202e\n";

/** Makes the runs: one that waits, one that failed, one that was approved. */
async function makeRuns(): Promise<InMemoryStore> {
  const clock = new VirtualClock({ startAt: STARTED_AT, autoAdvance: false });
  const store = new InMemoryStore({ clock });
  let runs = 0;
  const newRunId = () => `00000000-0000-4000-8000-00000000000${runs++}`;
  const executor = new Executor({ store, clock, newRunId, onError: () => {} });
  const start = (id: string, cents: number, region: string) =>
    executor.execute(order, { id, input: { cents }, labels: { region } });
  await start("order-1", 500, "eu");
  clock.at(3_600_000, () => start("order-2", 700, "us"));
  clock.at(2 * 3_600_000, () => executor.signal("order-1", "approval", "Ada", { signalId: "s-1" }));
  clock.at(3 * 3_600_000, () => start("order-3", 1500, "eu"));
  await clock.advance(4 * 3_600_000);
  await executor.close();
  return store;
}

/** A folder with an SQLite file, a snapshot and a history. */
export class CliFiles extends TempFolder {
  /** Makes the files. */
  static async make(): Promise<CliFiles> {
    const files = new CliFiles();
    const store = await makeRuns();
    const sqlite = await SqliteStore.open(`${files.path}/orders.db`);
    for (const state of await store.list()) await sqlite.save(state);
    await sqlite.close();
    await Deno.writeTextFile(`${files.path}/orders.snapshot`, await store.snapshot());
    await Deno.writeTextFile(`${files.path}/order-1.history`, historyToText((await store.load("order-1"))!));
    return files;
  }

  /** The path of a file in the folder. */
  at(name: string): string {
    return `${this.path}/${name}`;
  }
}

/** What a command has written, and its exit code. */
export interface Written {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command line in this process. */
export async function shell(
  args: readonly string[],
  io: { readonly columns?: number; readonly color?: boolean; readonly signal?: AbortSignal; now?: number } = {},
): Promise<Written> {
  let out = "";
  let error = "";
  const { now = NOW, ...rest } = io;
  const code = await main(args, {
    out: (text) => void (out += text),
    error: (text) => void (error += text),
    now: () => now,
    ...rest,
  });
  return { code, out, error };
}
