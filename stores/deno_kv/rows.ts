/**
 * What a store keeps of each workflow.
 *
 * All keys are below the user's prefix:
 *
 * | Key                             | Value                                                                          |
 * | ------------------------------- | ------------------------------------------------------------------------------ |
 * | `workflow`, ID                  | a {@linkcode Row}. Its versionstamp is what a write compares                   |
 * | `order`, place                  | the ID                                                                         |
 * | `running`, place                | an {@linkcode Index}, of running workflows only                                |
 * | `data`, data, first             | the events of one append: a {@linkcode Stored}; `first` is the index of the first one |
 * | `data`, data, `message`, ID     | that the run has this message                                                  |
 * | `data`, data, `messages`, first | the IDs of many messages that were stored at once: a {@linkcode Stored}        |
 * | `data`, data, `piece`, set, n   | a piece of a large value                                                       |
 * | `unused`, data (, `piece`, set) | since when what is below the same parts of `data` is not used, or not yet      |
 * | `log`, versionstamp             | a {@linkcode Change}, for some minutes                                         |
 * | `last`                          | its versionstamp is that of the last write                                     |
 * | `lease`, owner                  | who it is, and when the lease ends                                             |
 *
 * 1. The place of a workflow is the versionstamp of the transaction that created it: the order of creation of all processes.
 * 2. What is below `data` is written once. A new history has a new `data`. So a row that was read is enough to read the history
 *    as it was then, for as long as unused data is kept.
 *
 * @module
 */

import type { WorkflowHead } from "../../types.ts";
import type { DenoKvEntry } from "./keyspace.ts";
import type { Stored } from "./values.ts";

/** A workflow. */
export interface Row {
  /** The head, without input, result and error. */
  readonly head: WorkflowHead;
  readonly input: Stored | undefined;
  /** The result and the error. */
  readonly outcome: Stored | undefined;
  /** The part of the keys of its history. */
  readonly data: string;
  /** The place. It is not stored with the first version of the row, because it is the versionstamp of that. */
  readonly place: string;
  /** Who owns the run; `null` for nobody. */
  readonly owner: string | null;
  /** How often the run was claimed. */
  readonly fence: number;
  /** From when on the run is due. */
  readonly dueAt: number;
}

/** A row before it is written. */
export type NewRow = Omit<Row, "place"> & { readonly place: string | undefined };

/** What is looked up of a running workflow. */
export interface Index extends Pick<Row, "owner" | "dueAt"> {
  readonly id: string;
  readonly name: string;
}

/** The row of an entry. */
export function rowOf({ value, versionstamp }: DenoKvEntry): Row | undefined {
  if (value === null) return undefined;
  const row = value as Omit<Row, "place"> & Partial<Row>;
  return { ...row, place: row.place ?? versionstamp! };
}

export function indexOf({ head, owner, dueAt }: NewRow): Index {
  return { id: head.workflowId, name: head.workflowName, owner, dueAt };
}
