/**
 * What a world of the soak watches: its store, which keeps every run, and the listeners of an AbortSignal.
 *
 * @module
 */

import {
  type AppendBatch,
  InMemoryStore,
  type StoreListener,
  type WorkflowEvent,
  type WorkflowStateInit,
} from "@rockpool/workflow";

/** Whether an event is the last one of a history. */
export const isFinal = ({ type }: WorkflowEvent): boolean => /^workflow_(?!started)/.test(type);

/** A store that keeps every run, and notes what must not happen. */
export class Journal extends InMemoryStore {
  readonly runs: Map<string, { readonly workflowId: string; readonly history: WorkflowEvent[] }> = new Map();
  readonly violations: string[] = [];
  subscriptions = 0;

  override async append(batch: AppendBatch): Promise<void> {
    await super.append(batch);
    const { workflowId, runId, events } = batch;
    const run = this.runs.get(runId) ?? { workflowId, history: [] };
    this.runs.set(runId, run);
    if (events.length > 0 && run.history.some(isFinal)) this.violations.push(`run ${runId} has changed after its end`);
    run.history.push(...events);
  }

  override async save(state: WorkflowStateInit): Promise<void> {
    await super.save(state);
    this.violations.push(`${state.workflowId} was saved after its end`); // executors do not save
  }

  override subscribe(listener: StoreListener): () => void {
    this.subscriptions++;
    const end = super.subscribe(listener);
    return () => {
      this.subscriptions--;
      end();
    };
  }
}

/** A signal to abort that counts its listeners. */
export function countingAbort() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...args: unknown[]) => {
    listeners.add(args[1]);
    (add as (...args: unknown[]) => void).apply(signal, args);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners.delete(args[1]);
    (remove as (...args: unknown[]) => void).apply(signal, args);
  };
  return { controller, signal, listeners };
}
