/**
 * What is written for a state, and for a batch of events.
 *
 * @module
 */

import { batchKind, dueAt, escapeText, messageIds, payloadOf, type readState } from "../../storage/mod.ts";
import type { AppendBatch, WorkflowEvent, WorkflowHead } from "../../types.ts";
import type { Columns } from "./columns.ts";
import { toTexts } from "./rows.ts";
import type { Write } from "./write_statement.ts";

/** A write that compares nothing and changes nothing. */
const nothing: Omit<Write, "kind" | "id"> = {
  expected_run: null,
  expected_running: null,
  expected_length: null,
  expected_mail: null,
  expected_owner: null,
  fresh: false,
  moved: false,
  run_id: null,
  first_run_id: null,
  parent: null,
  workflow_name: null,
  created_at: null,
  labels: null,
  input: null,
  status: "running",
  updated_at: 0,
  outcome: null,
  codec: null,
  owner: null,
  claims: false,
  due_at: "-Infinity",
  count: 0,
  events: null,
  messages: [],
  saved: false,
};

/** The write that replaces a workflow that is stored, and the one that creates it. */
export async function writesOfState(
  columns: Columns,
  { head, events, createdAt }: ReturnType<typeof readState>,
): Promise<{ readonly change: Write; readonly create: Write }> {
  const { workflowId, input, result, error } = head;
  const written = columns.encode(workflowId, payloadOf({ input }), payloadOf({ result, error }), events);
  const [inputs, outcome, history] = written instanceof Promise ? await written : written;
  const row = rowOf(columns, head, inputs, outcome, events, history);
  const create: Write = { ...row, kind: "create", claims: true, saved: true };
  return { create, change: { ...create, kind: "change", fresh: true, created_at: createdAt ?? null } };
}

/**
 * The write of a batch.
 *
 * @param next The head that it leads to.
 */
export function writeOfBatch(columns: Columns, batch: AppendBatch, next: WorkflowHead): Write | Promise<Write> {
  const { workflowId, runId, expectedLength, events, replaces, owner } = batch;
  const { input, result, error, status, updatedAt } = next;
  const kind = batchKind(batch);
  const begins = kind === "create" || kind === "continue";
  const expected = {
    expected_run: escapeText(replaces ?? runId),
    expected_running: true,
    expected_length: expectedLength,
    expected_owner: owner === undefined ? null : escapeText(owner),
  };
  const id = escapeText(workflowId);
  if (kind === "confirm") return { ...nothing, ...expected, kind, id };
  const time = dueAt(batch.wakeAt);
  const due_at = Number.isFinite(time) ? time : `${time}` as Write["due_at"];
  const make = ([inputs, outcome, history]: (string | null)[]): Write => {
    if (!begins) {
      const messages = messageIds(events).map(escapeText);
      // A delivery is applied to what is stored, which has labels of its own.
      const labels = events.some(({ type }) => type === "labels_changed") ? labelsOf(next) : null;
      const added = { status, updated_at: updatedAt, count: events.length, events: history, messages, due_at, labels };
      return { ...nothing, ...expected, ...added, kind: "change", id, outcome, codec: columns.codec };
    }
    const row = { ...rowOf(columns, next, inputs, outcome, events, history), due_at };
    if (kind === "continue") return { ...row, ...expected, kind: "change", fresh: true, created_at: null };
    const owned = { ...row, owner: expected.expected_owner, claims: true };
    if (replaces === undefined) return owned;
    const replaced = { ...expected, expected_running: false, expected_length: null, expected_owner: null };
    return { ...owned, ...replaced, kind: "change", fresh: true, moved: true };
  };
  const written = columns.encode(
    workflowId,
    begins ? payloadOf({ input }) : undefined,
    status === "running" ? undefined : payloadOf({ result, error }),
    events,
  );
  return written instanceof Promise ? written.then(make) : make(written);
}

/** A write that replaces everything. */
function rowOf(
  columns: Columns,
  head: WorkflowHead,
  input: string | null,
  outcome: string | null,
  events: readonly WorkflowEvent[],
  history: string | null,
): Write {
  const { parent } = head;
  return {
    ...nothing,
    kind: "create",
    id: escapeText(head.workflowId),
    run_id: escapeText(head.runId),
    first_run_id: escapeText(head.firstRunId),
    parent: parent === undefined ? null : JSON.stringify(parent),
    workflow_name: escapeText(head.workflowName),
    created_at: head.createdAt,
    labels: labelsOf(head),
    input,
    status: head.status,
    updated_at: head.updatedAt,
    outcome,
    codec: columns.codec,
    count: events.length,
    events: events.length === 0 ? null : history,
    messages: messageIds(events).map(escapeText),
  };
}

function labelsOf({ labels }: WorkflowHead): string | null {
  return labels === undefined ? null : toTexts(Object.entries(labels));
}
