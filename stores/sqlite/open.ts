/**
 * Opens a store: its options, checked, and what they lead to.
 *
 * @module
 */

import { type PayloadCodec, Payloads } from "../../storage/mod.ts";
import { Values } from "../../storage/values.ts";
import { checkBoolean, checkChoice, checkInteger, checkNumber, checkOptions, checkText } from "../../util/check.ts";
import { Connection, type Database } from "./connection.ts";
import { openDatabase, type Settings, watchFiles } from "./database.ts";
import type { Connected, StoreParts } from "./transactional.ts";
import { WorkerConnection } from "./worker.ts";

/**
 * Options of `SqliteStore.open`.
 *
 * @category Store
 */
export interface SqliteStoreOptions {
  /**
   * When a write counts as stored. `"full"`: it is on the disk, and survives a loss of power. `"relaxed"`: the operating system has
   * it. It survives the end of the process; a loss of power may take the last writes, but leaves the file whole. It is faster,
   * because hundreds of writes wait for the disk once.
   *
   * @default {"full"}
   */
  readonly durability?: "full" | "relaxed" | undefined;
  /**
   * For how long a call waits for a lock of another process, in milliseconds: an integer from 0. The process does nothing else
   * meanwhile.
   *
   * @default {1_000}
   */
  readonly busyTimeoutMs?: number | undefined;
  /**
   * How often the store looks for changes of other processes while it has listeners, in milliseconds, above 0; `Infinity` for
   * never. A look takes some microseconds.
   *
   * @default {50}
   */
  readonly pollMs?: number | undefined;
  /**
   * For how long an executor on this store owns its runs without renewing its lease, in milliseconds, above 0; see
   * {@linkcode WorkflowStore.leaseMs}. A process that opens the file alone, after another one was killed, need not wait for that.
   * For an executor without leases, pass `leaseMs: 0` to the executor.
   *
   * @default {10_000}
   */
  readonly leaseMs?: number | undefined;
  /**
   * Encrypts or compresses inputs, results, errors and events. IDs, names, labels, statuses and times are not changed.
   *
   * @default {payloads are JSON texts}
   */
  readonly codec?: PayloadCodec | undefined;
  /**
   * Whether a worker thread waits for the disk and for locks, and not the thread of the program: for slow disks. Everything else stays
   * as it is; each call takes longer by two messages between threads. Only a transactional activity still
   * waits for the disk in the thread of the program. Has no effect on a store in memory.
   *
   * @default {false}
   */
  readonly worker?: boolean | undefined;
  /**
   * Whether the file is only read: nothing is written, and every write rejects. The file must exist and have the schema of this
   * release. In Deno it then needs no `--allow-write`.
   *
   * @default {false}
   */
  readonly readOnly?: boolean | undefined;
}

const OPTIONS: Readonly<Record<keyof SqliteStoreOptions, true>> = {
  durability: true,
  busyTimeoutMs: true,
  pollMs: true,
  leaseMs: true,
  codec: true,
  worker: true,
  readOnly: true,
};

/** A database that is open, and what its store needs. */
export interface Opened {
  readonly db: Database;
  /** Of the last transaction. */
  readonly version: number;
  readonly values: Values;
  readonly pollMs: number;
  readonly leaseMs: number;
  readonly connect: StoreParts["connect"];
}

/** Opens a file, or makes it. See `SqliteStore.open`. */
export async function open(path: string, options: SqliteStoreOptions): Promise<Opened> {
  await undefined; // an error rejects
  const action = "open a store";
  checkText("path", path, action);
  checkOptions(options, OPTIONS, action);
  const { durability = "full", busyTimeoutMs = 1_000, pollMs = 50, leaseMs = 10_000, codec, worker = false } = options;
  const { readOnly = false } = options;
  checkChoice("durability", durability, ["full", "relaxed"], action);
  checkInteger("busyTimeoutMs", busyTimeoutMs, 0, action);
  if (pollMs !== Infinity) checkNumber("pollMs", pollMs, Number.MIN_VALUE, action);
  checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
  checkBoolean("worker", worker, action);
  checkBoolean("readOnly", readOnly, action);
  const payloads = new Payloads(codec);
  const values = new Values(payloads, codec === undefined ? null : payloads.codec);
  const settings = { durability, busyTimeoutMs, readOnly };
  const opened = worker && path !== ":memory:"
    ? await openInWorker(path, settings, values.codec)
    : openHere(path, settings, values.codec);
  return { ...opened, values, pollMs, leaseMs };
}

type OpenedDatabase = Pick<Opened, "db" | "version" | "connect">;

function openHere(path: string, settings: Settings, codec: string | null): OpenedDatabase {
  const db = openDatabase(path, settings);
  const checkFiles = watchFiles(db);
  const connection = new Connection(db, codec, checkFiles);
  return { db: connection, version: connection.version(), connect: () => ({ db, checkFiles }) };
}

/** Functions of the user run in this thread, so transactional activities have a connection of their own, from the first one on. */
async function openInWorker(path: string, settings: Settings, codec: string | null): Promise<OpenedDatabase> {
  const { db, version } = await WorkerConnection.open({ path, settings, codec });
  let connected: Promise<Connected> | undefined;
  const connect = async () => {
    const own = openDatabase(await db.locate(), settings);
    return { db: own, checkFiles: watchFiles(own) };
  };
  const close = async () => {
    await connected?.then((own) => own.db.close(), () => {});
    await db.close();
  };
  const tryAgain = (error: unknown) => {
    connected = undefined;
    throw error;
  };
  return { db: { ...db, close }, version, connect: () => connected ??= connect().catch(tryAgain) };
}
