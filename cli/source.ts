/**
 * Where the command line reads from: an SQLite file, a snapshot, a history file, or the URL of an inspector. A file is told by its
 * first bytes, not by its name.
 *
 * 1. A source is only read, unless it is opened to write.
 * 2. `node:sqlite` is loaded only for an SQLite file: snapshots and histories are read where it is missing.
 *
 * @module
 */

import { open as openFile, readFile } from "node:fs/promises";
import { InMemoryStore } from "../store.ts";
import { historyFromText } from "../testing/history_text.ts";
import type { WorkflowStore } from "../types.ts";
import { show } from "../util/show.ts";
import { Failure, messageOf } from "./failure.ts";
import { RemoteSource } from "./remote.ts";
import type { ListedRun, Source, SourceKind } from "./runs.ts";

/** Whether a source is an address. */
export function isUrl(name: string): boolean {
  return /^https?:\/\//i.test(name);
}

/**
 * Opens a source.
 *
 * @param write Whether the command writes to it.
 */
export async function openSource(name: string, { write = false } = {}): Promise<Source> {
  if (isUrl(name)) return new RemoteSource(name);
  const kind = await kindOf(name);
  switch (kind) {
    case "sqlite":
      return await openSqlite(name, write);
    case "snapshot":
    case "history":
      return storeSource(kind, name, await readStore(kind, name));
    default:
      throw new Failure(2, `Cannot read ${show(name)}: it is no SQLite file, snapshot or history file`);
  }
}

/** Tells what a file is; `undefined` if it is nothing that is known. */
export async function kindOf(name: string): Promise<SourceKind | undefined> {
  let start: string;
  try {
    const file = await openFile(name);
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(256), 0, 256, 0);
      start = new TextDecoder().decode(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new Failure(1, `Cannot read ${show(name)}: ${reasonOf(error)}`);
  }
  if (start.startsWith("SQLite format 3\0")) return "sqlite";
  const text = start.replace(/^\ufeff?\s*/, "");
  if (/^\{\s*"format"\s*:\s*"rockpool-store"/.test(text)) return "snapshot";
  if (/^\{\s*"format"\s*:\s*"rockpool-history"/.test(text)) return "history";
  return undefined;
}

/** Why the system refuses a file. */
export function reasonOf(error: unknown): string {
  const { code, name } = Object(error) as { readonly code?: unknown; readonly name?: unknown };
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EACCES" || code === "EPERM" && name !== "NotCapable") return "the system does not allow it";
  if (name === "NotCapable") return "Deno was started without the permission; see --allow-read and --allow-write";
  return messageOf(error);
}

/** Reads a snapshot or a history into a store. */
export async function readStore(kind: "snapshot" | "history", name: string): Promise<InMemoryStore> {
  const text = (await readFile(name, "utf8")).replace(/^\ufeff/, "");
  try {
    if (kind === "snapshot") return InMemoryStore.restore(text);
    const store = new InMemoryStore();
    await store.save(historyFromText(text));
    return store;
  } catch (error) {
    throw new Failure(1, `Cannot read ${show(name)}: ${messageOf(error)}`);
  }
}

async function openSqlite(name: string, write: boolean): Promise<Source> {
  const { SqliteStore } = await import("../stores/sqlite.ts").catch((error: unknown) => {
    const why = "this runtime has no node:sqlite; use Deno, Node from 22.13 or Bun from 1.4";
    const message = messageOf(error);
    throw new Failure(2, `Cannot open ${show(name)}: ${message.includes("node:sqlite") ? why : message}`);
  });
  try {
    // A file without the tables of a store is somebody else's: opened to write, it would get them.
    if (write) await (await SqliteStore.open(name, { readOnly: true })).close();
    const store = await SqliteStore.open(name, { readOnly: !write });
    const source = storeSource("sqlite", name, store);
    return {
      ...source,
      watch: (_id, changed) => store.subscribe(changed),
      close: () => store.close(),
    };
  } catch (error) {
    const { cause = error } = error as Error;
    const isRefused = (cause as Error).name === "NotCapable";
    throw new Failure(1, isRefused ? `Cannot open ${show(name)}: ${reasonOf(cause)}` : messageOf(error));
  }
}

function storeSource(
  kind: SourceKind,
  name: string,
  store: WorkflowStore & Required<Pick<WorkflowStore, "heads">>,
): Source {
  return {
    kind,
    name,
    store,
    load: (id) => store.load(id),
    async list(filter, limit) {
      const found: ListedRun[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.heads({
          ...filter,
          order: "desc",
          limit: Math.min(limit - found.length, 500),
          ...(cursor !== undefined && { cursor }),
        });
        found.push(...page.heads.map((head) => ({ head })));
        cursor = page.cursor;
      } while (cursor !== undefined && found.length < limit);
      return found;
    },
    close: () => Promise.resolve(),
  };
}
