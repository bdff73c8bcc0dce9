/**
 * Fixtures for all cases of the store contract: the type of a case, sample events and states, and functions that write them.
 *
 * @module
 */

import { WorkflowError } from "../../errors.ts";
import type {
  AppendBatch,
  Labels,
  WorkflowEvent,
  WorkflowFilter,
  WorkflowStartedEvent,
  WorkflowStateInit,
  WorkflowStore,
} from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assertEquals, assertRejects } from "../assert.ts";

/** Makes a new, empty store. It is disposed of after the case. */
export type MakeStore = () => Promise<WorkflowStore>;

/** Opens the content of a store once more. */
export type OpenAgain = (store: WorkflowStore) => Promise<WorkflowStore>;

/** One sentence of the contract, and a function that checks it. */
export interface CaseBody {
  /** The sentence. */
  readonly name: string;
  /** What is probably broken if the sentence is not true, where the name does not say so. */
  readonly likely?: string;
  /**
   * Rejects if the sentence is not true. `reopen` opens a store again, `connect` opens another instance; both return the same store
   * if they cannot.
   */
  readonly run: (makeStore: MakeStore, reopen: OpenAgain, connect: OpenAgain) => Promise<void>;
}

/** A value that may be malformed on purpose. */
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
export const relabeled = (labels: Labels, seq = 0): WorkflowEvent => ({ type: "labels_changed", at: 3, seq, labels });
export const error = { name: "Error", message: "late", data: { tags: ["x"] } };
export const completed: WorkflowEvent = { type: "workflow_completed", at: 9, result: "out" };
export const failed: WorkflowEvent = { type: "workflow_failed", at: 9, error };
export const canceled: WorkflowEvent = { type: "workflow_canceled", at: 9, error };

/** A batch that starts run "1" of workflow "a", with changes. */
export const batch = (part: Partial<AppendBatch> = {}): AppendBatch => ({
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [started],
  ...part,
});

/** A new state with a value in every field, with changes. */
export const fullState = (part: Partial<WorkflowStateInit> = {}): WorkflowStateInit => ({
  ...structuredClone<WorkflowStateInit>({
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
  }),
  ...part,
});

/** Makes a store with run "1" of workflow "a", which has these events. */
export async function storeWithRun(makeStore: MakeStore, ...events: WorkflowEvent[]): Promise<WorkflowStore> {
  const store = await makeStore();
  await store.append(batch({ events: [started, ...events] }));
  return store;
}

/** Saves workflows with these IDs, one after the other. Returns the store. */
export async function saveIds(store: WorkflowStore, ...ids: string[]): Promise<WorkflowStore> {
  for (const workflowId of ids) await store.save({ workflowId, runId: "1", status: "completed" });
  return store;
}

/** The IDs of the listed workflows. */
export async function idsOf(store: WorkflowStore, filter?: WorkflowFilter): Promise<string[]> {
  return (await store.list(filter)).map(({ workflowId }) => workflowId);
}

/** Checks that a batch is refused with a conflict, and that nothing has changed. */
export async function rejectsWithConflict(store: WorkflowStore, part: Partial<AppendBatch>): Promise<void> {
  const before = await store.load("a");
  const call = `append(${showValue(batch(part))})`;
  const { code } = await assertRejects(() => store.append(batch(part)), WorkflowError, call);
  assertEquals(code, "conflict", `the code of the error of ${call}`);
  assertEquals(await store.load("a"), before, `the stored state after the conflict of ${call} and before it`);
}
