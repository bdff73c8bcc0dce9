/**
 * The port to a place with runs, and how a run is found there.
 *
 * @module
 */

import { toHead } from "../history/history.ts";
import type { Wait } from "../options.ts";
import type { WorkflowFilter, WorkflowHead, WorkflowState, WorkflowStore } from "../types.ts";
import { show } from "../util/show.ts";
import { Failure } from "./failure.ts";

/** What a file or an address is. */
export type SourceKind = "sqlite" | "snapshot" | "history" | "inspector";

/** A run in a list. */
export interface ListedRun {
  readonly head: WorkflowHead;
  /** What it waits for, if somebody knows it who runs it. */
  readonly waitsFor?: readonly Wait[] | undefined;
  /** Its history, if it was read. */
  readonly history?: WorkflowState["history"] | undefined;
}

/** A place with runs. */
export interface Source {
  readonly kind: SourceKind;
  readonly name: string;
  /** Runs, newest first. */
  list(filter: WorkflowFilter, limit: number): Promise<readonly ListedRun[]>;
  load(id: string): Promise<WorkflowState | null>;
  /** What a run waits for, if its executor says it. */
  waitsFor?(id: string): Promise<readonly Wait[] | undefined>;
  /**
   * Calls `changed` after changes, until the returned function is called: with the ID of the workflow, or `null` if it is not known.
   * Absent if nothing can change.
   */
  watch?(id: string | undefined, changed: (id: string | null) => void): () => void;
  /** The store; absent for an inspector. */
  readonly store?: WorkflowStore;
  close(): Promise<void>;
}

/** Finds a run: by its ID, by the beginning of its ID, or the latest one. */
export async function findRun(source: Source, id: string): Promise<WorkflowState> {
  const exact = await source.load(id);
  if (exact !== null) return exact;
  const found = id === "latest" ? await source.list({}, 1) : await source.list({ idPrefix: id }, 6);
  const where = `in ${show(source.name)}`;
  if (found.length === 0) {
    throw new Failure(
      1,
      id === "latest" ? `There is no run ${where}` : `There is no run ${show(id)} ${where}; "list" shows them`,
    );
  }
  if (found.length > 1) {
    const ids = found.slice(0, 5).map(({ head }) => show(head.workflowId));
    throw new Failure(
      2,
      `${show(id)} is the beginning of several IDs: ${ids.join(", ")}${found.length > 5 ? ", …" : ""}`,
    );
  }
  const state = await source.load(found[0].head.workflowId);
  if (state === null) throw new Failure(1, `There is no run ${show(id)} ${where} any more`);
  return state;
}

/** The head of a state. */
export function headOf({ history, ...fields }: WorkflowState): WorkflowHead {
  return toHead(fields, history);
}
