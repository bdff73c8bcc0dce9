/**
 * Checks and copies the states and batches that callers pass to a store.
 *
 * 1. An argument is read once, at the call. What is checked is the copy: a getter can return something else the second time.
 * 2. Values that the store handed out are taken without a copy: nobody could change them.
 *
 * @module
 */

import { type Clock, systemClock } from "../clock.ts";
import { WorkflowError } from "../errors.ts";
import type {
  AppendBatch,
  ClaimOptions,
  Delivery,
  ErrorRecord,
  Labels,
  WorkflowEvent,
  WorkflowHead,
  WorkflowStateInit,
} from "../types.ts";
import {
  checkArray,
  checkInteger,
  checkNumber,
  checkObject,
  checkOptionalString,
  checkOptions,
  checkText,
  invalid,
} from "../util/check.ts";
import { show } from "../util/show.ts";
import { Copier } from "../history/copier.ts";
import { FrozenBatch, type StateFields, toHead } from "../history/history.ts";
import { listEvents, validateBatch, validateDelivery, validateEvent, validateState } from "../history/validate.ts";
import type { Entry } from "./entry.ts";

/** A state that a caller wants to save, checked and copied. */
export interface Draft {
  readonly fields: StateFields;
  readonly events: WorkflowEvent[];
  /** The `createdAt` that the caller gave. */
  readonly createdAt: number | undefined;
  /** Whether it is known that freezing protects every value. */
  readonly clean: boolean;
}

/** What a store has in memory. */
interface Known {
  readonly clock: Clock;
  get(workflowId: string): Entry | undefined;
}

/**
 * @param entries What is stored.
 * @throws {TypeError} If the state is malformed or a value cannot be stored.
 */
export function toDraft(state: WorkflowStateInit, entries: Known): Draft {
  const action = "save workflow";
  checkObject("state", state, action);
  const { workflowId, status, runId = "", workflowName = "", history = [], input, labels, result, error } = state;
  const { createdAt, updatedAt } = state;
  const time = createdAt === undefined || updatedAt === undefined ? entries.clock.now() : NaN;
  const fields: StateFields = {
    workflowId,
    runId,
    workflowName,
    status,
    createdAt: createdAt === undefined ? time : createdAt,
    updatedAt: updatedAt === undefined ? time : updatedAt,
  };
  const before = entries.get(workflowId);
  const known = before?.fields;
  const copier = new Copier();
  if (labels !== undefined) {
    fields.labels = labels === known?.labels ? labels : copier.run(labels, "labels") as Labels;
  }
  validateState(fields, history, action, workflowId);
  if (input !== undefined) fields.input = input === known?.input ? input : copier.run(input, "input");
  if (result !== undefined) fields.result = result === known?.result ? result : copier.run(result, "result");
  if (error !== undefined) fields.error = error === known?.error ? error : copier.run(error, "error") as ErrorRecord;
  const events = copyHistory(history, before, copier);
  return { fields, events, createdAt, clean: !copier.opaque && (before === undefined || before.clean) };
}

function copyHistory(history: readonly WorkflowEvent[], before: Entry | undefined, copier: Copier): WorkflowEvent[] {
  if (history === before?.history) return history as WorkflowEvent[];
  const known = before?.events ?? [];
  const events = listEvents(history, "history");
  for (let i = 0; i < events.length; i++) {
    if (i < known.length && events[i] === known[i]) continue;
    events[i] = copier.run(events[i], "history", i) as WorkflowEvent;
    validateEvent(events[i], "history", i);
  }
  return events;
}

/**
 * A state that a caller wants to save, checked and copied.
 *
 * @category Storage
 */
export interface SavedState {
  /** The state without its history, with the defaults of what was omitted. */
  readonly head: WorkflowHead;
  /** The events, deeply frozen. */
  readonly events: readonly WorkflowEvent[];
  /** The `createdAt` that the caller gave. If it is `undefined`, a stored workflow keeps its own. */
  readonly createdAt: number | undefined;
}

