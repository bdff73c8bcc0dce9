/**
 * What the cases for stores are made of: their type, the events and states that they write, and small ways to write them.
 *
 * @module
 */

import { WorkflowError } from "../../errors.ts";
import type {
  AppendBatch,
  WorkflowEvent,
  WorkflowFilter,
  WorkflowStartedEvent,
  WorkflowStateInit,
  WorkflowStore,
} from "../../types.ts";
import { assertEquals, assertRejects } from "../assert.ts";

/** Makes a new, empty store, which the case need not dispose of. */
export type MakeStore = () => Promise<WorkflowStore>;

/** One sentence of the contract, and what rejects if it is not true of the stores that it can make. */
export interface CaseBody {
  /** The sentence. */
  readonly name: string;
  /** What is probably broken if it is not true, where the name does not say so. */
  readonly likely?: string;
  /** Rejects if the sentence is not true. `reopen` opens a store again; one that cannot be opened again, it answers. */
  readonly run: (makeStore: MakeStore, reopen: (store: WorkflowStore) => Promise<WorkflowStore>) => Promise<void>;
}

/** What is malformed on purpose. */
// deno-lint-ignore no-explicit-any
export type Anything = any;

export const started: WorkflowStartedEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
export const fired = (at: number): WorkflowEvent => ({ type: "timer_fired", at, seq: 0 });
export const signal = (payload: unknown): WorkflowEvent => ({
  type: "signal_received",
  at: 2,
  name: "s",
  signalId: "1",
  payload,
});
export const error = { name: "Error", message: "late", data: { tags: ["x"] } };
export const completed: WorkflowEvent = { type: "workflow_completed", at: 9, result: "out" };
export const failed: WorkflowEvent = { type: "workflow_failed", at: 9, error };
export const canceled: WorkflowEvent = { type: "workflow_canceled", at: 9, error };

/** A batch that starts run "1" of workflow "a", but for what the case says. */
export const batch = (part: Partial<AppendBatch> = {}): AppendBatch => ({
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [started],
  ...part,
});

const everyField: WorkflowStateInit = {
  workflowId: "a",
  runId: "1",
  workflowName: "w",
  status: "failed",
  input: { list: [{ n: 1 }] },
  labels: { customer: "7", "": "" },
  result: [[1]],
  error,
  history: [started, signal({ list: [1] })],
  createdAt: -1,
  updatedAt: 0.5,
};

/** A state with something in every field, of which every part is new. */
export const whole = (part: Partial<WorkflowStateInit> = {}): WorkflowStateInit => ({
  ...structuredClone(everyField),
  ...part,
});

/** Starts run "1" of workflow "a" with these events. */
export async function startedIn(makeStore: MakeStore, ...events: WorkflowEvent[]): Promise<WorkflowStore> {
  const store = await makeStore();
  await store.append(batch({ events: [started, ...events] }));
  return store;
}

/** Saves workflows with these IDs, one after the other. */
export async function holding(store: WorkflowStore, ...ids: string[]): Promise<WorkflowStore> {
  for (const workflowId of ids) await store.save({ workflowId, runId: "1", status: "completed" });
  return store;
}

export async function idsOf(store: WorkflowStore, filter?: WorkflowFilter): Promise<string[]> {
  return (await store.list(filter)).map(({ workflowId }) => workflowId);
}

export async function rejectsWithConflict(store: WorkflowStore, part: Partial<AppendBatch>): Promise<void> {
  const before = await store.load("a");
  const { code } = await assertRejects(() => store.append(batch(part)), WorkflowError, "append()");
  assertEquals(code, "conflict", "the code of the error");
  assertEquals(await store.load("a"), before, "what is stored, before and after the conflict");
}
