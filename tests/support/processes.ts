/**
 * Real processes that share a store: starts, controls, stops and kills them, and collects what they say.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowStore, WorkOptions } from "@rockpool/workflow";

/** A store in a database that other processes can open. */
export interface Opening {
  /** The URL of a {@linkcode StoreModule}. */
  readonly module: string;
  /** What it opens: the path or the address of a database. */
  readonly arg: string;
}

/** A module that opens a store. */
export interface StoreModule {
  openStore(arg: string, leaseMs: number): Promise<WorkflowStore & AsyncDisposable>;
}

/** How a process is started. */
export interface ProcessOptions {
  readonly name: string;
  readonly store: Opening;
  readonly leaseMs: number;
  /** The options of `work()`; a process without them takes no runs by itself. */
  readonly work?: WorkOptions | undefined;
  /** Whether it knows the code of the workflows. */
  readonly workflows: "all" | "none";
  /** The version of the workflows: those of "1" are older. */
  readonly version: string;
}

/** What a process says of itself. */
export interface LogLine {
  readonly log: "ready" | "ran" | "stored" | "refused" | "ended" | "error";
  readonly process: string;
  /** When, in milliseconds since the epoch, on the clock of the machine. */
  readonly at: number;
  readonly id?: string;
  readonly runId?: string;
  /** The step of a workflow, how it ended, or an error. */
  readonly step?: string;
  readonly token?: string;
  readonly fence?: number;
  readonly length?: number;
}

/** The error that another process has answered with. */
export class RemoteError extends Error {
  readonly code: string | undefined;

  constructor({ name, message, code }: { name?: string; message?: string; code?: string }) {
    super(message);
    this.name = name ?? "Error";
    this.code = code;
  }
}

/** The error of a call whose process is dead: nobody knows what became of it. */
export class ProcessGone extends Error {}

/** For how long anything is waited for. */
const LIMIT_MS = 180_000;

const program = new URL("process_program.ts", import.meta.url).href;
const importMap = new URL("../../tools/std/import_map.json", import.meta.url).pathname;

/** One process. */
export class Process {
  readonly name: string;
  readonly #fleet: Fleet;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #calls = 0;
  #hasEnded = false;
  /** Whether it was killed. */
  killed = false;
  /** Whether it stood still. */
  paused = false;
  /** Resolves when it has ended and everything that it said is read. */
  readonly ended: Promise<void>;

  constructor(fleet: Fleet, options: ProcessOptions) {
    this.#fleet = fleet;
    this.name = options.name;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--unstable-kv", "--import-map", importMap, "-A"],
        program,
        JSON.stringify(options),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.ended = this.#read();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#hear(JSON.parse(line));
    }
    await this.#child.status;
    this.#hasEnded = true;
    await this.#stdin.close().catch(() => {});
    for (const { reject } of this.#open.values()) reject(new ProcessGone(`Process ${this.name} is gone`));
    this.#open.clear();
    this.#fleet.notify();
  }

