/**
 * The contract of a store with `SqliteStore`, for runtimes that are a process. The others do not have `node:sqlite`, and cannot
 * bundle it.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { storeCases } from "@rockpool/workflow/testing/store";
import { CONTRACT_MS, type Outcome, SQLITE_CONTRACT, textOf } from "./scenario.ts";

/**
 * Runs every case in memory, and in a worker on a file where the process may write one: Deno gets no permission. Nothing runs where
 * the runtime has no `node:sqlite`.
 */
export async function* sqliteOutcomes(): AsyncGenerator<Outcome> {
  let SqliteStore: typeof import("@rockpool/workflow/sqlite").SqliteStore;
  try {
    ({ SqliteStore } = await import("@rockpool/workflow/sqlite"));
  } catch (error) {
    if (/node:sqlite/.test(String(error))) return;
    return yield { name: `${SQLITE_CONTRACT}the import`, error: textOf(error) };
  }
  let folder: string | undefined;
  try {
    folder = mkdtempSync(`${tmpdir()}/rockpool-`);
  } catch {
    // it may not write
  }
  let count = 0;
  for (const { name: of, run } of storeCases({ timeoutMs: CONTRACT_MS })) {
    const name = SQLITE_CONTRACT + of;
    try {
      await run(() => SqliteStore.open(":memory:"));
      if (folder !== undefined) await run(() => SqliteStore.open(`${folder}/${count++}.db`, { worker: true }));
      yield { name };
    } catch (error) {
      yield { name, error: textOf(error) };
    }
  }
  if (folder !== undefined) rmSync(folder, { recursive: true });
}
