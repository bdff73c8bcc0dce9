// deno-lint-ignore-file require-await -- an async method rejects where it would throw
/**
 * A store of your own: workflows in one file, a line for each change. It is made of `@rockpool/workflow/storage` and passes all
 * cases of `@rockpool/workflow/testing/store`.
 *
 * Each change is on the disk before its promise settles. A line that was cut off by a crash does not count. The file is for one
 * process at a time, and it only grows: for more, use a database.
 *
 * `deno run --allow-read --allow-write examples/own_store.ts FILE`
 *
 * @module
 */

import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import {
  type AppendBatch,
  Executor,
  type StoreListener,
  type WorkflowContext,
  type WorkflowEvent,
  type WorkflowFilter,
  type WorkflowHead,
  type WorkflowState,
  type WorkflowStateInit,
  type WorkflowStore,
} from "@rockpool/workflow";
import {
  applyToHead,
  batchKind,
  Listeners,
  Payloads,
  readBatch,
  readFilter,
  readId,
  readState,
  toState,
} from "@rockpool/workflow/storage";

/** What is stored of a workflow. The head and the batches of events are texts: nobody can change them. */
interface Row {
  readonly head: string;
  readonly batches: string[];
}

/** A change, and a line of the file. */
interface Change {
  readonly id: string;
  /** The new head; absent if the workflow is deleted. */
  readonly head?: string;
  /** New events. */
  readonly batch?: string;
  /** Whether the earlier events are kept. */
  readonly keeps?: boolean;
  /** Whether the workflow becomes the last in the order of creation. */
  readonly moves?: boolean;
}

/** Workflows in a file. */
export class FileStore implements WorkflowStore {
  /** In the order of creation: a `Map` keeps the place of a key that is set again. */
  readonly #rows = new Map<string, Row>();
  readonly #listeners = new Listeners();
  readonly #payloads = new Payloads();
  readonly #file: number;
  /** Where the next line begins. */
  #size: number;

  /** Opens a file, or makes it. */
  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT);
    const bytes = readFileSync(this.#file);
    this.#size = bytes.lastIndexOf("\n") + 1;
    const lines = new TextDecoder().decode(bytes.subarray(0, this.#size)).split("\n");
    for (const line of lines.slice(0, -1)) this.#apply(JSON.parse(line));
  }

  async save(state: WorkflowStateInit): Promise<void> {
    const { head, events, createdAt } = readState(state);
    const { workflowId: id } = head;
    const known = this.#head(id);
    const saved = { ...head, createdAt: createdAt ?? known?.createdAt ?? head.createdAt };
    this.#commit({ id, head: this.#write(id, saved), batch: this.#write(id, events) });
    this.#listeners.call(id, null);
  }

  async load(workflowId: string): Promise<WorkflowState | null> {
    const head = this.#head(readId(workflowId, "load workflow"));
    return head && this.#state(head);
  }

  async list(filter?: WorkflowFilter): Promise<WorkflowState[]> {
    const { statuses, matches, order, limit } = readFilter(filter);
    const states: WorkflowState[] = [];
    const ids = [...this.#rows.keys()];
    for (const id of order === "asc" ? ids : ids.reverse()) {
      if (states.length >= limit) break;
      const head = this.#head(id)!;
      if (statuses?.includes(head.status) !== false && matches?.(head) !== false) states.push(this.#state(head));
    }
    return states;
  }

  async delete(workflowId: string): Promise<void> {
    const id = readId(workflowId, "delete workflow");
    if (!this.#rows.has(id)) return;
    this.#commit({ id });
    this.#listeners.call(id, null);
  }

  async append(batch: AppendBatch): Promise<void> {
    const copy = readBatch(batch);
    const { workflowId: id, events } = copy;
    const head = applyToHead(this.#head(id), copy);
    const kind = batchKind(copy);
    if (kind === "confirm") return;
    const change = { id, head: this.#write(id, head), batch: this.#write(id, events) };
    this.#commit({ ...change, keeps: kind === "append", moves: kind === "create" });
    this.#listeners.call(id, head.historyLength, copy);
  }

  subscribe(listener: StoreListener): () => void {
    return this.#listeners.add(listener);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  /** Writes a change to the disk, then to memory. If it fails, the next line replaces what was written of this one. */
  #commit(change: Change): void {
    const line = new TextEncoder().encode(`${JSON.stringify(change)}\n`);
    for (let done = 0; done < line.length;) {
      done += writeSync(this.#file, line, done, line.length - done, this.#size + done);
    }
    fsyncSync(this.#file);
    this.#size += line.length;
    this.#apply(change);
  }

  #apply({ id, head, batch, keeps, moves }: Change): void {
    const batches = keeps ? this.#rows.get(id)!.batches : [];
    if (head === undefined || moves) this.#rows.delete(id);
    if (batch !== undefined) batches.push(batch);
    if (head !== undefined) this.#rows.set(id, { head, batches });
  }

  #head(id: string): WorkflowHead | null {
    const row = this.#rows.get(id);
    return row === undefined ? null : this.#read(id, row.head) as WorkflowHead;
  }

  #state(head: WorkflowHead): WorkflowState {
    const { workflowId: id } = head;
    return toState(head, this.#rows.get(id)!.batches.flatMap((batch) => this.#read(id, batch) as WorkflowEvent[]));
  }

  #write(id: string, value: unknown): string {
    return this.#payloads.write(value, id) as string; // without a codec, a payload is a text
  }

  #read(id: string, text: string): unknown {
    return this.#payloads.read(text, this.#payloads.codec, id);
  }
}

/** Counts how often this program was run with the same file. */
async function counter(ctx: WorkflowContext): Promise<never> {
  let count = 0;
  ctx.handleUpdate("count", () => ++count);
  return await ctx.waitForSignal("never");
}

if (import.meta.main) {
  using store = new FileStore(Deno.args[0] ?? "workflows.jsonl");
  const executor = new Executor({ store, workflows: { counter } });
  await executor.recover();
  await executor.execute(counter, { id: "counter", onConflict: "join" });
  console.log(`run ${await executor.update("counter", "count")} with this file`);
  await executor.close();
}