  #hear(line: LogLine & { n: number; value?: unknown; error?: { message?: string } }): void {
    if (line.log !== undefined) return this.#fleet.hear(line);
    const call = this.#open.get(line.n)!;
    this.#open.delete(line.n);
    if (line.error === undefined) call.resolve(line.value);
    else call.reject(new RemoteError(line.error));
  }

  /** Calls a function of the process; see `calls` in `process_program.ts`. */
  call<T = unknown>(name: string, ...args: unknown[]): Promise<T> {
    const n = this.#calls++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const late = () =>
        reject(new Error(`Three minutes have passed without an answer to ${name} ${args}. ${this.#fleet.tail()}`));
      const timer = setTimeout(late, LIMIT_MS);
      const end = (settle: (value: unknown) => void) => (value: unknown) => (clearTimeout(timer), settle(value));
      this.#open.set(n, { resolve: end(resolve), reject: end(reject) });
    });
    answer.catch(() => {}); // it may be awaited later
    this.#stdin.write(new TextEncoder().encode(`${JSON.stringify({ n, call: name, args })}\n`)).catch(() => {});
    return answer as Promise<T>;
  }

  /** The lines of its log that fit. */
  log(fits: Partial<LogLine> = {}): LogLine[] {
    return this.#fleet.find({ ...fits, process: this.name });
  }

  async kill(): Promise<void> {
    this.killed = true;
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /**
   * Stops it as it is. A process that stands still in the middle of a write to a file may hold the lock of the file: then it goes on
   * and is stopped again.
   *
   * @param other A process that must be able to write.
   */
  async pause(other: Process): Promise<void> {
    this.paused = true;
    for (;;) {
      this.#child.kill("SIGSTOP");
      try {
        return await other.call("touch");
      } catch (error) {
        if (!(error instanceof RemoteError)) throw error;
        this.#child.kill("SIGCONT");
        await other.call("touch").catch(() => {}); // by then it has let go
      }
    }
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Closes it as a deployment does. Does nothing if it has ended. */
  async close(drainMs = 0): Promise<void> {
    if (!this.#hasEnded) await this.call("close", drainMs);
    await this.ended;
  }

  /** Ends it, whatever state it is in. */
  async end(): Promise<void> {
    try {
      this.#child.kill("SIGKILL"); // also if it stands still
    } catch {
      // it has ended
    }
    await this.ended;
  }
}

/** Processes on one store. */
export class Fleet implements AsyncDisposable {
  readonly opening: Opening;
  readonly leaseMs: number;
  readonly #all = new Map<string, Process>();
  readonly #log: LogLine[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(opening: Opening, leaseMs: number) {
    this.opening = opening;
    this.leaseMs = leaseMs;
  }

  /** Starts a process. Resolves when it is ready. Without options it is a client that knows no code. */
  async start(name: string, options: Partial<ProcessOptions> = {}): Promise<Process> {
    const { opening: store, leaseMs } = this;
    const process = new Process(this, { name, store, leaseMs, workflows: "none", version: "1", ...options });
    this.#all.set(name, process);
    await this.until(`${name} is ready`, () => process.log({ log: "ready" }).length > 0);
    return process;
  }

  /** Starts a process that takes runs. */
  worker(name: string, options: Partial<ProcessOptions> = {}): Promise<Process> {
    return this.start(name, { workflows: "all", work: { pollMs: this.leaseMs / 3 }, ...options });
  }

  hear(line: LogLine): void {
    this.#log.push(line);
    this.notify();
  }

  notify(): void {
    for (const look of this.#waiting) look();
  }

  /** The lines of all logs that fit, in the order in which they were read. */
  find(fits: Partial<LogLine>): LogLine[] {
    const fields = Object.entries(fits) as [keyof LogLine, unknown][];
    return this.#log.filter((line) => fields.every(([name, value]) => line[name] === value));
  }

  /** Waits until a condition is true, which is looked at after each line of a log. Fails after three minutes. */
  until(what: string, isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`Three minutes have passed, and it is not true that ${what}. ${this.tail()}`));
      }, LIMIT_MS);
      const look = () => {
        if (!isTrue()) return;
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  /** The last lines of the logs. */
  tail(): string {
    return this.#log.slice(-40).map((line) => JSON.stringify(line)).join("\n");
  }

  /** Calls a process until it answers what is wanted: for what no log tells. */
  async poll<T>(what: string, call: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
    for (const end = performance.now() + LIMIT_MS;;) {
      const answer = await call();
      if (isWanted(answer)) return answer;
      assert(
        performance.now() < end,
        `Three minutes have passed, and it is not true that ${what}: ${JSON.stringify(answer)}`,
      );
    }
  }

  /** Opens the store in this process. */
  async store(): Promise<WorkflowStore & AsyncDisposable> {
    const { openStore } = await import(this.opening.module) as StoreModule;
    return await openStore(this.opening.arg, this.leaseMs);
  }

  /**
   * What is always true at the end: every run has ended once; a recorded activity ran once, and an attempt that is not recorded
   * belongs to a process that died, stood still, or lost its lease.
   *
   * @param count How many workflows there are.
   */
  async check(count: number): Promise<void> {
    // Whoever has lost a run hears of it before it ends, and nobody writes any more.
    await Promise.all(Array.from(this.#all.values(), (process) => process.close()));
    await using store = await this.store();
    const states = (await store.list()).filter(({ history }) => history.length > 0);
    assertEquals(states.length, count);
    const recorded = new Set<unknown>();
    for (const { workflowId, status, result, history } of states) {
      const finals = history.filter(({ type }) => /^workflow_(completed|failed|canceled)$/.test(type));
      assertEquals([status !== "running", finals.length], [true, 1], `${workflowId} is ${status}`);
      const seqs = new Set<number>();
      for (const event of history) {
        if (event.type !== "activity_completed") continue;
        assert(!seqs.has(event.seq), `${workflowId}: two results of activity ${event.seq}`);
        seqs.add(event.seq);
        recorded.add(event.result);
      }
      // Of a chain, the history of the last run is stored, and its result has the steps of all.
      if (Array.isArray(result)) { for (const token of result) recorded.add(token); }
      const told = this.find({ log: "ended", id: workflowId });
      assert(told.length <= 1, `${workflowId} ended ${told.length} times`);
    }
    const attempts = new Map<string, LogLine[]>();
    for (const line of this.find({ log: "ran" }).sort((a, b) => a.at - b.at)) {
      const key = `${line.id} ${line.runId} ${line.step}`;
      attempts.set(key, [...attempts.get(key) ?? [], line]);
    }
    for (const [key, lines] of attempts) {
      const kept = lines.findIndex(({ token }) => recorded.has(token!));
      assert(kept >= 0, `${key} is not recorded`);
      for (const [i, { token, process }] of lines.entries()) {
        if (i === kept) continue;
        assert(!recorded.has(token!), `${key} is recorded twice`);
        const { killed, paused } = this.#all.get(process)!;
        const hasLost = paused || this.find({ log: "refused", process }).length > 0;
        const isOver = killed && i < kept;
        assert(hasLost || isOver, `${key} ran in ${process}, as ${token}, beside ${lines[kept].token}`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#all.values()) await process.end();
  }
}