/**
 * Checks and copies the argument of {@linkcode WorkflowStore.save}. It is read once, so a store calls this before it waits for
 * anything.
 *
 * @param state The argument.
 * @param clock Returns the times that are omitted; the time of the system by default.
 * @throws {TypeError} If the state is malformed or a value cannot be stored.
 *
 * @category Storage
 */
export function readState(state: WorkflowStateInit, clock: Clock = systemClock): SavedState {
  const { fields, events, createdAt } = toDraft(state, { clock, get: () => undefined });
  return { head: toHead(fields, events), events, createdAt };
}

/**
 * Checks the argument of {@linkcode WorkflowStore.load} or {@linkcode WorkflowStore.delete}, and returns it.
 *
 * @param workflowId The argument.
 * @param action What is done, for the message: `"load workflow"`.
 * @throws {TypeError} If it is not a string or is empty.
 *
 * @category Storage
 */
export function readId(workflowId: string, action: string): string {
  checkText("workflowId", workflowId, action);
  return workflowId;
}

/**
 * Checks and copies the argument of {@linkcode WorkflowStore.append}. It is read once, so a store calls this before it waits for
 * anything. The events of an executor are frozen already, and are not copied.
 *
 * @param batch The argument.
 * @returns A batch whose events are deeply frozen.
 * @throws {TypeError} If the batch is malformed or a value cannot be stored.
 *
 * @category Storage
 */
export function readBatch(batch: AppendBatch): AppendBatch {
  if (batch instanceof FrozenBatch) return batch;
  checkObject("batch", batch, "append");
  const { workflowId, runId, expectedLength, events, replaces, owner, wakeAt } = batch;
  const lease = owner === undefined && wakeAt === undefined ? undefined : { owner, wakeAt };
  const copies = copyEvents(events);
  const copy = new FrozenBatch(workflowId, runId, expectedLength, copies, replaces, undefined, lease);
  validateBatch(copy);
  return copy;
}

/** Copies what is to be a list of events. What is none is refused later. */
function copyEvents<Event extends WorkflowEvent>(events: readonly Event[]): Event[] {
  if (!Array.isArray(events)) return events as never;
  const copies = listEvents(events, "events") as Event[];
  const copier = new Copier();
  for (let i = 0; i < copies.length; i++) copies[i] = copier.run(copies[i], "events", i) as Event;
  return copies;
}

/**
 * Checks and copies the argument of {@linkcode WorkflowStore.deliver}. It is read once, so a store calls this before it waits for
 * anything.
 *
 * @param delivery The argument.
 * @returns A delivery whose events are deeply frozen.
 * @throws {TypeError} If the delivery is malformed or a value cannot be stored.
 *
 * @category Storage
 */
export function readDelivery(delivery: Delivery): Delivery {
  checkOptions(delivery, { workflowId: true, firstRunId: true, events: true }, "deliver", undefined, "delivery");
  const { workflowId, firstRunId, events } = delivery;
  const copy = { workflowId, firstRunId, events: copyEvents(events) };
  validateDelivery(copy);
  return copy;
}

/**
 * Checks the arguments of {@linkcode WorkflowStore.loadSince}.
 *
 * @param workflowId The first argument.
 * @param length The second one.
 * @param runId The third one.
 * @throws {TypeError | RangeError} If one is not of its type, or out of its range.
 *
 * @category Storage
 */
export function checkLoadSince(workflowId: string, length: number, runId: string | undefined): void {
  const action = "load workflow";
  checkText("workflowId", workflowId, action);
  if (length !== Infinity) checkInteger("length", length, 0, action, workflowId);
  checkOptionalString("runId", runId, action, workflowId);
}

