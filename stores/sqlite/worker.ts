/**
 * A connection in a worker thread, for slow disks: the thread of the program does not wait for them.
 *
 * 1. The worker answers requests in their order. Requests and answers are plain data.
 * 2. An error keeps its message, and its cause the code of SQLite. Errors of other classes are made in the thread of the program.
 * 3. The worker keeps the process alive only while a request is in flight.
 * 4. When the worker ends by itself, the requests in flight and all later ones reject.
 *
 * The worker imports this module by its own URL: as source, from the web, from npm. A program that is bundled has no such module.
 *
 * @module
 */

import { type MessagePort, Worker } from "node:worker_threads";
import { cannot } from "../../util/check.ts";
import { Deferred } from "../../util/deferred.ts";
import { show } from "../../util/show.ts";
import { type Committed, Connection, type Database } from "./connection.ts";
import { openDatabase, type Settings } from "./database.ts";

/** What the worker opens. */
interface Opening {
  readonly path: string;
  readonly settings: Settings;
  readonly codec: string | null;
}

type Method = keyof Database;
type Request = readonly [id: number, method: Method, args: readonly unknown[]];
type Answer = readonly [id: number, answer: unknown, error?: PlainError | undefined];

/** An error as plain data. */
interface PlainError {
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: PlainError | undefined;
  /** Its other properties: `code`, `errcode` … */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The methods of a {@linkcode Connection}. */
const METHODS: Readonly<Record<Method, true>> = {
  load: true,
  loadSince: true,
  list: true,
  count: true,
  needsClaim: true,
  locate: true,
  version: true,
  watch: true,
  unwatch: true,
  look: true,
  commit: true,
  backup: true,
  close: true,
};

/** The ID of the first answer, to no request: the database is open. */
const OPENED = 0;

/** Where this module is, if it is a file of its own. */
const HERE: string | undefined = import.meta.url;

/** Imports this module from anywhere, and says so if that fails. */
const ENTRY = `
  import("node:worker_threads").then(async ({ parentPort, workerData: { url, opening } }) => {
    try {
      (await import(url)).serve(parentPort, opening);
    } catch ({ message, stack }) {
      parentPort.postMessage([${OPENED}, undefined, { message, stack, data: {} }]);
    }
  });`;

/** Runs in the worker: opens the database, and answers requests. */
export function serve(port: MessagePort, { path, settings, codec }: Opening): void {
  const post = (...answer: Answer) => port.postMessage(answer);
  let connection: Connection;
  try {
    connection = new Connection(openDatabase(path, settings), codec);
  } catch (error) {
    return post(OPENED, undefined, toPlain(error));
  }
  port.on("message", async ([id, method, args]: Request) => {
    try {
      let answer = (connection[method] as (...args: readonly unknown[]) => unknown)(...args);
      if (answer instanceof Promise) answer = await answer;
      post(id, method === "commit" ? mapErrors(answer as Committed, toPlain) : answer);
    } catch (error) {
      post(id, undefined, toPlain(error));
    }
  });
  post(OPENED, connection.version());
}

/** A connection in a worker. */
export class WorkerConnection {
  readonly #worker: Worker;
  readonly #requests = new Map<number, Deferred<unknown>>();
  #lastId = OPENED;
  #end: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", this.#answered);
    worker.on("error", (error) => this.#died(`: ${(error as Error)?.message ?? error}`));
    worker.on("exit", () => this.#died(""));
  }

  /**
   * Starts a worker that opens a file.
   *
   * @returns The connection, and the version of the last transaction.
   */
  static async open(opening: Opening): Promise<{ db: Database; version: number }> {
    const action = `open store ${show(opening.path)}`;
    if (HERE === undefined || !/\/sqlite\/worker\.[jt]s$/.test(new URL(HERE).pathname)) {
      const way = 'make "@rockpool/workflow" external for your bundler, or leave "worker" out';
      throw new Error(`${cannot(action)}: its worker has no module to load, because the package is bundled: ${way}`);
    }
    const worker = new Worker(ENTRY, { eval: true, workerData: { url: HERE, opening } });
    const connection = new WorkerConnection(worker);
    const opened = new Deferred<unknown>();
    connection.#requests.set(OPENED, opened);
    try {
      const version = await opened.promise as number;
      return { db: connection.#database(), version };
    } catch (error) {
      connection.#ended(error as Error);
      await worker.terminate();
      const { message } = error as Error;
      throw message.startsWith("Cannot ") ? error : new Error(`${cannot(action)}: ${message}`, { cause: error });
    }
  }

  /** Its methods as those of a connection. */
  #database(): Database {
    const call = (method: Method) => (...args: unknown[]) => this.#call(method, args);
    const methods = Object.fromEntries((Object.keys(METHODS) as Method[]).map((method) => [method, call(method)]));
    return {
      ...methods as unknown as Database,
      commit: async (writes) => mapErrors(await this.#call("commit", [writes]) as Committed, toError),
      close: () => this.#close(),
    };
  }

  async #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    if (this.#end !== undefined) throw this.#end;
    const request = new Deferred<unknown>();
    const id = ++this.#lastId;
    this.#worker.postMessage([id, method, args] satisfies Request);
    if (this.#requests.size === 0) this.#worker.ref();
    this.#requests.set(id, request);
    return await request.promise;
  }

  async #close(): Promise<void> {
    if (this.#end === undefined) await this.#call("close", []);
    this.#ended(new Error("Cannot use the store: it is closed"));
    await this.#worker.terminate();
  }

  readonly #answered = ([id, answer, error]: Answer): void => {
    const request = this.#requests.get(id)!;
    this.#requests.delete(id);
    if (this.#requests.size === 0) this.#worker.unref();
    if (error === undefined) request.resolve(answer);
    else request.reject(toError(error));
  };

  #died(why: string): void {
    const way = "what was being written may be stored; open the store again";
    this.#ended(new Error(`Cannot reach the database: the worker of the store has ended${why}; ${way}`));
  }

  /** Rejects everything that waits, and all later requests. */
  #ended(error: Error): void {
    this.#end ??= error;
    for (const request of this.#requests.values()) request.reject(this.#end);
    this.#requests.clear();
  }
}

/** Changes the errors of the writes of a commit. */
function mapErrors({ outcomes, version }: Committed, map: (error: never) => unknown): Committed {
  const mapped = outcomes.map((one) => "error" in one ? { error: map(one.error as never) } : one);
  return { outcomes: mapped, version };
}

function toPlain(error: unknown): PlainError {
  const { message, stack, cause, ...data } = error as Error;
  return { message, stack, cause: cause === undefined ? undefined : toPlain(cause), data };
}

function toError({ message, stack, cause, data }: PlainError): Error {
  const error = new Error(message, cause && { cause: toError(cause) });
  return Object.assign(error, data, stack !== undefined && { stack });
}