/**
 * Checks the argument of {@linkcode WorkflowStore.claim}, and copies it. It is read once.
 *
 * @param options The argument.
 * @returns The options; `dueBefore` is `Infinity` if it was not given.
 * @throws {TypeError | RangeError} If an option is not of its type, out of its range, or unknown.
 *
 * @category Storage
 */
export function readClaim(options: ClaimOptions): ClaimOptions & { readonly dueBefore: number } {
  const action = "claim workflows";
  checkOptions(options, { owner: true, leaseMs: true, limit: true, names: true, dueBefore: true }, action);
  const { owner, leaseMs, limit, names, dueBefore } = options;
  checkLease(owner, leaseMs, action);
  checkInteger("limit", limit, 0, action);
  if (dueBefore !== undefined) checkNumber("dueBefore", dueBefore, -Infinity, action);
  return { owner, leaseMs, limit, names: checkNames("names", names, action), dueBefore: dueBefore ?? Infinity };
}

/**
 * Checks the arguments of {@linkcode WorkflowStore.renew}.
 *
 * @param owner The first argument.
 * @param leaseMs The second one.
 * @param action What is done, for the message.
 * @throws {TypeError | RangeError} If one is not of its type, or out of its range.
 *
 * @category Storage
 */
export function checkLease(owner: string, leaseMs: number, action = "renew a lease"): void {
  checkText("owner", owner, action);
  checkNumber("leaseMs", leaseMs, Number.MIN_VALUE, action);
}

/**
 * Checks the arguments of {@linkcode WorkflowStore.release}, and copies the IDs.
 *
 * @param owner The first argument.
 * @param workflowIds The second one.
 * @returns The IDs; `undefined` for all.
 * @throws {TypeError} If one is not of its type.
 *
 * @category Storage
 */
export function readRelease(owner: string, workflowIds?: readonly string[]): readonly string[] | undefined {
  const action = "release workflows";
  checkText("owner", owner, action);
  return checkNames("workflowIds", workflowIds, action);
}

/**
 * Options of the method `prune` of a store.
 *
 * @category Storage
 */
export interface PruneOptions {
  /** Finished workflows whose last event is earlier than this time are deleted; milliseconds since the epoch. */
  readonly finishedBefore: number;
}

/**
 * Checks the argument of `prune`.
 *
 * @param options The argument.
 * @param action What is done, for the message.
 * @returns Before when a workflow must have finished.
 * @throws {TypeError | RangeError} If an option is unknown, or `finishedBefore` is not a finite number.
 *
 * @category Storage
 */
export function readPrune(options: PruneOptions, action = "prune the store"): number {
  checkOptions(options, { finishedBefore: true }, action);
  const { finishedBefore } = options;
  checkNumber("finishedBefore", finishedBefore, -Infinity, action);
  return finishedBefore;
}

function checkNames(name: string, texts: readonly string[] | undefined, action: string): readonly string[] | undefined {
  if (texts === undefined) return undefined;
  checkArray(name, texts, action);
  const copy = Array.from(texts); // also at a hole
  for (let i = 0; i < copy.length; i++) {
    if (typeof copy[i] !== "string") throw invalid(`${name}[${i}]`, copy[i], "a string", action);
  }
  return copy;
}

/**
 * Returns a time for a store to compare with: from when on a run is due.
 *
 * @param wakeAt The `wakeAt` of a batch.
 * @returns `-Infinity` for at once, `Infinity` for never by itself.
 *
 * @category Storage
 */
export function dueAt(wakeAt: number | null | undefined): number {
  return wakeAt === null ? Infinity : wakeAt ?? -Infinity;
}

/**
 * The error of {@linkcode WorkflowStore.renew} for a lease that has ended or never began.
 *
 * @param owner The owner.
 *
 * @category Storage
 */
export function leaseLost(owner: string): WorkflowError {
  return new WorkflowError(
    "lease_lost",
    `Cannot renew the lease of ${
      show(owner)
    }: it has ended and another owner has claimed runs since, or it never began`,
  );
}
